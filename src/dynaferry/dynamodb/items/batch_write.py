"""Batch -> WriteResult."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.capacity import Consumed, total
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.batch_change import ChangeRequest, identity_of, key_of, requests_of
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.responses import ResponseReader
from dynaferry.ports import BatchExchange, Change, WriteResult


class _BatchWriteResponse(Struct, frozen=True):
    """What is read of a BatchWriteItem's response; unknown fields are passed over."""

    # No default: a response without it is not a response, and must not count as "all written".
    UnprocessedItems: dict[str, list[ChangeRequest]]
    ConsumedCapacity: list[Consumed] | None = None


_decode = msgspec.json.Decoder(_BatchWriteResponse).decode

_BEFORE_ITEM = b'{"PutRequest":{"Item":'
_BETWEEN_ITEMS = b"}}," + _BEFORE_ITEM
_AFTER_ITEMS = b"}}]}}"


class BatchWriteTarget:
    """The batches of one table. A `BatchTarget`."""

    def __init__(self, client: DynamoClient, *, table: str, keys: KeyReader) -> None:
        self._client = client
        self._table = table
        self._keys = keys
        self._reader = ResponseReader("BatchWriteItem", "target", table)
        self._before_requests = (
            b'{"ReturnConsumedCapacity":"TOTAL","RequestItems":{%b:[' % msgspec.json.encode(table)
        )
        self._before_items = self._before_requests + _BEFORE_ITEM
        self._last_response: bytes | None = None
        self._last_result = WriteResult(())

    async def write_batch(self, changes: Sequence[Change]) -> WriteResult:
        """Writes one batch; see `BatchTarget`."""
        response = await self._client.send("BatchWriteItem", self._body(changes))
        return self._result(changes, response)

    async def write_batches(self, batches: BatchExchange) -> None:
        """Writes batches one after the other; see `BatchTarget`."""
        changes = next(batches)
        async with self._client.series("BatchWriteItem") as series:
            while True:
                result = self._result(changes, await series.send(self._body(changes)))
                try:
                    changes = batches.send(result)
                except StopIteration:
                    return

    def _body(self, changes: Sequence[Change]) -> bytes:
        try:
            # A copy only puts: its items are joined at once, and looked at one by one nowhere.
            items = _BETWEEN_ITEMS.join(changes)  # type: ignore[arg-type]  # raises at a delete
        except TypeError:
            return b"%b%b]}}" % (self._before_requests, requests_of(changes))
        return b"".join((self._before_items, items, _AFTER_ITEMS))

    def _result(self, changes: Sequence[Change], response: bytes) -> WriteResult:
        # Small items cost one unit each, so nearly all their batches have the same response.
        if response == self._last_response:
            return self._last_result
        result = self._decoded(changes, response)
        if not result.unprocessed:  # else it is a result of these very changes
            self._last_response, self._last_result = response, result
        return result

    def _decoded(self, changes: Sequence[Change], response: bytes) -> WriteResult:
        written = self._reader.read(_decode, response)
        return WriteResult(
            self._remainder(changes, written) if written.UnprocessedItems else (),
            _consumed(written.ConsumedCapacity),
        )

    def units_of(self, changes: Sequence[Change]) -> float:
        """What the changes are likely to consume, a delete as one of an item as long as its key;
        see `BatchTarget`.
        """
        return capacity.write_units(changes)

    def key_of(self, change: Change) -> bytes:
        """The key attributes; see `BatchTarget`."""
        return key_of(change, self._keys)

    def _remainder(self, changes: Sequence[Change], response: _BatchWriteResponse) -> list[Change]:
        """The sent changes that the response names, in their own bytes, not the service's."""
        named = [request.change for rs in response.UnprocessedItems.values() for request in rs]
        sent = {identity_of(change, self._keys): change for change in changes}
        try:
            return [sent.pop(identity_of(change, self._keys)) for change in named]
        except KeyError as error:
            # Whatever this means, nothing may be counted as written: the whole batch goes again.
            raise self._reader.impossible(
                "it names an unprocessed item that was not sent, or one more than once"
            ) from error


def _consumed(units: list[Consumed] | None) -> float | None:
    if units is None:
        return None
    # As a rule of one table: with every batch, a sum would cost more than what it adds up.
    return units[0].CapacityUnits if len(units) == 1 else total(units)
