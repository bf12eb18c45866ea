from typing import Any

import pytest

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.tables.create import create_table_like, create_table_request, until_active
from dynaferry.dynamodb.tables.describe import Tag, describe_table, read_tags
from dynaferry.dynamodb.tables.description import (
    IndexDescription,
    KeyAttribute,
    OnDemandLimits,
    Throughput,
)
from dynaferry.errors import AccessDeniedError, NotReadyError, RequestRefusedError
from tests.worlds.described import (
    BY_DATE,
    BY_EMAIL,
    PK,
    SK,
    described,
    described_on_the_wire,
    refusal,
    scripted,
)
from tests.worlds.moto import MotoWorld


def test_the_plainest_table_asks_for_its_key_and_its_billing_mode_only() -> None:
    assert create_table_request(described(), name="copy") == {
        "TableName": "copy",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": False,
    }


def test_keys_keep_their_order_and_their_types() -> None:
    request = create_table_request(described(keys=(PK, SK)), name="copy")
    assert request["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert request["AttributeDefinitions"] == [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
    ]


def test_indexes_are_made_with_their_keys_and_projections() -> None:
    include = IndexDescription(
        name="by_city",
        kind="GSI",
        keys=(KeyAttribute("city", "S", "HASH"), KeyAttribute("email", "S", "RANGE")),
        projection="INCLUDE",
        non_key_attributes=("name",),
    )
    request = create_table_request(
        described(keys=(PK, SK), indexes=(BY_EMAIL, include, BY_DATE)), name="copy"
    )
    assert request["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by_email",
            "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        },
        {
            "IndexName": "by_city",
            "KeySchema": [
                {"AttributeName": "city", "KeyType": "HASH"},
                {"AttributeName": "email", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"]},
        },
    ]
    assert request["LocalSecondaryIndexes"] == [
        {
            "IndexName": "by_date",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "date", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]


def test_each_key_attribute_is_defined_once_however_many_keys_use_it() -> None:
    request = create_table_request(
        described(keys=(PK, SK), indexes=(BY_EMAIL, BY_DATE)), name="copy"
    )
    names = [attribute["AttributeName"] for attribute in request["AttributeDefinitions"]]
    assert names == ["pk", "sk", "email", "date"]


def test_provisioned_capacity_is_taken_over_for_the_table_and_its_global_indexes() -> None:
    index = IndexDescription(
        name="by_email",
        kind="GSI",
        keys=BY_EMAIL.keys,
        projection="ALL",
        provisioned=Throughput(3, 4),
    )
    request = create_table_request(
        described(billing_mode="PROVISIONED", provisioned=Throughput(1, 2), indexes=(index,)),
        name="copy",
    )
    assert request["BillingMode"] == "PROVISIONED"
    assert request["ProvisionedThroughput"] == {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}
    assert request["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 3,
        "WriteCapacityUnits": 4,
    }


def test_on_demand_limits_are_taken_over_for_the_table_and_its_global_indexes() -> None:
    index = IndexDescription(
        name="by_email",
        kind="GSI",
        keys=BY_EMAIL.keys,
        projection="ALL",
        on_demand_limits=OnDemandLimits(None, 50),
    )
    request = create_table_request(
        described(on_demand_limits=OnDemandLimits(100, 200), indexes=(index,)), name="copy"
    )
    assert "ProvisionedThroughput" not in request
    assert request["OnDemandThroughput"] == {
        "MaxReadRequestUnits": 100,
        "MaxWriteRequestUnits": 200,
    }
    assert request["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] == {
        "MaxWriteRequestUnits": 50
    }


def test_class_stream_tags_and_protection_are_taken_over() -> None:
    request = create_table_request(
        described(
            table_class="STANDARD_INFREQUENT_ACCESS",
            stream_view_type="KEYS_ONLY",
            deletion_protection=True,
        ),
        name="copy",
        tags=(Tag("team", "a"),),
    )
    assert request["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert request["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    assert request["Tags"] == [{"Key": "team", "Value": "a"}]
    assert request["DeletionProtectionEnabled"] is True


def test_neither_the_sources_encryption_key_nor_its_warmth_is_taken_over() -> None:
    request = create_table_request(
        described(kms_key_arn="a-key", warm=Throughput(50_000, 50_000)), name="copy"
    )
    assert "SSESpecification" not in request
    assert "WarmThroughput" not in request


async def test_a_created_table_is_like_its_source_in_another_account(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table(
        "orders",
        (("pk", "S"), ("sk", "N")),
        indexes={"by_email": (("email", "S"),)},
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "a"}],
    )
    async with (
        open_account(moto_world.source, "source") as source,
        open_account(
            moto_world.target, "target", sts_endpoint_url=moto_world.sts_endpoint_url
        ) as target,
    ):
        original = await describe_table(source, "orders")
        tags = await read_tags(source, original)
        assert tags == (Tag("team", "a"),)
        created = await create_table_like(target, original, tags, "orders-copy")
        assert await read_tags(target, created) == tags
    assert created.arn == "arn:aws:dynamodb:us-east-1:222222222222:table/orders-copy"
    assert created.keys == original.keys
    assert created.indexes == original.indexes
    assert created.stream_view_type == "NEW_IMAGE"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def creating(**fields: Any) -> dict[str, Any]:
    return described_on_the_wire(TableStatus="CREATING", **fields)


async def test_creation_waits_for_the_table_and_for_all_its_indexes() -> None:
    index = {
        "IndexName": "by_pk",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    session = scripted(
        "target",
        create_table=[{}],
        describe_table=[
            refusal("ResourceNotFoundException", "DescribeTable"),
            creating(),
            described_on_the_wire(GlobalSecondaryIndexes=[index | {"IndexStatus": "CREATING"}]),
            described_on_the_wire(GlobalSecondaryIndexes=[index | {"IndexStatus": "ACTIVE"}]),
        ],
    )
    clock = Clock()
    created = await create_table_like(
        session, described(), (), "orders", clock=lambda: clock.now, sleep=clock.sleep
    )
    assert created.indexes[0].status == "ACTIVE"
    assert len(session.client.requests_of("describe_table")) == 4


@pytest.mark.parametrize(
    ("takes_arns", "called"),
    [(True, "arn:aws:dynamodb:us-east-1:123456789012:table/copy"), (None, "copy"), (False, "copy")],
)
async def test_what_was_made_is_asked_about_by_its_arn_where_arns_are_taken(
    takes_arns: bool | None, called: str
) -> None:
    there = described_on_the_wire("copy")
    session = scripted(
        "target", create_table=[{"TableDescription": there["Table"]}], describe_table=[there]
    )
    session.takes_arns = takes_arns
    await create_table_like(session, described(), (), "copy")
    assert session.client.requests_of("describe_table")[0] == {"TableName": called}


async def test_creation_that_does_not_end_is_given_up_with_a_hint() -> None:
    session = scripted("target", create_table=[{}], describe_table=[creating()])
    clock = Clock()
    with pytest.raises(NotReadyError) as caught:
        await create_table_like(
            session,
            described(),
            (),
            "orders",
            patience_seconds=60,
            clock=lambda: clock.now,
            sleep=clock.sleep,
        )
    assert caught.value.message == (
        "the target table orders was created in us-east-1, but is not ACTIVE after 60 s"
    )
    assert "run the same command again" in (caught.value.hint or "")
    assert clock.now == 60


async def test_a_role_that_may_not_create_tables_is_refused_with_the_action_that_it_lacks() -> None:
    session = scripted("target", create_table=[refusal("AccessDeniedException", "CreateTable")])
    with pytest.raises(AccessDeniedError) as caught:
        await create_table_like(session, described(), (), "orders")
    assert "dynamodb:CreateTable" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("LimitExceededException", "CreateTable", "Subscriber limit exceeded"),
        refusal("ThrottlingException", "CreateTable"),
        refusal("InternalServerError", "CreateTable"),
    ],
    ids=["too-many-at-a-time", "throttled", "broken"],
)
async def test_who_may_not_create_now_waits_until_it_may(trouble: Exception) -> None:
    session = scripted(
        "target",
        create_table=[trouble, trouble, trouble, {}],
        describe_table=[described_on_the_wire()],
    )
    clock, said = Clock(), list[str]()
    created = await create_table_like(
        session, described(), (), "orders", say=said.append, clock=clock.read, sleep=clock.sleep
    )
    assert created.status == "ACTIVE"
    assert len(session.client.requests_of("create_table")) == 4
    assert len(said) == 1
    assert "orders: asking again until the service allows it" in said[0]


async def test_who_may_not_create_for_long_gives_up_for_now() -> None:
    trouble = refusal("LimitExceededException", "CreateTable", "Subscriber limit exceeded")
    session = scripted("target", create_table=[trouble])
    clock = Clock()
    with pytest.raises(NotReadyError, match="Subscriber limit exceeded") as caught:
        await create_table_like(
            session,
            described(),
            (),
            "orders",
            patience_seconds=60,
            clock=clock.read,
            sleep=clock.sleep,
        )
    assert "run the same command again" in (caught.value.hint or "")
    assert clock.now == 60


async def test_a_table_that_is_there_already_is_waited_for() -> None:
    session = scripted(
        "target",
        create_table=[refusal("ResourceInUseException", "CreateTable")],
        describe_table=[creating(), creating(), described_on_the_wire()],
    )
    clock = Clock()
    created = await create_table_like(
        session, described(), (), "orders", clock=clock.read, sleep=clock.sleep
    )
    assert created.status == "ACTIVE"


async def test_a_request_that_the_service_will_not_take_is_not_repeated() -> None:
    session = scripted(
        "target",
        create_table=[refusal("ValidationException", "CreateTable")],
        describe_table=[refusal("ResourceNotFoundException", "DescribeTable")],
    )
    with pytest.raises(RequestRefusedError):
        await create_table_like(session, described(), (), "orders")
    assert len(session.client.requests_of("create_table")) == 1


async def test_trouble_while_it_is_waited_for_passes() -> None:
    session = scripted(
        "target",
        describe_table=[
            refusal("ThrottlingException", "DescribeTable"),
            refusal("ResourceNotFoundException", "DescribeTable"),
            creating(),
            refusal("InternalServerError", "DescribeTable"),
            described_on_the_wire(),
        ],
    )
    clock, said = Clock(), list[str]()
    active = await until_active(
        session, "orders", say=said.append, clock=clock.read, sleep=clock.sleep
    )
    assert active.status == "ACTIVE"
    assert said == ["orders: waiting until it is ACTIVE with its indexes; Ctrl-C is safe"]
