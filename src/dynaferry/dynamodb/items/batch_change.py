"""Puts and deletes <-> the requests of a BatchWriteItem."""

from collections.abc import Hashable, Sequence

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.ports import Change, Delete


class _ItemOfRequest(Struct, frozen=True):
    Item: Raw


class _KeyOfRequest(Struct, frozen=True):
    Key: Raw


class ChangeRequest(Struct, frozen=True):
    """One request of a batch, as a response names it; unknown fields are passed over."""

    PutRequest: _ItemOfRequest | None = None
    DeleteRequest: _KeyOfRequest | None = None

    @property
    def change(self) -> Change | None:
        """What it asks for; None where that is neither a put nor a delete, or both."""
        put, delete = self.PutRequest, self.DeleteRequest
        if put is not None and delete is None:
            return put.Item
        return Delete(delete.Key) if delete is not None and put is None else None


def requests_of(changes: Sequence[Change]) -> bytes:
    """The requests in wire form, with commas between them."""
    return b",".join(map(_request_of, changes))


def key_of(change: Change, keys: KeyReader) -> bytes:
    """The key attributes in wire form.

    An item in which they cannot be read stands for itself: that it is refused is no surprise.
    """
    if isinstance(change, Delete):
        return bytes(change.key)
    try:
        return keys.wire_key(change)
    except msgspec.MsgspecError:
        return bytes(change)


def identity_of(change: Change | None, keys: KeyReader) -> Hashable:
    """The key with the kind of the change, its bytes where no key can be read; None of none."""
    if change is None:
        return None
    if isinstance(change, Delete):
        return Delete, identity_of(change.key, keys)
    try:
        return keys.identity(change)
    except msgspec.MsgspecError:
        return bytes(change)


def _request_of(change: Change) -> bytes:
    if isinstance(change, Delete):
        return b'{"DeleteRequest":{"Key":%b}}' % change.key
    return b'{"PutRequest":{"Item":%b}}' % change
