"""Batch -> WriteResult."""

from collections.abc import Hashable, Sequence

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.capacity import Consumed, total
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.answers import UNREADABLE, Answers
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.ports import BatchExchange, WriteResult


class _Put(Struct, frozen=True):
    Item: Raw


class _Request(Struct, frozen=True):
    PutRequest: _Put


class _BatchAnswer(Struct, frozen=True):
    """What is read of a BatchWriteItem's answer; unknown fields are passed over."""

    # No default: an answer without it is not an answer, and must not count as "all written".
    UnprocessedItems: dict[str, list[_Request]]
    ConsumedCapacity: list[Consumed] | None = None


_decode = msgspec.json.Decoder(_BatchAnswer).decode

_BETWEEN_ITEMS = b'}},{"PutRequest":{"Item":'
_AFTER_ITEMS = b"}}]}}"


class BatchWriteTarget:
    """The batches of one table. A `BatchTarget`."""

    def __init__(self, client: DynamoClient, *, table: str, keys: KeyReader) -> None:
        self._client = client
        self._table = table
        self._keys = keys
        self._answers = Answers("BatchWriteItem", "target", table)
        self._before_items = (
            b'{"ReturnConsumedCapacity":"TOTAL","RequestItems":{%b:[{"PutRequest":{"Item":'
            % msgspec.json.encode(table)
        )
        self._answer_before: bytes | None = None
        self._result_before = WriteResult(())

    async def write_batch(self, items: Sequence[Raw]) -> WriteResult:
        """Puts one batch; see `BatchTarget`."""
        return self._result(items, await self._client.send("BatchWriteItem", self._body(items)))

    async def write_batches(self, batches: BatchExchange) -> None:
        """Puts batches one after the other; see `BatchTarget`."""
        items = next(batches)
        async with self._client.series("BatchWriteItem") as series:
            while True:
                result = self._result(items, await series.send(self._body(items)))
                try:
                    items = batches.send(result)
                except StopIteration:
                    return

    def _body(self, items: Sequence[Raw]) -> bytes:
        return b"".join((self._before_items, _BETWEEN_ITEMS.join(items), _AFTER_ITEMS))

    def _result(self, items: Sequence[Raw], answer: bytes) -> WriteResult:
        # Small items cost one unit each, so nearly every batch of them is answered alike.
        if answer == self._answer_before:
            return self._result_before
        result = self._decoded(items, answer)
        if not result.unprocessed:  # else it is a result of these very items
            self._answer_before, self._result_before = answer, result
        return result

    def _decoded(self, items: Sequence[Raw], answer: bytes) -> WriteResult:
        try:
            written = _decode(answer)
        except UNREADABLE as error:
            raise self._answers.unreadable(error) from error
        return WriteResult(
            self._remainder(items, written) if written.UnprocessedItems else (),
            _consumed(written.ConsumedCapacity),
        )

    def units_of(self, items: Sequence[Raw]) -> float:
        """What putting the items is likely to consume; see `BatchTarget`."""
        return capacity.write_units(items)

    def key_of(self, item: Raw) -> bytes:
        """The item's key attributes; see `BatchTarget`.

        An item in which they cannot be read stands for itself: that it is refused is no surprise.
        """
        try:
            return self._keys.wire_key(item)
        except msgspec.MsgspecError:
            return bytes(item)

    def _remainder(self, items: Sequence[Raw], answer: _BatchAnswer) -> list[Raw]:
        """The sent items that the answer names, in their own bytes, not the service's."""
        named = [r.PutRequest.Item for rs in answer.UnprocessedItems.values() for r in rs]
        sent = {self._identity(item): item for item in items}
        try:
            return [sent.pop(self._identity(item)) for item in named]
        except KeyError as error:
            # Whatever this means, nothing may be counted as written: the whole batch goes again.
            raise self._answers.impossible(
                "it names an unprocessed item that was not sent, or one more than once"
            ) from error

    def _identity(self, item: Raw) -> Hashable:
        """The item's key, or its bytes where no key can be read."""
        try:
            return self._keys.identity(item)
        except msgspec.MsgspecError:
            return bytes(item)


def _consumed(units: list[Consumed] | None) -> float | None:
    if units is None:
        return None
    # As a rule of one table: with every batch, a sum would cost more than what it adds up.
    return units[0].CapacityUnits if len(units) == 1 else total(units)
