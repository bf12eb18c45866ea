"""How large an item is by the service's measure, from its wire form. Pure.

[DG:CapacityUnitCalculations]: names and strings by their UTF-8 bytes, numbers one byte per two
significant digits and one more, binary decoded, lists and maps 3 bytes and 1 per element.
"""

from collections.abc import Mapping
from typing import Any

_COLLECTION_BYTES = 3


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The size of an item."""
    return sum(_text_bytes(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return _text_bytes(content)
    if kind == "N":
        return _number_bytes(content)
    if kind == "B":
        return _binary_bytes(content)
    if kind == "M":
        return _COLLECTION_BYTES + len(content) + item_bytes(content)
    if kind == "L":
        return _COLLECTION_BYTES + sum(1 + _value_bytes(element) for element in content)
    if kind in _ELEMENT_BYTES:
        return sum(map(_ELEMENT_BYTES[kind], content))
    return 1  # BOOL and NULL


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number_bytes(text: str) -> int:
    mantissa = text.lower().partition("e")[0].lstrip("+-").replace(".", "").strip("0")
    return (len(mantissa) + 1) // 2 + 1 + text.startswith("-")


def _binary_bytes(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text.count("=")


_ELEMENT_BYTES = {"SS": _text_bytes, "NS": _number_bytes, "BS": _binary_bytes}
