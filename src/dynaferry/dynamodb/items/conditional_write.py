"""Puts and deletes of single items, each only if what is there still is what was seen.

A condition sees only what it names (`conditions`), so every write also asks for what it replaced.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.conditions import Condition, absent, unchanged
from dynaferry.dynamodb.items.responses import ResponseReader, SingleWriteResponse
from dynaferry.ports import Replaced


class _ReplacingResponse(SingleWriteResponse, frozen=True):
    Attributes: Raw = Raw()


class _Write(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a PutItem and a DeleteItem have in common."""

    TableName: str
    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: dict[str, Raw] | None = None
    # Without a default, since what has its default is left out. What was replaced, or stands in the
    # way, costs no read units [M:PutItem].
    ReturnConsumedCapacity: str
    ReturnValues: str
    ReturnValuesOnConditionCheckFailure: str


class _ConditionalPut(_Write, frozen=True, omit_defaults=True, kw_only=True):
    Item: Raw


class _ConditionalDelete(_Write, frozen=True, omit_defaults=True, kw_only=True):
    Key: Raw


_decode = msgspec.json.Decoder(_ReplacingResponse).decode


class ConditionalWriter:
    """The single writes to one table. An `ItemMender`. `keys` are its key attributes' names."""

    def __init__(self, client: DynamoClient, *, table: str, keys: Sequence[str]) -> None:
        self._client = client
        self._table = table
        self._keys = tuple(keys)

    async def put_if_unchanged(self, item: bytes, seen: bytes | None) -> Replaced:
        """Puts the item; see `ItemMender`."""
        condition = absent(self._keys[0]) if seen is None else unchanged(seen, item, self._keys)
        # In its own bytes (invariant 3).
        request = _ConditionalPut(Item=Raw(item), **self._common(condition))
        return await self._write("PutItem", msgspec.json.encode(request))

    async def delete_if_unchanged(self, key: bytes, seen: bytes) -> Replaced:
        """Deletes the item; see `ItemMender`."""
        condition = unchanged(seen, None, self._keys)
        request = _ConditionalDelete(Key=Raw(key), **self._common(condition))
        return await self._write("DeleteItem", msgspec.json.encode(request))

    def _common(self, condition: Condition) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "ReturnConsumedCapacity": "TOTAL",
            "ReturnValues": "ALL_OLD",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **msgspec.structs.asdict(condition),
        }

    async def _write(self, operation: str, body: bytes) -> Replaced:
        reader = ResponseReader(operation, "target", self._table)
        written = reader.read_write(_decode, await self._client.send(operation, body))
        return Replaced(
            # Copied, so that the response does not stay in memory.
            item=bytes(written.Attributes) or None,
            consumed_units=written.consumed_units,
        )
