"""One form for all the ways in which an item can be written. Pure.

Attributes, entries of maps and elements of sets are put in order, numbers are written by their
value, binary by its bytes; what this version does not know is put in order and otherwise left as it
is. Two items are equal if and only if their canonical forms are, to the byte.

Nearly every item takes the fast way: decoded by types and encoded again in order, without a line of
Python for its attributes. It gives the canonical form unless a number is written in an unusual
notation (the service writes `1000` and `0.5`, never `1E3` or `.50`), which one search finds; so
does a set of numbers, since its elements may be. Those, and whatever is not of a known type, go
the slow way, attribute by attribute, to the same form.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64Error
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

DIGEST_BYTES: Final = 16

# An exponent beyond any number of the service's (38 digits, 1E-130 to 9.9E+125) [DG:Constraints].
_MOST_PLACES: Final = 400


class _Value(Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """An attribute value of a known type. The fields are in the order of their names."""

    B: bytes | UnsetType = UNSET
    BOOL: bool | UnsetType = UNSET
    BS: frozenset[bytes] | UnsetType = UNSET
    L: "list[_Value] | UnsetType" = UNSET
    M: "dict[str, _Value] | UnsetType" = UNSET
    N: str | UnsetType = UNSET
    NULL: bool | UnsetType = UNSET
    S: str | UnsetType = UNSET
    SS: frozenset[str] | UnsetType = UNSET


_decode_known = msgspec.json.Decoder(dict[str, _Value]).decode
_decode_any = msgspec.json.Decoder().decode
_decode_attributes = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder(order="deterministic").encode

# Inside a JSON string a quote is escaped, so this is found where a number stands, and only there.
_find_unusual_number = re.compile(
    rb'N"\s*:\s*"(?!(?:0|-?[1-9][0-9]*+|-?(?:0|[1-9][0-9]*+)\.[0-9]*[1-9])")'
).search
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def canonical(item: bytes | Raw) -> bytes:
    """The canonical form of an item, or of a key, in wire form.

    What is not JSON has only one form: the bytes as they are.
    """
    if _find_unusual_number(item) is None:
        try:
            return _encode(_decode_known(item))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
    try:
        return _encode(_in_order("M", _decode_any(item)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"\x00" + bytes(item)


def digest_of(item: bytes | Raw) -> bytes:
    """16 bytes that are equal for equal items, and for no others."""
    return blake2b(canonical(item), digest_size=DIGEST_BYTES).digest()


def _in_order(type_name: str, content: Any) -> Any:
    """The content of a value of this type, so that encoding it in order is canonical."""
    match type_name, content:
        case "N", str():
            return _number(content)
        case "B", str():
            return _binary(content)
        case "L", list():
            return [_value(element) for element in content]
        case "M", dict():
            return {name: _value(value) for name, value in content.items()}
        case "NS" | "BS" | "SS", list() if all(isinstance(one, str) for one in content):
            return _set(type_name[0], content)
        case _:
            return content


def _set(type_name: str, elements: list[str]) -> frozenset[str] | frozenset[bytes]:
    read = [_in_order(type_name, element) for element in elements]
    # Text and bytes have no order among each other: one element that is no base64 makes all text.
    is_mixed = any(isinstance(element, str) for element in read)
    return frozenset(elements if is_mixed and type_name == "B" else read)


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {type_name: _in_order(type_name, content) for type_name, content in value.items()}


def _binary(text: str) -> bytes | str:
    try:
        return b64decode(text, validate=True)
    except NotBase64Error:
        return text


def _number(text: str) -> str:
    """The number as the service would write it, exactly, whatever its precision."""
    if _NUMBER.fullmatch(text) is None:
        return text
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # an exponent of more than 18 digits
        return text
    if not isinstance(exponent, int) or abs(exponent) > _MOST_PLACES:
        return text
    whole = "".join(map(str, digits)).lstrip("0")
    if not whole:
        return "0"
    stripped = whole.rstrip("0")
    return ("-" if sign else "") + _plain(stripped, exponent + len(whole) - len(stripped))


def _plain(digits: str, exponent: int) -> str:
    """Digits that begin and end with none of zero, times ten to the exponent."""
    if exponent >= 0:
        return digits + "0" * exponent
    if len(digits) > -exponent:
        return f"{digits[:exponent]}.{digits[exponent:]}"
    return "0." + "0" * (-exponent - len(digits)) + digits


def differing_attributes(one: bytes, other: bytes) -> tuple[str, ...]:
    """The names of the attributes in which two items differ, in order."""
    try:
        left, right = _attributes(one), _attributes(other)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    names = left.keys() | right.keys()
    return tuple(sorted(name for name in names if left.get(name) != right.get(name)))


def _attributes(item: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in _decode_attributes(canonical(item)).items()}
