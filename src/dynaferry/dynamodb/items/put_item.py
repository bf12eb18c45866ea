"""One item -> PutResult.

For the few items that are written by themselves. Other than a batch, a single put can be told to
leave alone what is there already, and the response then says what that is.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.dynamodb.items.replication_attributes import bytes_without_them
from dynaferry.dynamodb.items.responses import ResponseReader, SingleWriteResponse
from dynaferry.errors import ConditionFailedError
from dynaferry.ports import PutResult

_decode = msgspec.json.Decoder(SingleWriteResponse).decode

# ALL_OLD gives what stands in the way, at no read units [M:PutItem].
_IF_ABSENT: Final = (
    b',"ConditionExpression":"attribute_not_exists(#key)","ExpressionAttributeNames":{"#key":%b},'
    b'"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}'
)


class PutItemTarget:
    """Puts single items into one table. An `ItemTarget`.

    With `leave_out` what a global table of version 2017.11.29 writes by itself makes no difference.
    """

    def __init__(
        self, client: DynamoClient, *, table: str, partition_key: str, leave_out: bool = False
    ) -> None:
        self._client = client
        self._leave_out = leave_out
        self._reader = ResponseReader("PutItem", "target", table)
        self._before_item = (
            b'{"ReturnConsumedCapacity":"TOTAL","TableName":%b,"Item":' % msgspec.json.encode(table)
        )
        self._if_absent = _IF_ABSENT % msgspec.json.encode(partition_key)

    async def put_item(self, item: Raw, *, overwrite: bool) -> PutResult:
        """Puts the item; see `ItemTarget`."""
        end = b"}" if overwrite else self._if_absent
        try:
            response = await self._client.send("PutItem", b"".join((self._before_item, item, end)))
        except ConditionFailedError as error:
            return PutResult(present="same" if self._is_same(error.item, item) else "other")
        put = self._reader.read_write(_decode, response)
        return PutResult(present=None, consumed_units=put.consumed_units)

    def _is_same(self, present: bytes | None, item: Raw) -> bool:
        if present is None:
            return False
        compared = bytes_without_them(Raw(present)) if self._leave_out else present
        return canonical(compared) == canonical(item)

    def units_of(self, items: Sequence[Raw]) -> float:
        """What putting the items is likely to consume; see `ItemTarget`."""
        return capacity.write_units(items)
