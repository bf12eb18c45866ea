"""Reads the key attributes of items in wire form, and nothing else of them."""

from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Raw, Struct


class _KeyValue(Struct, frozen=True, omit_defaults=True):
    """A key attribute: a string, a number (as a string), or binary (in base64)."""

    S: str | None = None
    N: str | None = None
    B: str | None = None


_Key = tuple[_KeyValue, ...]


class KeyReader:
    """Reads the keys of one table's items: `names` are its key attributes, one or two."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._decode = _struct_decoder(names) or _mapping_decoder(names)

    def wire_key(self, item: Raw) -> bytes:
        """The key in wire form: `{"pk": {"S": "…"}, …}` without the spaces.

        :raises msgspec.MsgspecError: the item lacks a key attribute, or is not JSON
        """
        return msgspec.json.encode(dict(zip(self._names, self._read(item), strict=True)))

    def identity(self, item: Raw) -> Hashable:
        """A value that is equal for items of the same key, however the key is written.

        :raises msgspec.MsgspecError: the item lacks a key attribute, or is not JSON
        """
        return tuple(_identity(value) for value in self._read(item))

    def _read(self, item: Raw) -> _Key:
        try:
            return self._decode(item)
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(f"the item is not UTF-8: {error}") from error


def _struct_decoder(names: Sequence[str]) -> Callable[[Raw], _Key] | None:
    """The fast way: 0.9 µs an item; None for names that have to be escaped in JSON."""
    fields = [f"key_{index}" for index in range(len(names))]
    try:
        key = msgspec.defstruct(
            "Key",
            [(field, _KeyValue) for field in fields],
            rename=dict(zip(fields, names, strict=True)),
            frozen=True,
        )
    except ValueError:
        return None
    decode = msgspec.json.Decoder(key).decode
    return lambda item: msgspec.structs.astuple(decode(item))


def _mapping_decoder(names: Sequence[str]) -> Callable[[Raw], _Key]:
    """The way for any name."""
    decode_item = msgspec.json.Decoder(dict[str, Raw]).decode
    decode_value = msgspec.json.Decoder(_KeyValue).decode

    def decode(item: Raw) -> _Key:
        attributes = decode_item(item)
        missing = [name for name in names if name not in attributes]
        if missing:
            raise msgspec.ValidationError(f"the item lacks the key attribute {missing[0]!r}")
        return tuple(decode_value(attributes[name]) for name in names)

    return decode


def _identity(value: _KeyValue) -> Hashable:
    if value.N is None:
        return value
    try:
        return Decimal(value.N)
    except InvalidOperation:
        return value
