"""What is read of requests: as little as the answer needs."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from benchmarks.simulator.admission import SizedKey
from benchmarks.simulator.item_size import item_bytes
from benchmarks.simulator.places import place_of
from benchmarks.simulator.refusals import invalid

BATCH_MAX_ITEMS = 25  # [M:BatchWriteItem]
ITEM_MAX_BYTES = 400 * 1024  # [DG:Constraints]

WireKey = dict[str, dict[str, str]]


class ScanRequest(Struct, frozen=True):
    """A Scan; what is not here is passed over."""

    TableName: str
    Segment: int = 0
    TotalSegments: int = 1
    Limit: int | None = None
    ExclusiveStartKey: WireKey | None = None
    ConsistentRead: bool = False
    ReturnConsumedCapacity: str = "NONE"


class _Put(Struct, frozen=True):
    Item: Raw


class _WriteRequest(Struct, frozen=True):
    PutRequest: _Put | None = None


class BatchWriteRequest(Struct, frozen=True):
    """A BatchWriteItem, its items as the bytes that came."""

    RequestItems: dict[str, list[_WriteRequest]]
    ReturnConsumedCapacity: str = "NONE"

    def puts(self) -> tuple[str, list[Raw]]:
        """The one table that is written, and the items.

        :raises RefusedError: the service, or the simulator, does not take this
        """
        if len(self.RequestItems) != 1:
            raise invalid("the simulator takes one table in a batch")
        ((table, requests),) = self.RequestItems.items()
        if not 1 <= len(requests) <= BATCH_MAX_ITEMS:
            raise invalid(f"a batch has 1 to {BATCH_MAX_ITEMS} requests, not {len(requests)}")
        items = [request.PutRequest.Item for request in requests if request.PutRequest is not None]
        if len(items) != len(requests):
            raise invalid("the simulator takes puts only")
        return table, items


class DescribeTableRequest(Struct, frozen=True):
    """A DescribeTable."""

    TableName: str


decode_scan = msgspec.json.Decoder(ScanRequest).decode
decode_batch_write = msgspec.json.Decoder(BatchWriteRequest).decode
decode_describe_table = msgspec.json.Decoder(DescribeTableRequest).decode
_decode_item = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def sized_keys(items: list[Raw], partition_key: str, sort_key: str | None) -> list[SizedKey]:
    """What the model needs of the items of one batch.

    :raises RefusedError: an item has no key or is too large, or two have the same
    """
    keys: set[tuple[str, str | None]] = set()
    sized: list[SizedKey] = []
    for item in items:
        decoded = _decode_item(item)
        try:
            partition = decoded[partition_key]["S"]
            keys.add((partition, None if sort_key is None else decoded[sort_key]["S"]))
        except KeyError:
            raise invalid("One of the required keys was not given a value") from None
        size_bytes = item_bytes(decoded)
        if size_bytes > ITEM_MAX_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        sized.append(SizedKey(place_of(partition), size_bytes))
    if len(keys) != len(items):
        raise invalid("Provided list of item keys contains duplicates")
    return sized
