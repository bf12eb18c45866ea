"""Keys -> FoundItems, read consistently."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb.capacity import Consumed, total
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.responses import ResponseReader
from dynaferry.ports import FoundItems


class _Unprocessed(Struct, frozen=True):
    Keys: list[Raw]


class _BatchGetResponse(Struct, frozen=True):
    """What is read of a BatchGetItem's response; unknown fields are passed over."""

    # No defaults: a response without them is not a response, and must not count as "nothing there".
    Responses: dict[str, list[Raw]]
    UnprocessedKeys: dict[str, _Unprocessed]
    ConsumedCapacity: list[Consumed] | None = None


_decode = msgspec.json.Decoder(_BatchGetResponse).decode


class BatchGetLookup:
    """The items of one table by their keys. A `KeyLookup`."""

    def __init__(self, client: DynamoClient, *, table: str, side: str) -> None:
        self._client = client
        self._reader = ResponseReader("BatchGetItem", side, table)
        self._before_keys = (
            b'{"ReturnConsumedCapacity":"TOTAL","RequestItems":{%b:{"ConsistentRead":true,"Keys":['
            % msgspec.json.encode(table)
        )

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        """Asks for the items; see `KeyLookup`."""
        body = b"".join((self._before_keys, b",".join(keys), b"]}}}"))
        found = self._reader.read(_decode, await self._client.send("BatchGetItem", body))
        # The service names the table as it was asked for, by its name or its ARN: it is the one.
        items = [item for items in found.Responses.values() for item in items]
        unprocessed = [bytes(k) for rest in found.UnprocessedKeys.values() for k in rest.Keys]
        if len(items) + len(unprocessed) > len(keys):
            raise self._reader.impossible(f"{len(keys)} keys were asked for, and more came")
        units = found.ConsumedCapacity
        return FoundItems(
            items=items,
            unprocessed=unprocessed,
            consumed_units=None if units is None else total(units),
        )
