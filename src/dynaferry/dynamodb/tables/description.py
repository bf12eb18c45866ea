"""A table as the service describes it: the records, and how they are read off a DescribeTable.

Only what a copy needs is kept. Emulators leave out much of what the service says, so that
everything which is not a table's very being may be missing from a response. Pure.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from dynaferry.shared.arn import arn_region

AttributeType = Literal["S", "N", "B"]
KeyRole = Literal["HASH", "RANGE"]
IndexKind = Literal["GSI", "LSI"]
ProjectionType = Literal["ALL", "KEYS_ONLY", "INCLUDE"]
BillingMode = Literal["PROVISIONED", "PAY_PER_REQUEST"]

STANDARD_CLASS = "STANDARD"
# Its tables write attributes of their own into each item; see `items.replication_attributes`.
LEGACY_GLOBAL_TABLES = "2017.11.29"


class KeyAttribute(Struct, frozen=True):
    """One attribute of a key, in the place it has there."""

    name: str
    type: AttributeType
    role: KeyRole


class Throughput(Struct, frozen=True):
    """Capacity units a second, provisioned or warm."""

    read_units: int
    write_units: int


class OnDemandLimits(Struct, frozen=True):
    """The most units a second that an on-demand table or index may use; None is no limit."""

    read_units: int | None
    write_units: int | None


class IndexDescription(Struct, frozen=True, kw_only=True):
    """One secondary index. A local one has no capacity of its own: it uses the table's."""

    name: str
    kind: IndexKind
    keys: tuple[KeyAttribute, ...]
    projection: ProjectionType
    non_key_attributes: tuple[str, ...] = ()
    status: str = "ACTIVE"
    provisioned: Throughput | None = None
    on_demand_limits: OnDemandLimits | None = None
    warm: Throughput | None = None
    warm_status: str = "ACTIVE"


class Replica(Struct, frozen=True, kw_only=True):
    """Another replica of a global table. `warm` is None where the service does not say."""

    region: str
    status: str = "ACTIVE"
    warm: Throughput | None = None


class TableDescription(Struct, frozen=True, kw_only=True):
    """One table, as it was when it was described.

    `item_count` and `size_bytes` are up to six hours old [M:TableDescription]. `table_id` is None
    where an emulator gives none. `provisioned` is None for an on-demand table, `warm` where the
    service does not say. `replicas` are a global table's other replicas; where it
    `replicates_at_once`, a write is in another Region before it is answered.
    `global_table_version` is left out for one of the first version; see `tables.replication`.
    `stream_arn` is that of the stream that is on, and `last_stream_arn` that of the newest one, on
    or off. `endpoint` is where the calls for this table go. `takes_arns` is False where an emulator
    there knows tables by their names only.
    """

    name: str
    arn: str
    table_id: str | None
    created_at: datetime | None
    status: str
    keys: tuple[KeyAttribute, ...]
    endpoint: str
    item_count: int = 0
    size_bytes: int = 0
    billing_mode: BillingMode = "PAY_PER_REQUEST"
    provisioned: Throughput | None = None
    on_demand_limits: OnDemandLimits | None = None
    warm: Throughput | None = None
    warm_status: str = "ACTIVE"
    indexes: tuple[IndexDescription, ...] = ()
    stream_view_type: str | None = None
    stream_arn: str | None = None
    last_stream_arn: str | None = None
    table_class: str = STANDARD_CLASS
    kms_key_arn: str | None = None
    deletion_protection: bool = False
    replicas: tuple[Replica, ...] = ()
    global_table_version: str | None = None
    replicates_at_once: bool = False
    takes_arns: bool = True

    @property
    def called(self) -> str:
        """What every call names it by: its ARN. A name means another table to another caller."""
        return self.arn if self.takes_arns else self.name

    @property
    def is_legacy_global(self) -> bool:
        """Whether it is a global table that writes attributes of its own into each item."""
        return self.global_table_version == LEGACY_GLOBAL_TABLES

    @property
    def other_regions(self) -> tuple[str, ...]:
        """Where the other replicas of a global table are."""
        return tuple(replica.region for replica in self.replicas)

    @property
    def late_regions(self) -> tuple[str, ...]:
        """Where what is written comes to this table a little later, by replication."""
        if self.replicates_at_once:
            return ()
        return self.other_regions or (("other Regions",) if self.is_legacy_global else ())

    @property
    def stream_enabled_at(self) -> float | None:
        """When its stream was enabled, in seconds since the epoch: the ARN ends in that moment;
        None where it does not.
        """
        try:
            moment = datetime.fromisoformat((self.stream_arn or "").rpartition("/")[2])
        except ValueError:
            return None
        return moment.replace(tzinfo=UTC).timestamp()

    @property
    def is_warmed_up(self) -> bool:
        """Whether no warm throughput that was asked for is still on its way."""
        return {self.warm_status, *(index.warm_status for index in self.indexes)} == {"ACTIVE"}

    @property
    def gsis(self) -> tuple[IndexDescription, ...]:
        """The global secondary indexes."""
        return tuple(index for index in self.indexes if index.kind == "GSI")

    @property
    def lsis(self) -> tuple[IndexDescription, ...]:
        """The local secondary indexes."""
        return tuple(index for index in self.indexes if index.kind == "LSI")


def read_description(
    table: Mapping[str, Any], *, endpoint: str, takes_arns: bool = True
) -> TableDescription:
    """The record of a DescribeTable response's `Table`.

    The billing mode is left out for a table that has never been on-demand
    [M:BillingModeSummary]; an on-demand one says 0 provisioned units. So does, or says nothing of
    them, a stand-in that counts none: no table has less than one unit, so it is on-demand too.
    """
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    billing_mode = _read_billing_mode(table)
    stream = table.get("StreamSpecification") or {}
    return TableDescription(
        name=table["TableName"],
        arn=table["TableArn"],
        table_id=table.get("TableId"),
        created_at=table.get("CreationDateTime"),
        status=table["TableStatus"],
        keys=_read_keys(table["KeySchema"], types),
        endpoint=endpoint,
        item_count=table.get("ItemCount", 0),
        size_bytes=table.get("TableSizeBytes", 0),
        billing_mode=billing_mode,
        provisioned=_read_provisioned(table, billing_mode),
        on_demand_limits=_read_on_demand_limits(table),
        warm=_read_warm(table),
        warm_status=_read_warm_status(table),
        indexes=_read_indexes(table, types, billing_mode),
        stream_view_type=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        stream_arn=table.get("LatestStreamArn") if stream.get("StreamEnabled") else None,
        last_stream_arn=table.get("LatestStreamArn"),
        table_class=table.get("TableClassSummary", {}).get("TableClass", STANDARD_CLASS),
        kms_key_arn=table.get("SSEDescription", {}).get("KMSMasterKeyArn"),
        deletion_protection=table.get("DeletionProtectionEnabled", False),
        replicas=read_replicas(table.get("Replicas") or (), table["TableArn"]),
        takes_arns=takes_arns,
        global_table_version=table.get("GlobalTableVersion"),
        replicates_at_once=table.get("MultiRegionConsistency") == "STRONG",
    )


def read_replicas(described: Iterable[Mapping[str, Any]], arn: str) -> tuple[Replica, ...]:
    """The records of a global table's replicas, but for the one with this ARN's region."""
    return tuple(
        Replica(
            region=replica["RegionName"],
            status=replica.get("ReplicaStatus", "ACTIVE"),
            warm=_read_warm(replica),
        )
        for replica in described
        if replica["RegionName"] != arn_region(arn)
    )


def _read_billing_mode(table: Mapping[str, Any]) -> BillingMode:
    summary = table.get("BillingModeSummary") or {}
    if summary.get("BillingMode", "PROVISIONED") == "PROVISIONED" and _read_units(table):
        return "PROVISIONED"
    return "PAY_PER_REQUEST"


def _read_keys(
    schema: Iterable[Mapping[str, Any]], types: Mapping[str, AttributeType]
) -> tuple[KeyAttribute, ...]:
    return tuple(
        KeyAttribute(key["AttributeName"], types[key["AttributeName"]], key["KeyType"])
        for key in schema
    )


def _read_indexes(
    table: Mapping[str, Any], types: Mapping[str, AttributeType], billing_mode: BillingMode
) -> tuple[IndexDescription, ...]:
    kinds: tuple[tuple[IndexKind, str], ...] = (
        ("GSI", "GlobalSecondaryIndexes"),
        ("LSI", "LocalSecondaryIndexes"),
    )
    return tuple(
        IndexDescription(
            name=index["IndexName"],
            kind=kind,
            keys=_read_keys(index["KeySchema"], types),
            projection=index["Projection"]["ProjectionType"],
            non_key_attributes=tuple(index["Projection"].get("NonKeyAttributes", ())),
            status=index.get("IndexStatus", "ACTIVE"),
            provisioned=_read_provisioned(index, billing_mode) if kind == "GSI" else None,
            on_demand_limits=_read_on_demand_limits(index),
            warm=_read_warm(index),
            warm_status=_read_warm_status(index),
        )
        for kind, field in kinds
        for index in table.get(field) or ()
    )


def _read_provisioned(described: Mapping[str, Any], billing_mode: BillingMode) -> Throughput | None:
    return None if billing_mode == "PAY_PER_REQUEST" else _read_units(described)


def _read_units(described: Mapping[str, Any]) -> Throughput | None:
    units = described.get("ProvisionedThroughput") or {}
    read, write = units.get("ReadCapacityUnits") or 0, units.get("WriteCapacityUnits") or 0
    return Throughput(read, write) if read > 0 and write > 0 else None


def _read_on_demand_limits(described: Mapping[str, Any]) -> OnDemandLimits | None:
    """The limits; the service writes -1 for a limit that was taken away [M:OnDemandThroughput]."""
    limits = described.get("OnDemandThroughput") or {}
    read, write = limits.get("MaxReadRequestUnits", -1), limits.get("MaxWriteRequestUnits", -1)
    if read <= 0 and write <= 0:
        return None
    return OnDemandLimits(read if read > 0 else None, write if write > 0 else None)


def _read_warm_status(described: Mapping[str, Any]) -> str:
    status: str = (described.get("WarmThroughput") or {}).get("Status", "ACTIVE")
    return status


def _read_warm(described: Mapping[str, Any]) -> Throughput | None:
    warm = described.get("WarmThroughput") or {}
    if "WriteUnitsPerSecond" not in warm or "ReadUnitsPerSecond" not in warm:
        return None
    return Throughput(warm["ReadUnitsPerSecond"], warm["WriteUnitsPerSecond"])
