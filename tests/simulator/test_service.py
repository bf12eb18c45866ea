"""The simulator's answers, read by dynaferry's own decoders."""

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec import Raw

from benchmarks.simulator import (
    NO_LATENCY,
    BrownOut,
    Index,
    OnDemand,
    Partitions,
    Provisioned,
    Settings,
    Table,
    seeded_digest,
)
from benchmarks.simulator.service import Service
from dynaferry.dynamodb.failures import call_site, service_errors
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.dynamodb.tables.description import read_description
from dynaferry.errors import (
    ItemRefusedError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)

if TYPE_CHECKING:
    from dynaferry.dynamodb.client import DynamoClient

SITE = call_site.CallSite(table="orders", side="target", acting_as="a test")
LITTLE = Provisioned(write_units=10, read_units=10, burst_seconds=1)


class ServiceClient:
    """A `DynamoClient` that leads straight to a service, at a time that stands still."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.answers: list[dict[str, Any]] = []

    async def send(self, operation: str, body: bytes) -> bytes:
        answer = self.service.answer(operation, body, 0.0)
        self.answers.append(msgspec.json.decode(answer.body))
        if answer.status == 200:
            return answer.body
        error = service_errors.decode_error(answer.status, answer.body)
        raise service_errors.from_service_error(
            error, status=answer.status, operation=operation, site=SITE
        )


def wire_to(table: Table) -> ServiceClient:
    return ServiceClient(
        Service(Settings(tables=(msgspec.structs.replace(table, latency=NO_LATENCY),)))
    )


def source(
    client: ServiceClient, total_segments: int = 1, *, consistent_read: bool = False
) -> ScanSource:
    return ScanSource(
        cast("DynamoClient", client),
        table="orders",
        total_segments=total_segments,
        consistent_read=consistent_read,
    )


def target(client: ServiceClient) -> BatchWriteTarget:
    return BatchWriteTarget(cast("DynamoClient", client), table="orders", keys=KeyReader(["pk"]))


def items(count: int, size: int = 10) -> list[Raw]:
    return [
        Raw(b'{"pk":{"S":"key-%d"},"text":{"S":"%b"}}' % (number, b"x" * size))
        for number in range(count)
    ]


# Scan ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("total_segments", [1, 3, 17])
async def test_a_scan_of_all_segments_gives_every_item_once(total_segments: int) -> None:
    table = Table(name="orders", items=2500, item_bytes=2000, sort_key="sk", hot_key_share=0.3)
    pages = source(wire_to(table), total_segments)
    seen: list[bytes] = []
    units = 0.0
    for segment in range(total_segments):
        key = None
        while True:
            page = await pages.read_page(segment, key)
            seen += map(bytes, page.items)
            units += page.consumed_units or 0.0
            key = page.last_evaluated_key
            if key is None:
                break
    assert len(set(seen)) == len(seen) == 2500
    assert units == pytest.approx(2500 * 2000 / 4096 / 2, rel=0.02)


async def test_a_consistent_page_costs_twice() -> None:
    table = Table(name="orders", items=2000)
    eventual = await source(wire_to(table)).read_page(0, None)
    consistent = await source(wire_to(table), consistent_read=True).read_page(0, None)
    assert (eventual.consumed_units, consistent.consumed_units) == (128, 256)


async def test_a_limit_cuts_the_page_and_names_its_last_key() -> None:
    client = wire_to(Table(name="orders", items=3))
    answer = msgspec.json.decode(await client.send("Scan", b'{"TableName":"orders","Limit":1}'))
    assert answer["Count"] == 1
    assert answer["LastEvaluatedKey"] == {"pk": answer["Items"][0]["pk"]}
    assert "ConsumedCapacity" not in answer


async def test_an_empty_table_gives_an_empty_page_and_no_key() -> None:
    page = await source(wire_to(Table(name="orders"))).read_page(0, None)
    assert (page.items, page.last_evaluated_key, page.consumed_units) == ([], None, 0.5)


async def test_a_throttled_scan_says_why() -> None:
    pages = source(wire_to(Table(name="orders", items=1000, capacity=LITTLE)))
    await pages.read_page(0, None)
    with pytest.raises(ThrottledError) as caught:
        await pages.read_page(0, None)
    assert caught.value.code == "ProvisionedThroughputExceededException"
    assert caught.value.reasons == (
        (
            "TableReadProvisionedThroughputExceeded",
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        ),
    )


# BatchWriteItem ------------------------------------------------------------------------------


async def test_a_batch_that_fits_is_written_and_says_what_it_cost() -> None:
    result = await target(wire_to(Table(name="orders"))).write_batch(items(25, 1500))
    assert (result.unprocessed, result.consumed_units) == ((), 50)


async def test_a_partly_taken_batch_gives_the_remainder_back() -> None:
    batch = items(25)
    result = await target(wire_to(Table(name="orders", capacity=LITTLE))).write_batch(batch)
    assert list(result.unprocessed) == batch[10:]
    assert result.consumed_units == 10


@pytest.mark.parametrize(
    ("table", "code", "spelling", "reason"),
    [
        (
            Table(name="orders", capacity=LITTLE),
            "ProvisionedThroughputExceededException",
            "ThrottlingReasons",
            "TableWriteProvisionedThroughputExceeded",
        ),
        (
            Table(name="orders", partitions=Partitions(count=1, write_units=5)),
            "ThrottlingException",
            "throttlingReasons",
            "TableWriteKeyRangeThroughputExceeded",
        ),
        (
            Table(name="orders", capacity=OnDemand(write_quota=5)),
            "RequestLimitExceeded",
            "ThrottlingReasons",
            "TableWriteAccountLimitExceeded",
        ),
        (
            Table(name="orders", capacity=OnDemand(max_write_units=5)),
            "ThrottlingException",
            "throttlingReasons",
            "TableWriteMaxOnDemandThroughputExceeded",
        ),
        (
            Table(name="orders", indexes=(Index(name="by-owner", capacity=LITTLE),)),
            "ThrottlingException",
            "throttlingReasons",
            "IndexWriteProvisionedThroughputExceeded",
        ),
    ],
)
async def test_each_limit_has_its_code_its_reason_and_its_spelling(
    table: Table, code: str, spelling: str, reason: str
) -> None:
    client = wire_to(table)
    await target(client).write_batch(items(25))
    with pytest.raises(ThrottledError) as caught:
        await target(client).write_batch(items(25))
    assert caught.value.code == code
    assert [named for named, _ in caught.value.reasons] == [reason]
    assert spelling in client.answers[-1]
    (_, arn) = caught.value.reasons[0]
    assert arn.endswith("/index/by-owner" if reason.startswith("Index") else ":table/orders")


async def test_a_brown_out_can_be_a_failure_of_the_services_own() -> None:
    brown_out = BrownOut(seconds=10, answer="503")
    with pytest.raises(UnavailableError, match="ServiceUnavailable"):
        await target(wire_to(Table(name="orders", brown_outs=(brown_out,)))).write_batch(items(1))


async def test_what_an_index_costs_is_in_the_total_and_apart_where_asked() -> None:
    client = wire_to(Table(name="orders", indexes=(Index(name="by-owner"),)))
    result = await target(client).write_batch(items(5))
    assert result.consumed_units == 10
    body = b'{"ReturnConsumedCapacity":"INDEXES","RequestItems":{"orders":[%b]}}' % b",".join(
        b'{"PutRequest":{"Item":%b}}' % item for item in items(5)
    )
    (consumed,) = msgspec.json.decode(await client.send("BatchWriteItem", body))["ConsumedCapacity"]
    assert consumed == {
        "TableName": "orders",
        "CapacityUnits": 10,
        "Table": {"CapacityUnits": 5},
        "GlobalSecondaryIndexes": {"by-owner": {"CapacityUnits": 5}},
    }


@pytest.mark.parametrize(
    "refused",
    [
        items(26),
        [*items(1), *items(1)],
        [Raw(b'{"other":{"S":"no key"}}')],
        items(1, 400 * 1024),
    ],
)
async def test_a_batch_that_the_service_would_not_take_is_refused_whole(
    refused: list[Raw],
) -> None:
    client = wire_to(Table(name="orders"))
    with pytest.raises(ItemRefusedError) as caught:
        await target(client).write_batch(refused)
    assert caught.value.code == "ValidationException"
    report = client.service.tables["orders"].report(0.0)
    assert report.total(lambda second: second.items_written) == 0


async def test_a_table_remembers_what_was_written_and_not_what_was_unprocessed() -> None:
    table = Table(name="orders", items=20, capacity=LITTLE, remember_items=True)
    client = wire_to(table)
    page = await source(client).read_page(0, None)
    await target(client).write_batch(page.items)
    assert client.service.tables["orders"].report(0.0).distinct_items == 10
    wire_of_plenty = wire_to(Table(name="orders", remember_items=True))
    for _ in range(2):
        await target(wire_of_plenty).write_batch(page.items)
    report = wire_of_plenty.service.tables["orders"].report(0.0)
    assert (report.distinct_items, report.items_digest) == seeded_digest(table)


# Everything else -----------------------------------------------------------------------------


async def test_a_table_describes_itself() -> None:
    table = Table(
        name="orders",
        items=1000,
        sort_key="sk",
        capacity=LITTLE,
        indexes=(Index(name="by-owner", capacity=LITTLE),),
    )
    answer = await wire_to(table).send("DescribeTable", b'{"TableName":"orders"}')
    described = read_description(msgspec.json.decode(answer)["Table"], endpoint="http://here")
    assert [(key.name, key.type, key.role) for key in described.keys] == [
        ("pk", "S", "HASH"),
        ("sk", "S", "RANGE"),
    ]
    assert (described.item_count, described.size_bytes) == (1000, 1000 * 1024)
    assert described.provisioned is not None
    assert described.provisioned.write_units == 10
    assert [index.name for index in described.gsis] == ["by-owner"]


async def test_an_on_demand_table_says_its_warm_throughput() -> None:
    answer = await wire_to(Table(name="orders")).send("DescribeTable", b'{"TableName":"orders"}')
    described = read_description(msgspec.json.decode(answer)["Table"], endpoint="http://here")
    assert described.billing_mode == "PAY_PER_REQUEST"
    assert described.warm is not None
    assert (described.warm.read_units, described.warm.write_units) == (12_000, 4000)


async def test_a_table_can_be_named_by_its_arn() -> None:
    arn = b"arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    answer = await wire_to(Table(name="orders")).send("Scan", b'{"TableName":"%b"}' % arn)
    assert msgspec.json.decode(answer)["Count"] == 0


async def test_another_table_is_not_there() -> None:
    with pytest.raises(TableNotFoundError):
        await wire_to(Table(name="orders")).send("Scan", b'{"TableName":"others"}')


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("DescribeTimeToLive", b'{"TableName":"orders"}', "UnknownOperationException"),
        ("GetRecords", b'{"ShardIterator":"of the streams"}', "UnknownOperationException"),
        ("UpdateTable", b'{"TableName":"orders"}', "ValidationException"),
        ("Scan", b'{"TableName":"orders"', "SerializationException"),
        ("Scan", b'{"TableName":"orders","Segment":3,"TotalSegments":3}', "ValidationException"),
        (
            "Scan",
            b'{"TableName":"orders","ExclusiveStartKey":{"id":{"S":"1"}}}',
            "ValidationException",
        ),
        (
            "BatchWriteItem",
            b'{"RequestItems":{"orders":[{"DeleteRequest":{"Key":{"pk":{"N":"1"}}}}]}}',
            "ValidationException",
        ),
    ],
)
def test_what_the_simulator_does_not_do_is_refused_in_the_services_form(
    operation: str, body: bytes, code: str
) -> None:
    answer = wire_to(Table(name="orders")).service.answer(operation, body, 0.0)
    assert answer.status == 400
    assert service_errors.decode_error(answer.status, answer.body).code == code
