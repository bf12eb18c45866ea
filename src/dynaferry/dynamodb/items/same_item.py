"""Whether two items in wire form are the same item, as the service sees it. Pure.

Attributes, map entries and the elements of a set have no order; a number is its value, however
it is written; binary is its bytes. What is not known is compared as it is written.
"""

import binascii
from collections.abc import Callable, Hashable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Raw


def is_same_item(one: Raw, other: Raw) -> bool:
    """Whether both hold the same attributes with the same values.

    What cannot be read is the same only to the byte.
    """
    if bytes(one) == bytes(other):
        return True
    try:
        return _comparable(one) == _comparable(other)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, TypeError, AttributeError):
        return False


def _comparable(item: Raw) -> Hashable:
    return _map(msgspec.json.decode(item))


def _value(value: dict[str, Any]) -> Hashable:
    ((type_name, content),) = value.items()
    read = _READ.get(type_name)
    return type_name, _as_written(content) if read is None else read(content)


def _as_written(content: Any) -> Hashable:
    return msgspec.json.encode(content, order="deterministic")


def _map(content: dict[str, Any]) -> Hashable:
    return frozenset((name, _value(value)) for name, value in content.items())


def _list(content: list[Any]) -> Hashable:
    return tuple(_value(element) for element in content)


def _number(content: str) -> Hashable:
    try:
        return Decimal(content)
    except InvalidOperation as error:
        raise ValueError(f"{content!r} is not a number") from error


def _binary(content: str) -> Hashable:
    return binascii.a2b_base64(content)


_READ: Final[dict[str, Callable[[Any], Hashable]]] = {
    "N": _number,
    "B": _binary,
    "NS": lambda content: frozenset(map(_number, content)),
    "BS": lambda content: frozenset(map(_binary, content)),
    "SS": frozenset,
    "L": _list,
    "M": _map,
}
