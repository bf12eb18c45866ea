"""A table as DescribeTable gives it. Pure."""

from typing import Any

from benchmarks.simulator import global_table
from benchmarks.simulator.record import Offer
from benchmarks.simulator.settings import Capacity, Index, Provisioned, Table
from benchmarks.simulator.table_streams import TableStreams

CREATED_AT = 1.7e9  # seconds since the epoch; any moment in the past


def description(
    settings: Table,
    *,
    arn: str,
    table_id: str,
    offer: Offer,
    size_bytes: int,
    streams: TableStreams | None = None,
) -> dict[str, Any]:
    """The `Table` of the answer. Items written since the start are not counted yet: the service
    brings ItemCount and TableSizeBytes up to date every six hours [M:TableDescription].
    """
    names = [settings.partition_key]
    if settings.sort_key is not None:
        names.append(settings.sort_key)
    attributes = names + [_index_key(index) for index in settings.indexes]
    described = {
        "TableName": settings.name,
        "TableArn": arn,
        "TableId": table_id,
        "TableStatus": "ACTIVE",
        "CreationDateTime": CREATED_AT,
        "KeySchema": _key_schema(names),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in attributes
        ],
        "ItemCount": settings.items,
        "TableSizeBytes": size_bytes,
        **_capacity(settings.capacity, offer.read_units, offer.write_units),
    }
    if settings.indexes:
        described["GlobalSecondaryIndexes"] = [
            _index(index, arn, offer.indexes[index.name]) for index in settings.indexes
        ]
    if settings.global_table is not None:
        described |= global_table.described(settings.global_table)
    return described | ({} if streams is None else _stream(streams))


def _stream(streams: TableStreams) -> dict[str, Any]:
    """The latest stream is named though it be disabled [M:TableDescription]."""
    described: dict[str, Any] = {}
    if streams.latest is not None:
        described = {
            "LatestStreamArn": streams.latest.arn,
            "LatestStreamLabel": streams.latest.label,
        }
    if streams.current is not None:
        described["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": streams.current.view,
        }
    return described


def _index(index: Index, table_arn: str, write_units: float) -> dict[str, Any]:
    capacity = _capacity(index.capacity, index.capacity.read_units, write_units)
    capacity.pop("BillingModeSummary")
    return {
        "IndexName": index.name,
        "IndexArn": f"{table_arn}/index/{index.name}",
        "IndexStatus": "ACTIVE",
        "KeySchema": _key_schema([_index_key(index)]),
        "Projection": {"ProjectionType": "ALL" if index.entry_bytes is None else "KEYS_ONLY"},
        **capacity,
    }


def _index_key(index: Index) -> str:
    return f"{index.name}-key"


def _key_schema(names: list[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": role}
        for name, role in zip(names, ("HASH", "RANGE"), strict=False)
    ]


def _capacity(capacity: Capacity, read_units: float, write_units: float) -> dict[str, Any]:
    if isinstance(capacity, Provisioned):
        return {
            "BillingModeSummary": {"BillingMode": "PROVISIONED"},
            "ProvisionedThroughput": {
                "ReadCapacityUnits": int(read_units),
                "WriteCapacityUnits": int(write_units),
            },
        }
    return {
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "WarmThroughput": {
            "ReadUnitsPerSecond": int(read_units),
            "WriteUnitsPerSecond": int(write_units),
            "Status": "ACTIVE",
        },
    }
