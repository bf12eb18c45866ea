"""One item -> PutResult.

For the few items that are written by themselves. Other than a batch, a single put can be told to
leave alone what is there already, and the answer then says what that is.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.same_item import is_same_item
from dynaferry.dynamodb.wire import Wire
from dynaferry.errors import ConditionFailedError, CorruptAnswerError
from dynaferry.ports import PutResult


class _Capacity(Struct, frozen=True):
    CapacityUnits: float = 0.0


class _PutAnswer(Struct, frozen=True):
    """What is read of a PutItem's answer; unknown fields are passed over."""

    ConsumedCapacity: _Capacity | None = None


_decode = msgspec.json.Decoder(_PutAnswer).decode

# ALL_OLD gives what stands in the way, at no read units [M:PutItem].
_IF_ABSENT: Final = (
    b',"ConditionExpression":"attribute_not_exists(#key)","ExpressionAttributeNames":{"#key":%b},'
    b'"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}'
)


class ItemPutter:
    """Puts single items into one table. An `ItemTarget`."""

    def __init__(self, wire: Wire, *, table: str, partition_key: str) -> None:
        self._wire = wire
        self._table = table
        self._before_item = (
            b'{"ReturnConsumedCapacity":"TOTAL","TableName":%b,"Item":' % msgspec.json.encode(table)
        )
        self._if_absent = _IF_ABSENT % msgspec.json.encode(partition_key)

    async def put_item(self, item: Raw, *, overwrite: bool) -> PutResult:
        """Puts the item; see `ItemTarget`."""
        end = b"}" if overwrite else self._if_absent
        try:
            answer = await self._wire.call("PutItem", b"".join((self._before_item, item, end)))
        except ConditionFailedError as error:
            same = error.item is not None and is_same_item(Raw(error.item), item)
            return PutResult(present="same" if same else "other")
        return PutResult(present=None, consumed_units=self._units(answer))

    def units_of(self, items: Sequence[Raw]) -> float:
        """What putting the items is likely to consume; see `ItemTarget`."""
        return capacity.write_units(items)

    def _units(self, answer: bytes) -> float | None:
        try:
            capacity = _decode(answer).ConsumedCapacity
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorruptAnswerError(
                f"PutItem on the target table {self._table} "
                f"gave an answer that is not one: {error}",
                operation="PutItem",
                table=self._table,
            ) from error
        return None if capacity is None else capacity.CapacityUnits
