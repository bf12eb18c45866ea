"""The demo's items: every attribute type, and the values that copies get wrong. Pure.

Items are in wire form, DynamoDB JSON, where numbers are text and binary is base64.
"""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

Item = dict[str, dict[str, Any]]

_ORDERS_PER_CUSTOMER = 20
_EVERY_TYPE_EVERY = 25
_SEED = 20


def make_items(count: int) -> Iterator[Item]:
    """The same `count` items each time; some have an attribute of every type."""
    random_ = random.Random(_SEED)  # noqa: S311  # nothing here is a secret
    for index in range(count):
        item: Item = {
            "customer": {"S": f"customer-{index // _ORDERS_PER_CUSTOMER:06d}"},
            "order": {"N": str(index)},
            "note": {"S": "" if index % 10 == 0 else f"Ünïcödé \u2014 {index} \U0001f6a2"},
            "total": {"N": f"{random_.randrange(10**37, 10**38)}"},
            "payload": {"B": _binary(random_, 300)},
        }
        if index % _EVERY_TYPE_EVERY == 0:
            item |= _every_type(index, random_)
        yield item


def _every_type(index: int, random_: random.Random) -> Item:
    return {
        "smallest": {"N": "-1E-130"},
        "largest": {"N": "9.9999999999999999999999999999999999999E+125"},
        "empty_binary": {"B": ""},
        "tags": {"SS": [f"tag-{index % 7}", "", "ÄÖÜ"]},
        "numbers": {"NS": ["1", "-2.5", str(random_.randrange(10**30, 10**31))]},
        "binaries": {"BS": [_binary(random_, 4), _binary(random_, 8)]},
        "paid": {"BOOL": index % 2 == 0},
        "deleted_at": {"NULL": True},
        "empty_list": {"L": []},
        "empty_map": {"M": {}},
        # Names that also stand at the top of a Scan's response.
        "Items": {"L": [{"S": "a"}, {"N": "1"}, {"M": {"LastEvaluatedKey": {"BOOL": False}}}]},
        "nested": {"M": {"a": {"M": {"b": {"L": [{"L": [{"NULL": True}, {"B": "AA=="}]}]}}}}},
    }


def _binary(random_: random.Random, length: int) -> str:
    return base64.b64encode(random_.randbytes(length)).decode()


def as_sdk(item: Item) -> Item:
    """The item in the SDK's form, in which binary is bytes."""
    return {name: _sdk_value(value) for name, value in item.items()}


def _sdk_value(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            content = base64.b64decode(content)
        case "BS":
            content = [base64.b64decode(element) for element in content]
        case "L":
            content = [_sdk_value(element) for element in content]
        case "M":
            content = as_sdk(content)
    return {kind: content}


def canonical(item: Item) -> str:
    """The item as text that is equal for equal items: sets and maps have no order.

    Takes wire form, and the SDK's form, in which binary is bytes.
    """
    return json.dumps(
        {name: _canonical_value(value) for name, value in item.items()}, sort_keys=True
    )


def _canonical_value(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            content = _text(content)
        case "SS" | "NS" | "BS":
            content = sorted(_text(element) for element in content)
        case "L":
            content = [_canonical_value(element) for element in content]
        case "M":
            content = {name: _canonical_value(element) for name, element in content.items()}
    return {kind: content}


def _text(content: str | bytes) -> str:
    return base64.b64encode(content).decode() if isinstance(content, bytes) else content


def key_of(item: Item) -> tuple[str, str]:
    """The item's key."""
    return item["customer"]["S"], item["order"]["N"]
