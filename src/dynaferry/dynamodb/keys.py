"""Reads the key attributes of items in wire form, and nothing else of them."""

from collections.abc import Hashable, Sequence
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Raw, Struct


class _KeyValue(Struct, frozen=True, omit_defaults=True):
    """A key attribute: a string, a number (as a string), or binary (in base64)."""

    S: str | None = None
    N: str | None = None
    B: str | None = None


class KeyReader:
    """Reads the keys of one table's items: `names` are its key attributes, one or two."""

    def __init__(self, names: Sequence[str]) -> None:
        fields = [f"key_{index}" for index in range(len(names))]
        key = msgspec.defstruct(
            "Key",
            [(field, _KeyValue) for field in fields],
            rename=dict(zip(fields, names, strict=True)),
            frozen=True,
        )
        self._fields = fields
        self._decode = msgspec.json.Decoder(key).decode

    def wire_key(self, item: Raw) -> bytes:
        """The key in wire form: `{"pk": {"S": "…"}, …}` without the spaces.

        :raises msgspec.MsgspecError: the item lacks a key attribute
        """
        return msgspec.json.encode(self._decode(item))

    def identity(self, item: Raw) -> Hashable:
        """A value that is equal for items of the same key, however the key is written.

        :raises msgspec.MsgspecError: the item lacks a key attribute
        """
        key = self._decode(item)
        return tuple(_identity(getattr(key, field)) for field in self._fields)


def _identity(value: _KeyValue) -> Hashable:
    if value.N is None:
        return value
    try:
        return Decimal(value.N)
    except InvalidOperation:
        return value
