import math
from datetime import UTC, datetime
from typing import Any

import pytest

from dynaferry.dynamodb.tables.description import (
    KeyAttribute,
    OnDemandLimits,
    Replica,
    TableDescription,
    Throughput,
    read_description,
)
from dynaferry.preflight.estimate import polite_read_units
from tests.worlds.described import described_on_the_wire


def read(**fields: Any) -> TableDescription:
    return read_description(described_on_the_wire(**fields)["Table"], endpoint="http://there")


def test_a_table_with_everything_is_read_whole() -> None:
    table = read(
        TableId="an-id",
        CreationDateTime=datetime(2026, 1, 2, tzinfo=UTC),
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": type_}
            for name, type_ in (("pk", "S"), ("sk", "N"), ("email", "B"), ("date", "S"))
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        ItemCount=12,
        TableSizeBytes=3456,
        ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 20},
        WarmThroughput={"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_email",
                "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["city"]},
                "IndexStatus": "CREATING",
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
            }
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by_date",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "date", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        LatestStreamArn="the-stream",
        TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        SSEDescription={"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "the-key"},
        DeletionProtectionEnabled=True,
        Replicas=[
            {
                "RegionName": "eu-west-1",
                "ReplicaStatus": "CREATING",
                "WarmThroughput": {"ReadUnitsPerSecond": 3, "WriteUnitsPerSecond": 4},
            },
            {"RegionName": "us-east-1"},
        ],
        GlobalTableVersion="2019.11.21",
        MultiRegionConsistency="STRONG",
    )
    assert (table.table_id, table.created_at) == ("an-id", datetime(2026, 1, 2, tzinfo=UTC))
    assert table.keys == (KeyAttribute("pk", "S", "HASH"), KeyAttribute("sk", "N", "RANGE"))
    assert (table.item_count, table.size_bytes) == (12, 3456)
    assert (table.billing_mode, table.provisioned) == ("PROVISIONED", Throughput(10, 20))
    assert table.warm == Throughput(12000, 4000)
    (gsi,), (lsi,) = table.gsis, table.lsis
    assert (gsi.projection, gsi.non_key_attributes) == ("INCLUDE", ("city",))
    assert (gsi.status, gsi.provisioned) == ("CREATING", Throughput(1, 2))
    assert gsi.keys == (KeyAttribute("email", "B", "HASH"),)
    assert (lsi.status, lsi.provisioned, lsi.projection) == ("ACTIVE", None, "KEYS_ONLY")
    assert table.stream_view_type == "NEW_IMAGE"
    assert table.table_class == "STANDARD_INFREQUENT_ACCESS"
    assert (table.kms_key_arn, table.deletion_protection) == ("the-key", True)
    assert table.replicas == (
        Replica(region="eu-west-1", status="CREATING", warm=Throughput(3, 4)),
    )
    assert table.other_regions == ("eu-west-1",)
    assert (table.is_legacy_global, table.replicates_at_once) == (False, True)
    assert table.endpoint == "http://there"


def test_a_table_without_a_billing_mode_was_always_provisioned() -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}
    table = read(ProvisionedThroughput=units)
    assert (table.billing_mode, table.provisioned) == ("PROVISIONED", Throughput(1, 2))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"BillingModeSummary": None, "ProvisionedThroughput": None},
        {"BillingModeSummary": {"BillingMode": "PROVISIONED"}},
        {"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}},
        {"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 5}},
    ],
)
def test_a_table_that_names_no_units_is_not_taken_to_have_none(fields: dict[str, Any]) -> None:
    table = read(**fields)
    assert (table.billing_mode, table.provisioned) == ("PAY_PER_REQUEST", None)
    assert polite_read_units(table) == math.inf


def test_the_zero_units_of_an_on_demand_table_are_no_provisioned_units() -> None:
    table = read(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        ProvisionedThroughput={"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    )
    assert table.provisioned is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (None, None),
        ({"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}, None),
        ({"MaxReadRequestUnits": 100}, OnDemandLimits(100, None)),
        ({"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 7}, OnDemandLimits(None, 7)),
    ],
)
def test_an_on_demand_limit_of_minus_one_is_no_limit(
    limits: dict[str, int] | None, expected: OnDemandLimits | None
) -> None:
    assert read(OnDemandThroughput=limits).on_demand_limits == expected


def test_a_stream_that_is_off_is_no_stream_even_where_an_old_one_is_named() -> None:
    table = read(StreamSpecification={"StreamEnabled": False}, LatestStreamArn="an-old-one")
    assert table.stream_view_type is None


def test_what_an_emulator_leaves_out_is_not_there() -> None:
    table = read(GlobalSecondaryIndexes=None, WarmThroughput=None)
    assert (table.table_id, table.created_at, table.warm) == (None, None, None)
    assert (table.indexes, table.replicas, table.item_count) == ((), (), 0)
