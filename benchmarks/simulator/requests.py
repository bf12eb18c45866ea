"""What is read of requests: as little as the answer needs."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from benchmarks.simulator.item_size import item_bytes
from benchmarks.simulator.places import place_of
from benchmarks.simulator.refusals import RefusedError, invalid
from benchmarks.simulator.settings import Table
from benchmarks.simulator.stored_items import Key

BATCH_MAX_ITEMS = 25  # [M:BatchWriteItem]
BATCH_MAX_KEYS = 100  # [M:BatchGetItem]
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


class KeysRequest(Struct, frozen=True):
    """The keys of one table in a BatchGetItem."""

    Keys: list[Raw]
    ConsistentRead: bool = False


class BatchGetRequest(Struct, frozen=True):
    """A BatchGetItem."""

    RequestItems: dict[str, KeysRequest]
    ReturnConsumedCapacity: str = "NONE"

    def of_one_table(self) -> tuple[str, KeysRequest]:
        """The one table that is read, and the keys.

        :raises RefusedError: the service, or the simulator, does not take this
        """
        if len(self.RequestItems) != 1:
            raise invalid("the simulator takes one table in a batch")
        ((table, request),) = self.RequestItems.items()
        if not 1 <= len(request.Keys) <= BATCH_MAX_KEYS:
            raise invalid(f"a batch has 1 to {BATCH_MAX_KEYS} keys, not {len(request.Keys)}")
        return table, request


class PutOfBatch(Struct, frozen=True):
    """A put in a batch."""

    Item: Raw


class DeleteOfBatch(Struct, frozen=True):
    """A delete in a batch."""

    Key: Raw


class WriteRequest(Struct, frozen=True, omit_defaults=True):
    """One request of a batch, its item or key as the bytes that came."""

    PutRequest: PutOfBatch | None = None
    DeleteRequest: DeleteOfBatch | None = None


class BatchWriteRequest(Struct, frozen=True):
    """A BatchWriteItem."""

    RequestItems: dict[str, list[WriteRequest]]
    ReturnConsumedCapacity: str = "NONE"

    def of_one_table(self) -> tuple[str, list[WriteRequest]]:
        """The one table that is written, and the requests.

        :raises RefusedError: the service, or the simulator, does not take this
        """
        if len(self.RequestItems) != 1:
            raise invalid("the simulator takes one table in a batch")
        ((table, requests),) = self.RequestItems.items()
        if not 1 <= len(requests) <= BATCH_MAX_ITEMS:
            raise invalid(f"a batch has 1 to {BATCH_MAX_ITEMS} requests, not {len(requests)}")
        return table, requests

    def puts(self) -> tuple[str, list[Raw]]:
        """The one table that is written, and the items, for a stand-in that only a copy writes to.

        :raises RefusedError: the service, or the stand-in, does not take this
        """
        table, requests = self.of_one_table()
        items = [request.PutRequest.Item for request in requests if request.PutRequest is not None]
        if len(items) != len(requests):
            raise invalid("the simulator takes puts only")
        return table, items


class SingleWriteRequest(Struct, frozen=True, kw_only=True):
    """A PutItem, with an item, or a DeleteItem, with a key."""

    TableName: str
    Item: Raw = Raw()
    Key: Raw = Raw()
    ConditionExpression: str | None = None
    ExpressionAttributeNames: dict[str, str] = {}
    ExpressionAttributeValues: dict[str, dict[str, Any]] = {}
    ReturnValues: str = "NONE"
    ReturnValuesOnConditionCheckFailure: str = "NONE"
    ReturnConsumedCapacity: str = "NONE"


class StreamWish(Struct, frozen=True):
    """Whether a table has a stream, and what its records show."""

    StreamEnabled: bool
    StreamViewType: str | None = None


class TableRequest(Struct, frozen=True):
    """A DescribeTable, or an UpdateTable of the stream."""

    TableName: str
    StreamSpecification: StreamWish | None = None


class KeyPart(Struct, frozen=True):
    """One attribute of a key."""

    AttributeName: str
    KeyType: str


class Units(Struct, frozen=True):
    """Provisioned capacity."""

    ReadCapacityUnits: int
    WriteCapacityUnits: int


class NewTableRequest(Struct, frozen=True, kw_only=True):
    """A CreateTable; what is not here is passed over."""

    TableName: str
    KeySchema: list[KeyPart]
    ProvisionedThroughput: Units | None = None
    StreamSpecification: StreamWish | None = None

    def key(self, role: str) -> str | None:
        """The name of the attribute with this role in the key."""
        return next((part.AttributeName for part in self.KeySchema if part.KeyType == role), None)


class GlobalTableRequest(Struct, frozen=True):
    """What is read of a DescribeGlobalTable."""

    GlobalTableName: str


class ItemChange(Struct, frozen=True, gc=False):
    """A put of `body`, or a delete where that is None. `size_bytes` is of the item or the key."""

    key: Key
    size_bytes: int
    body: Raw | None


decode_scan = msgspec.json.Decoder(ScanRequest).decode
decode_batch_write = msgspec.json.Decoder(BatchWriteRequest).decode
decode_batch_get = msgspec.json.Decoder(BatchGetRequest).decode
decode_single_write = msgspec.json.Decoder(SingleWriteRequest).decode
decode_new_table = msgspec.json.Decoder(NewTableRequest).decode
decode_global_table_request = msgspec.json.Decoder(GlobalTableRequest).decode
decode_table_request = msgspec.json.Decoder(TableRequest).decode
decode_item = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


class RefusedItemError(RefusedError):
    """An item that does not suit the table."""


def changes_of(requests: list[WriteRequest], table: Table) -> list[ItemChange]:
    """What the requests of one batch ask for.

    :raises RefusedError: an item has no key or is too large, or two have the same
    """
    changes = [_change_of(request, table) for request in requests]
    if len({change.key for change in changes}) != len(changes):
        raise invalid("Provided list of item keys contains duplicates")
    return changes


def _change_of(request: WriteRequest, table: Table) -> ItemChange:
    put, delete = request.PutRequest, request.DeleteRequest
    if delete is None and put is not None:
        return put_of(put.Item, table)
    if put is None and delete is not None:
        return delete_of(delete.Key, table)
    raise invalid("a request of a batch is a put or a delete")


def put_of(item: Raw, table: Table) -> ItemChange:
    """The put of an item.

    :raises RefusedError: the item has no key, is too large or does not suit the table
    """
    decoded = decode_item(item)
    key = key_of(decoded, table)
    size_bytes = item_bytes(decoded)
    if size_bytes > ITEM_MAX_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    if table.refused_attribute is not None and table.refused_attribute in decoded:
        words = f"Type mismatch for Index Key {table.refused_attribute}"
        refused = invalid(f"One or more parameter values were invalid: {words}").refusal
        raise RefusedItemError(refused)
    return ItemChange(key, size_bytes, item)


def delete_of(key: Raw, table: Table) -> ItemChange:
    """The delete of what is under a key.

    :raises RefusedError: it is not a key of this table
    """
    decoded = whole_key(key, table)
    return ItemChange(key_of(decoded, table), item_bytes(decoded), None)


def whole_key(key: Raw, table: Table) -> Mapping[str, Mapping[str, Any]]:
    """The attributes of a key, which are those of the table's key and no more.

    :raises RefusedError: they are not
    """
    decoded = decode_item(key)
    names = {table.partition_key, *(() if table.sort_key is None else (table.sort_key,))}
    if decoded.keys() != names:
        raise invalid("The provided key element does not match the schema")
    return decoded


def key_of(item: Mapping[str, Mapping[str, Any]], table: Table) -> Key:
    """The key of an item, or of what came in place of one.

    :raises RefusedError: it has none
    """
    try:
        partition: str = item[table.partition_key]["S"]
        sort: str = "" if table.sort_key is None else item[table.sort_key]["S"]
    except KeyError:
        raise invalid("One of the required keys was not given a value") from None
    return place_of(table.hash_salt + partition), partition, sort


def wire_key(key: Key, table: Table) -> WireKey:
    """The key in wire form."""
    _, partition, sort = key
    wire = {table.partition_key: {"S": partition}}
    if table.sort_key is not None:
        wire[table.sort_key] = {"S": sort}
    return wire
