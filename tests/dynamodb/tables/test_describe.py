from typing import Any

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.tables import describe as tables
from dynaferry.dynamodb.tables.describe import (
    NotKnown,
    SideSettings,
    Tag,
    describe_side_settings,
    describe_table,
    has_items,
    read_tags,
)
from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    TableNotFoundError,
    UnavailableError,
)
from dynaferry.plan.settings import Account
from tests.worlds.described import ENDPOINT, described, described_on_the_wire, refusal, scripted
from tests.worlds.endpoint import Answer, running_endpoint
from tests.worlds.moto import MotoWorld


class HangingClient:
    """A control plane that never answers."""

    def __getattr__(self, method: str) -> Any:
        async def call(**_: Any) -> Any:
            await anyio.sleep_forever()

        return call


async def test_a_table_is_described_by_its_name_and_by_its_arn(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table(
        "orders", (("pk", "S"), ("sk", "N")), indexes={"by_email": (("email", "S"),)}
    )
    async with open_account(moto_world.source, "source") as session:
        by_name = await describe_table(session, "orders")
        by_arn = await describe_table(session, by_name.arn)
    assert by_name == by_arn
    assert by_name.arn == "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    assert [(key.name, key.type, key.role) for key in by_name.keys] == [
        ("pk", "S", "HASH"),
        ("sk", "N", "RANGE"),
    ]
    assert [index.name for index in by_name.gsis] == ["by_email"]
    assert by_name.endpoint.rstrip("/") == moto_world.url


async def test_a_table_that_is_not_there_is_a_table_not_found(moto_world: MotoWorld) -> None:
    async with open_account(moto_world.source, "source") as session:
        with pytest.raises(TableNotFoundError, match="orders"):
            await describe_table(session, "orders")


async def test_a_refused_describe_names_the_operation_the_table_and_the_role() -> None:
    session = scripted(describe_table=[refusal("AccessDeniedException", "DescribeTable")])
    with pytest.raises(AccessDeniedError) as caught:
        await describe_table(session, "orders")
    assert "DescribeTable on the source table orders" in caught.value.message
    assert "role/reader" in caught.value.message
    assert "dynamodb:DescribeTable" in (caught.value.hint or "")


async def test_a_table_has_items_once_it_has_one(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders")
    async with open_account(moto_world.source, "source") as session:
        assert not await has_items(session, "orders")
        await moto_world.source_tables.put_items("orders", [{"pk": {"S": "a"}}])
        assert await has_items(session, "orders")


async def test_emptiness_takes_one_consistent_scan_of_one_item() -> None:
    session = scripted(scan=[{"Items": []}])
    assert not await has_items(session, "orders")
    assert session.client.calls == [
        ("scan", {"TableName": "orders", "Limit": 1, "ConsistentRead": True})
    ]


async def test_an_empty_page_with_more_behind_it_counts_as_not_empty() -> None:
    session = scripted(scan=[{"Items": [], "LastEvaluatedKey": {"pk": {"S": "a"}}}])
    assert await has_items(session, "orders")


async def test_time_to_live_and_recovery_are_read(moto_world: MotoWorld) -> None:
    tables = moto_world.source_tables
    await tables.create_table("orders")
    async with open_account(moto_world.source, "source") as session:
        assert await describe_side_settings(session, "orders") == SideSettings(
            ttl_attribute=None, point_in_time_recovery=False
        )
        await tables.call(
            "UpdateTimeToLive",
            {
                "TableName": "orders",
                "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires"},
            },
        )
        await tables.call(
            "UpdateContinuousBackups",
            {
                "TableName": "orders",
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            },
        )
        assert await describe_side_settings(session, "orders") == SideSettings(
            ttl_attribute="expires", point_in_time_recovery=True
        )


async def test_settings_that_may_not_be_read_or_are_not_offered_are_not_known() -> None:
    session = scripted(
        describe_time_to_live=[refusal("AccessDeniedException", "DescribeTimeToLive")],
        describe_continuous_backups=[
            refusal("UnknownOperationException", "DescribeContinuousBackups")
        ],
        list_tags_of_resource=[refusal("AccessDeniedException", "ListTagsOfResource")],
    )
    settings = await describe_side_settings(session, "orders")
    assert str(settings.ttl_attribute) == (
        "not known (no permission for dynamodb:DescribeTimeToLive)"
    )
    assert settings.point_in_time_recovery == NotKnown(
        "the endpoint refuses DescribeContinuousBackups"
    )
    assert await read_tags(session, described()) == NotKnown(
        "no permission for dynamodb:ListTagsOfResource"
    )


async def test_tags_are_read_page_by_page_without_the_services_own() -> None:
    session = scripted(
        list_tags_of_resource=[
            {"Tags": [{"Key": "team", "Value": "a"}], "NextToken": "more"},
            {"Tags": [{"Key": "aws:stack", "Value": "b"}, {"Key": "tier", "Value": "c"}]},
        ]
    )
    assert await read_tags(session, described()) == (Tag("team", "a"), Tag("tier", "c"))
    assert [p.get("NextToken") for p in session.client.requests_of("list_tags_of_resource")] == [
        None,
        "more",
    ]


ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"


async def test_a_table_is_called_by_its_arn_wherever_dynamodb_is() -> None:
    session = scripted(describe_table=[described_on_the_wire()])
    assert (await describe_table(session, "orders")).called == ARN
    assert session.client.requests_of("describe_table") == [{"TableName": "orders"}]


@pytest.mark.parametrize(
    "answer",
    [
        refusal("ValidationException", "DescribeTable"),
        refusal("ResourceNotFoundException", "DescribeTable"),
        described_on_the_wire(TableArn="arn:of:something:else"),
    ],
)
async def test_an_emulator_that_takes_no_arns_is_asked_once_and_called_by_names(
    answer: Any,
) -> None:
    table = described_on_the_wire()
    session = scripted(describe_table=[table, answer, table])
    session.takes_arns = None
    for _ in range(3):
        assert (await describe_table(session, "orders")).called == "orders"
    asked = [request["TableName"] for request in session.client.requests_of("describe_table")]
    assert asked == ["orders", ARN, "orders", "orders"]


async def test_an_emulator_that_takes_arns_is_asked_once_and_called_by_them() -> None:
    session = scripted(describe_table=[described_on_the_wire()])
    session.takes_arns = None
    for _ in range(2):
        assert (await describe_table(session, "orders")).called == ARN
    asked = [request["TableName"] for request in session.client.requests_of("describe_table")]
    assert asked == ["orders", ARN, "orders"]


async def test_an_endpoint_that_is_away_for_a_moment_does_not_count_as_taking_no_arns() -> None:
    away = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
    session = scripted(describe_table=[described_on_the_wire(), away])
    session.takes_arns = None
    with pytest.raises(UnavailableError):
        await describe_table(session, "orders")
    assert session.takes_arns is None


async def test_a_described_table_carries_the_endpoint_of_its_calls() -> None:
    session = scripted(describe_table=[described_on_the_wire()])
    assert (await describe_table(session, "orders")).endpoint == ENDPOINT


async def test_to_describe_a_table_is_one_call(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders")
    async with open_account(moto_world.source, "source") as session:
        sent: list[str] = []

        def note(model: Any, **_: Any) -> None:
            sent.append(model.name)

        await describe_table(session, "orders")  # an emulator is asked for more than that, once
        session.client.meta.events.register("before-call.dynamodb", note)
        await describe_table(session, "orders")
    assert sent == ["DescribeTable"]


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ThrottlingException", "DescribeTimeToLive"),
        refusal("InternalServerError", "DescribeTimeToLive"),
        refusal("ResourceNotFoundException", "DescribeTimeToLive"),
        EndpointConnectionError(endpoint_url="http://there"),
        KeyError("TimeToLiveDescription"),
    ],
    ids=["throttled", "broken", "not-found", "unreachable", "no-answer"],
)
async def test_what_is_only_for_notices_is_not_known_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(tables, "OPTIONAL_SECONDS", 0.01)
    session = scripted(
        describe_time_to_live=[failure],
        describe_continuous_backups=[failure],
        list_tags_of_resource=[failure],
    )
    settings = await describe_side_settings(session, "orders")
    for unknown in (
        settings.ttl_attribute,
        settings.point_in_time_recovery,
        await read_tags(session, described()),
    ):
        assert isinstance(unknown, NotKnown)
        assert "not looked at" in unknown.reason


async def test_what_is_throttled_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "AGAIN_SECONDS", 0.0)
    throttled = refusal("ThrottlingException", "DescribeTimeToLive")
    on = {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}}
    session = scripted(
        describe_time_to_live=[throttled, throttled, on], describe_continuous_backups=[{}]
    )
    settings = await describe_side_settings(session, "orders")
    assert settings.ttl_attribute == "expires"


async def test_what_is_only_for_notices_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "OPTIONAL_SECONDS", 0.01)
    session = scripted()
    session.client = HangingClient()
    settings = await describe_side_settings(session, "orders")
    assert str(settings.ttl_attribute) == (
        "not known (not looked at: no response to DescribeTimeToLive within 0 s)"
    )
    assert isinstance(settings.point_in_time_recovery, NotKnown)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"{}",
        b"[]",
        b'{"Table":{}}',
        b'{"Table":{"AttributeDefinitions":[{}]}}',
        b"\xff\xfe",
    ],
)
async def test_a_response_that_is_not_the_services_is_corrupt(body: bytes) -> None:
    async with running_endpoint() as service:
        service.otherwise = Answer(body=body, checksum="none")
        account = Account(region="us-east-1", endpoint_url=service.url)
        async with open_account(account, "source") as session:
            with pytest.raises(CorruptAnswerError, match="DescribeTable on the source") as caught:
                await describe_table(session, "orders")
    assert "endpoint address" in (caught.value.hint or "")
