"""What a move is told of its sources' streams: by a service that answers as it is told."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.tables.describe import NotKnown
from dynaferry.dynamodb.tables.description import Replica
from dynaferry.errors import (
    AccessDeniedError,
    NotReadyError,
    PreflightError,
    RetryableError,
)
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.preflight import streams
from dynaferry.preflight.notice import texts
from dynaferry.preflight.stream_words import StreamFindings, stream_notices
from dynaferry.preflight.streams import inspect_streams, measured_rate
from dynaferry.shared.arn import resource_name
from dynaferry.shared.problems import parts_of
from tests.worlds.described import described
from tests.worlds.endpoint import Answer, Behaviour, Decide, Request, refusal, running_endpoint

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table"
ENABLED_AT = "2026-01-01T00:00:00.000"
KEY = "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException"


class Service:
    """A service with some tables; what it answers to an operation can be replaced by another."""

    def __init__(self, view: str | None = "NEW_IMAGE", *, shards: int = 2) -> None:
        self.view = view
        self.shards = shards
        self.statuses = ["ENABLED"]
        self.table_fields: dict[str, Any] = {}
        self.answers: dict[str, Callable[[dict[str, Any]], Behaviour]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def choose(self, request: Request) -> Behaviour:
        body = json.loads(request.body)
        self.asked.append((request.operation, body))
        other = self.answers.get(request.operation)
        return other(body) if other else self._answer(request.operation, body)

    def _answer(self, operation: str, body: dict[str, Any]) -> Behaviour:
        match operation:
            case "DescribeTable":
                return _says({"Table": self._described(body["TableName"].rpartition("/")[2])})
            case "DescribeStream":
                return _says({"StreamDescription": self._stream()})
            case "GetShardIterator":
                return _says({"ShardIterator": f"{body['ShardIteratorType']} {body['ShardId']}"})
            case "GetRecords":
                return _says({"Records": [], "NextShardIterator": body["ShardIterator"]})
            case "DescribeGlobalTable":
                return refusal("GlobalTableNotFoundException")
            case "Scan":
                return _says({"Items": [], "Count": 0})
            case "BatchGetItem":
                return _says({"Responses": {}, "UnprocessedKeys": {}})
        raise AssertionError(f"a dry run must not ask for {operation}")

    def _described(self, name: str) -> dict[str, Any]:
        stream: dict[str, Any] = {}
        if self.view is not None:
            stream = {
                "LatestStreamArn": f"{TABLE}/{name}/stream/{ENABLED_AT}",
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": self.view},
            }
        return {
            "TableName": name,
            "TableArn": f"{TABLE}/{name}",
            "TableStatus": "ACTIVE",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "B"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "ItemCount": 10,
            "TableSizeBytes": 10 * 5_000,
            **stream,
            **self.table_fields,
        }

    def _stream(self) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        closed = {"ShardId": "closed", "SequenceNumberRange": {"EndingSequenceNumber": "9"}}
        shards = [{"ShardId": f"shard-{n}", "SequenceNumberRange": {}} for n in range(self.shards)]
        return {
            "StreamStatus": status,
            "StreamViewType": self.view,
            "Shards": [closed, *shards] if shards else [],
        }


def _says(answer: dict[str, Any]) -> Behaviour:
    return Answer(body=json.dumps(answer).encode())


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    async with running_endpoint() as endpoint:
        endpoint.otherwise = Decide(service.choose)
        service.url = endpoint.url
        yield service


async def inspected(
    service: Service, *tables: str, waits: bool = False, **settings: Any
) -> tuple[StreamFindings, ...]:
    """What is found; `settings` are those of the plan."""
    async with running(service):
        account = Account(region="eu-central-1", endpoint_url=service.url)
        plan = CopyPlan(
            tables=tuple(TablePlan(table, table) for table in tables or ("orders",)),
            source=account,
            patience_seconds=0.2,
            **settings,
        )
        async with open_account(account, "source") as session:
            return await inspect_streams(plan, session, waits=waits)


async def test_a_stream_is_listed_and_read_and_a_key_looked_up_and_nothing_is_written() -> None:
    service = Service()
    (found,) = await inspected(service)
    assert (found.status, found.open_shards, found.is_shared) == ("ENABLED", 2, False)
    assert set(service.operations) == {
        "DescribeTable",
        "DescribeStream",
        "GetShardIterator",
        "GetRecords",
        "BatchGetItem",
    }
    asked = dict(service.asked)
    assert asked["GetShardIterator"]["ShardId"] == "shard-0"
    assert asked["GetRecords"] == {"ShardIterator": "TRIM_HORIZON shard-0", "Limit": 1}
    (keys,) = asked["BatchGetItem"]["RequestItems"].values()
    assert [set(key) for key in keys["Keys"]] == [{"pk", "sk"}]
    assert [set(value) for value in keys["Keys"][0].values()] == [{"B"}, {"N"}]


async def test_without_a_stream_the_one_call_is_named_as_it_is_typed() -> None:
    with pytest.raises(PreflightError, match="the source table orders has no stream") as caught:
        await inspected(Service(view=None))
    hint = caught.value.hint or ""
    assert (
        f"aws dynamodb update-table --region eu-central-1 --table-name {TABLE}/orders "
        "--stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE"
    ) in hint
    assert "dynamodb:UpdateTable" in hint
    assert "--enable-stream" in hint


async def test_a_stream_that_was_switched_off_is_named() -> None:
    service = Service(view=None)
    service.table_fields = {"LatestStreamArn": f"{TABLE}/orders/stream/{ENABLED_AT}"}
    with pytest.raises(PreflightError, match=f"switched off: .*{ENABLED_AT}"):
        await inspected(service)


async def test_a_stream_that_is_being_switched_off_is_named() -> None:
    service = Service()
    service.statuses = ["DISABLING"]
    with pytest.raises(PreflightError, match="stream of the source table orders is DISABLING"):
        await inspected(service)


async def test_a_stream_that_is_to_be_enabled_is_no_refusal() -> None:
    (found,) = await inspected(Service(view=None), enable_stream=True)
    assert found.status is None
    (notice,) = texts(stream_notices(found, now=0.0))
    assert "--enable-stream enables one with NEW_IMAGE" in notice


async def test_a_stream_that_is_being_enabled_is_said_and_waited_for_only_by_a_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "_ENABLING_POLL_SECONDS", 0.0)
    service = Service()
    service.statuses = ["ENABLING", "ENABLING", "ENABLED"]
    (found,) = await inspected(service)
    assert any("being enabled" in notice for notice in texts(stream_notices(found, now=0.0)))
    service.statuses = ["ENABLING", "ENABLING", "ENABLED"]
    (found,) = await inspected(service, waits=True)
    assert found.status == "ENABLED"


async def test_a_stream_that_never_is_enabled_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "ENABLING_SECONDS", 0.0)
    service = Service()
    service.statuses = ["ENABLING"]
    with pytest.raises(NotReadyError, match="ENABLING for more than"):
        await inspected(service, waits=True)


@pytest.mark.parametrize(
    "operation", ["DescribeStream", "GetShardIterator", "GetRecords", "BatchGetItem"]
)
async def test_a_right_that_is_missing_is_named(operation: str) -> None:
    service = Service()
    words = f"User: me is not authorized to perform: dynamodb:{operation} on resource: it"
    service.answers[operation] = lambda _: refusal("AccessDeniedException", words)
    with pytest.raises(AccessDeniedError, match=operation) as caught:
        await inspected(service)
    assert f"allow dynamodb:{operation}" in (caught.value.hint or "")


async def test_a_key_that_may_not_be_used_is_named_as_such() -> None:
    service = Service()
    service.answers["GetRecords"] = lambda _: refusal("AccessDeniedException", KEY)
    with pytest.raises(AccessDeniedError) as caught:
        await inspected(service)
    assert "allow kms:Decrypt on the table's customer managed key" in (caught.value.hint or "")


async def test_all_that_stands_in_the_way_is_reported_at_once_in_the_order_of_the_plan() -> None:
    def of_two(body: dict[str, Any]) -> Behaviour:
        table = next(iter(body["RequestItems"]))
        if table.endswith("second"):
            return refusal("AccessDeniedException", "not authorized to perform: dynamodb:Batch")
        return _says({"Responses": {}, "UnprocessedKeys": {}})

    service = Service(view=None)
    service.answers["BatchGetItem"] = of_two
    with pytest.raises(PreflightError, match=r"^4 problems: ") as caught:
        await inspected(service, "first", "second", "third")
    tables = [resource_name(problem.table or "") for problem in parts_of(caught.value)]
    assert tables == ["first", "second", "second", "third"]
    said = caught.value.message
    assert said.index("table first has no stream") < said.index("the same for second, third")
    assert said.index("the same for second, third") < said.index("BatchGetItem")
    assert "(1) enable one" in (caught.value.hint or "")


async def test_who_else_reads_is_named_by_the_refusal_of_a_third_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "_READ_AGAIN_SECONDS", 0.0)
    service = Service()
    service.answers["GetRecords"] = lambda _: refusal("LimitExceededException", "too many readers")
    (found,) = await inspected(service)
    assert found.is_shared
    assert any("has other readers" in notice for notice in texts(stream_notices(found, now=0.0)))


async def test_a_third_reader_that_goes_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_READ_AGAIN_SECONDS", 0.0)
    service = Service()
    refusals = [refusal("LimitExceededException"), refusal("LimitExceededException")]

    def third(body: dict[str, Any]) -> Behaviour:
        return refusals.pop() if refusals else _says({"Records": [], "NextShardIterator": "n"})

    service.answers["GetRecords"] = third
    (found,) = await inspected(service)
    assert not found.is_shared


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
async def test_a_shard_that_is_gone_may_be_read_all_the_same(code: str) -> None:
    service = Service()
    service.answers["GetRecords"] = lambda _: refusal(code)
    (found,) = await inspected(service)
    assert found.status == "ENABLED"


async def test_a_stream_without_a_shard_yet_is_none_to_read() -> None:
    service = Service(shards=0)
    (found,) = await inspected(service)
    assert (found.open_shards, found.is_shared) == (0, False)
    assert "GetRecords" not in service.operations


async def test_streams_that_cannot_be_reached_may_succeed_later_and_the_hint_names_their_flag() -> (
    None
):
    service = Service()
    service.answers["DescribeStream"] = lambda _: refusal("InternalServerError", status=500)
    with pytest.raises(RetryableError) as caught:
        await inspected(service)
    assert "--source-streams-endpoint-url" in (caught.value.hint or "")


# Notices ---------------------------------------------------------------------------------------


async def test_a_view_without_new_images_is_said_with_what_it_costs() -> None:
    for view in ("KEYS_ONLY", "OLD_IMAGE"):
        (found,) = await inspected(Service(view=view))
        told = " ".join(texts(stream_notices(found, now=0.0)))
        assert f"the source's stream has {view}" in told
        assert "for 2 read units" in told  # of an average item of 5,000 bytes
    (found,) = await inspected(Service(view="NEW_AND_OLD_IMAGES"))
    assert "read again" not in " ".join(texts(stream_notices(found, now=0.0)))


async def test_a_young_stream_is_said_and_an_old_one_is_not() -> None:
    (found,) = await inspected(Service())
    since = found.source.stream_enabled_at
    assert since == 1_767_225_600.0
    young = " ".join(texts(stream_notices(found, now=since + 59.0)))
    assert "enabled 59s ago" in young
    assert "enabled" not in " ".join(texts(stream_notices(found, now=since + 61.0)))


async def test_readers_that_nobody_could_look_for_are_not_said_to_be_none() -> None:
    (found,) = await inspected(Service())
    told = texts(stream_notices(found, 0.0))[-1]
    assert "which Lambda functions read the source's stream is not known (nobody was asked" in told


ONE, TWO = ("orders-indexer",), ("audit", "orders-indexer")
REPLICATED: dict[str, Any] = {"replicas": (Replica(region="eu-west-1"),)}


def told_of(functions: tuple[str, ...] | NotKnown, *, shared: bool = False, **table: Any) -> str:
    """The notices on who reads the stream of a table."""
    found = StreamFindings(
        source=described(stream_view_type="NEW_IMAGE", **table),
        status="ENABLED",
        open_shards=1,
        is_shared=shared,
        functions=functions,
    )
    return " ".join(texts(stream_notices(found, 0.0)))


def test_the_only_other_reader_is_named() -> None:
    assert "is read by the function orders-indexer; the move is the second reader" in told_of(ONE)
    told = told_of((), **REPLICATED)
    assert "is read by the replication of this global table; the move is the second" in told
    assert "no Lambda functions of this account" in told


def test_of_two_readers_on_a_shard_both_are_named_before_a_third_begins() -> None:
    assert "has 2 readers already (the function audit, the function orders-indexer)" in told_of(TWO)
    told = told_of(ONE, **REPLICATED)
    assert "(the function orders-indexer, the replication of this global table)" in told
    assert "LimitExceededException" in told


def test_readers_that_a_shard_has_refused_a_third_for_are_named() -> None:
    told = told_of(TWO, shared=True)
    assert "has other readers" in told
    assert "(the function audit, the function orders-indexer)" in told
    assert "since it takes two; take one of them away" in told_of(NotKnown("asleep"), shared=True)


def test_a_strongly_consistent_global_table_does_not_replicate_by_its_stream() -> None:
    assert "replication of this" not in told_of((), replicates_at_once=True, **REPLICATED)


async def test_of_a_replica_the_switch_is_told_beforehand() -> None:
    service = Service()
    service.table_fields = {"Replicas": [{"RegionName": "us-east-1"}]}
    (found,) = await inspected(service)
    told = " ".join(texts(stream_notices(found, 0.0)))
    assert "stop the writers in all Regions (us-east-1 as well)" in told


# The rate --------------------------------------------------------------------------------------


def _record(number: int) -> dict[str, Any]:
    change = {
        "Keys": {"pk": {"B": "AA=="}},
        "SequenceNumber": str(number),
        "ApproximateCreationDateTime": 1_800_000_000,
    }
    return {"eventName": "MODIFY", "dynamodb": change}


async def rate_of(service: Service, *, sleep: Callable[[float], Any]) -> float | None:
    async with running(service):
        account = Account(region="eu-central-1", endpoint_url=service.url)
        async with open_account(account, "source") as session:
            plan = CopyPlan(tables=(TablePlan("orders", "orders"),), source=account)
            (found,) = await inspect_streams(plan, session, waits=False)
            return await measured_rate(session, found.source, seconds=0.2, sleep=sleep)


async def test_the_rate_is_what_comes_behind_the_newest_record_of_all_open_shards() -> None:
    service = Service(shards=2)
    left = {"LATEST shard-0": [700, 30], "LATEST shard-1": [270]}

    def records(body: dict[str, Any]) -> Behaviour:
        pages = left.get(body["ShardIterator"])
        found = [_record(n) for n in range(pages.pop(0))] if pages else []
        return _says({"Records": found, "NextShardIterator": body["ShardIterator"]})

    service.answers["GetRecords"] = records
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.sleep(seconds)

    rate = await rate_of(service, sleep=sleep)
    assert slept == [0.2]
    assert rate is not None
    assert 0 < rate <= 1_000 / 0.2
    assert left == {"LATEST shard-0": [], "LATEST shard-1": []}


async def test_a_throttle_is_no_end_of_a_measurement() -> None:
    service = Service(shards=1)
    refusals = [refusal("LimitExceededException"), refusal("LimitExceededException")]

    def records(body: dict[str, Any]) -> Behaviour:
        if body["ShardIterator"].startswith("LATEST") and refusals:
            return refusals.pop()
        found = [_record(n) for n in range(100)] if "LATEST" in body["ShardIterator"] else []
        return _says({"Records": found, "NextShardIterator": "n"})

    service.answers["GetRecords"] = records

    async def sleep(seconds: float) -> None:
        await anyio.sleep(seconds)

    assert (await rate_of(service, sleep=sleep) or 0) > 0


async def test_a_rate_that_cannot_be_measured_is_none() -> None:
    async def sleep(_: float) -> None:
        pass

    service = Service()
    service.answers["GetShardIterator"] = lambda body: (
        refusal("ValidationException")
        if body["ShardIteratorType"] == "LATEST"
        else _says({"ShardIterator": "i"})
    )
    assert await rate_of(service, sleep=sleep) is None
    assert await rate_of(Service(shards=0), sleep=sleep) is None
