"""Puts and deletes of single items, each only if what is there still is what was seen."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb.conditions import Condition, absent, unchanged
from dynaferry.dynamodb.wire import Wire
from dynaferry.errors import CorruptAnswerError


class _Capacity(Struct, frozen=True):
    CapacityUnits: float = 0.0


class _WriteAnswer(Struct, frozen=True):
    """What is read of the answer; unknown fields are passed over."""

    ConsumedCapacity: _Capacity | None = None


class _Put(Struct, frozen=True, omit_defaults=True):
    TableName: str
    Item: Raw
    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ReturnConsumedCapacity: str
    # So that a write which took effect unanswered, and is tried again, can be told [M:PutItem].
    ReturnValuesOnConditionCheckFailure: str
    ExpressionAttributeValues: dict[str, Raw] | None = None


class _Delete(Struct, frozen=True, omit_defaults=True):
    TableName: str
    Key: Raw
    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ReturnConsumedCapacity: str
    ReturnValuesOnConditionCheckFailure: str
    ExpressionAttributeValues: dict[str, Raw] | None = None


_decode = msgspec.json.Decoder(_WriteAnswer).decode


class TableMender:
    """The single writes to one table. An `ItemMender`. `keys` are its key attributes' names."""

    def __init__(self, wire: Wire, *, table: str, keys: Sequence[str]) -> None:
        self._wire = wire
        self._table = table
        self._keys = tuple(keys)

    async def put_if_unchanged(self, item: bytes, seen: bytes | None) -> float | None:
        """Puts the item; see `ItemMender`."""
        condition = absent(self._keys[0]) if seen is None else unchanged(seen, item, self._keys)
        request = _Put(
            self._table,
            Raw(item),  # in its own bytes (invariant 3)
            condition.ConditionExpression,
            condition.ExpressionAttributeNames,
            "TOTAL",
            "ALL_OLD",
            condition.ExpressionAttributeValues,
        )
        return await self._write("PutItem", msgspec.json.encode(request))

    async def delete_if_unchanged(self, key: bytes, seen: bytes) -> float | None:
        """Deletes the item; see `ItemMender`."""
        condition: Condition = unchanged(seen, None, self._keys)
        request = _Delete(
            self._table,
            Raw(key),
            condition.ConditionExpression,
            condition.ExpressionAttributeNames,
            "TOTAL",
            "ALL_OLD",
            condition.ExpressionAttributeValues,
        )
        return await self._write("DeleteItem", msgspec.json.encode(request))

    async def _write(self, operation: str, body: bytes) -> float | None:
        answer = await self._wire.call(operation, body)
        try:
            units = _decode(answer).ConsumedCapacity
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorruptAnswerError(
                f"{operation} on the target table {self._table} "
                f"gave an answer that is not one: {error}",
                operation=operation,
                table=self._table,
            ) from error
        return None if units is None else units.CapacityUnits
