"""Items in wire form, as tests compare them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

SET_TYPES = frozenset({"SS", "NS", "BS"})

# {"attribute": {"S": "text"}}; binary is base64 text, numbers are text, as on the wire.
WireValue = dict[str, Any]
WireItem = dict[str, WireValue]


def canonical(item: Mapping[str, WireValue]) -> str:
    """One text for one item: attributes in order, sets sorted, since neither has an order.

    Numbers stay the text that the service gave: 1 and 1.0 differ here.
    """
    return json.dumps(_sort_sets({"M": dict(item)}), sort_keys=True, ensure_ascii=False)


def key_of(item: Mapping[str, WireValue], key_names: Sequence[str]) -> str:
    """One text for the item's key."""
    return canonical({name: item[name] for name in key_names})


def _sort_sets(value: WireValue) -> WireValue:
    ((type_name, content),) = value.items()
    if type_name in SET_TYPES:
        return {type_name: sorted(content)}
    if type_name == "L":
        return {"L": [_sort_sets(element) for element in content]}
    if type_name == "M":
        return {"M": {name: _sort_sets(element) for name, element in content.items()}}
    return value
