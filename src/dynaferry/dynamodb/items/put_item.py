"""One item -> PutResult.

For the few items that are written by themselves. Other than a batch, a single put can be told to
leave alone what is there already, and the answer then says what that is.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.capacity import Consumed
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.answers import UNREADABLE, Answers
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import ConditionFailedError
from dynaferry.ports import PutResult


class _PutAnswer(Struct, frozen=True):
    """What is read of a PutItem's answer; unknown fields are passed over."""

    ConsumedCapacity: Consumed | None = None
    # Whoever answers with an error, or with words of its own, has written nothing.
    error: Raw = msgspec.field(name="__type", default=Raw())
    message: Raw = Raw()
    capital_message: Raw = msgspec.field(name="Message", default=Raw())


_decode = msgspec.json.Decoder(_PutAnswer).decode

# ALL_OLD gives what stands in the way, at no read units [M:PutItem].
_IF_ABSENT: Final = (
    b',"ConditionExpression":"attribute_not_exists(#key)","ExpressionAttributeNames":{"#key":%b},'
    b'"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}'
)


class PutItemTarget:
    """Puts single items into one table. An `ItemTarget`."""

    def __init__(self, client: DynamoClient, *, table: str, partition_key: str) -> None:
        self._client = client
        self._answers = Answers("PutItem", "target", table)
        self._before_item = (
            b'{"ReturnConsumedCapacity":"TOTAL","TableName":%b,"Item":' % msgspec.json.encode(table)
        )
        self._if_absent = _IF_ABSENT % msgspec.json.encode(partition_key)

    async def put_item(self, item: Raw, *, overwrite: bool) -> PutResult:
        """Puts the item; see `ItemTarget`."""
        end = b"}" if overwrite else self._if_absent
        try:
            answer = await self._client.send("PutItem", b"".join((self._before_item, item, end)))
        except ConditionFailedError as error:
            same = error.item is not None and canonical(error.item) == canonical(item)
            return PutResult(present="same" if same else "other")
        return PutResult(present=None, consumed_units=self._units(answer))

    def units_of(self, items: Sequence[Raw]) -> float:
        """What putting the items is likely to consume; see `ItemTarget`."""
        return capacity.write_units(items)

    def _units(self, answer: bytes) -> float | None:
        try:
            put = _decode(answer)
        except UNREADABLE as error:
            raise self._answers.unreadable(error) from error
        if put.error or put.message or put.capital_message:
            raise self._answers.impossible("it tells of an error")
        return None if put.ConsumedCapacity is None else put.ConsumedCapacity.CapacityUnits
