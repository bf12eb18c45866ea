"""A table that keeps what is written to it: reads by key, conditions, refusals, lost answers."""

import contextlib
from collections import Counter
from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from benchmarks.simulator import (
    BrownOut,
    LostAnswers,
    Provisioned,
    Settings,
    StreamEvent,
    Table,
    simulator,
)
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.conditional_write import ConditionalWriter
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.errors import ConditionFailedError, ItemRefusedError, UnavailableError
from tests.simulator.streamed import PLAIN, StreamedTable, an_item


def key(name: str) -> bytes:
    return b'{"pk":{"S":"%b"}}' % name.encode()


def target(table: StreamedTable) -> BatchWriteTarget:
    return BatchWriteTarget(cast("Any", table), table="orders", keys=KeyReader(["pk"]))


def repairs(table: StreamedTable) -> ConditionalWriter:
    return ConditionalWriter(cast("Any", table), table="orders", keys=["pk"])


async def scanned(table: StreamedTable) -> list[Any]:
    answer = await table.ask("Scan", TableName="orders", ConsistentRead=True)
    items: list[Any] = answer["Items"]
    return items


async def test_what_is_seeded_can_be_read_by_its_key_changed_and_deleted() -> None:
    table = StreamedTable(items=500, sort_key="sk", hot_key_share=0.3)
    items = await scanned(table)
    assert len(items) == 500
    first = {name: items[0][name] for name in ("pk", "sk")}
    asked = {"orders": {"Keys": [first], "ConsistentRead": True}}
    found = await table.ask("BatchGetItem", RequestItems=asked)
    assert found == {"Responses": {"orders": [items[0]]}, "UnprocessedKeys": {}}
    await table.ask("DeleteItem", TableName="orders", Key=first)
    assert await scanned(table) == items[1:]
    assert (await table.ask("BatchGetItem", RequestItems=asked))["Responses"] == {"orders": []}


async def test_keys_that_cannot_be_read_now_come_back() -> None:
    little = Provisioned(write_units=100, read_units=2, burst_seconds=1)
    table = StreamedTable(capacity=little)
    for name in "abc":
        await table.put(name)
    lookup = BatchGetLookup(cast("Any", table), table="orders", side="source")
    found = await lookup.find_items([key(name) for name in "abc"])
    assert [bytes(item) for item in found.items] == [an_item("a"), an_item("b")]
    assert found.unprocessed == [key("c")]
    assert found.consumed_units == 2


async def test_a_repair_writes_only_over_what_it_has_seen() -> None:
    table = StreamedTable()
    writer = repairs(table)
    await writer.put_if_unchanged(an_item("a", 1), None)
    with pytest.raises(ConditionFailedError) as caught:
        await writer.put_if_unchanged(an_item("a", 2), None)
    assert caught.value.item == an_item("a", 1)
    with pytest.raises(ConditionFailedError):
        await writer.put_if_unchanged(an_item("a", 3), an_item("a", 2))
    replaced = await writer.put_if_unchanged(an_item("a", 3), an_item("a", 1))
    assert replaced.item == an_item("a", 1)
    with pytest.raises(ConditionFailedError):
        await writer.delete_if_unchanged(key("a"), an_item("a", 1))
    await writer.delete_if_unchanged(key("a"), an_item("a", 3))
    assert await scanned(table) == []


async def test_an_item_with_the_refused_attribute_is_refused_with_its_whole_batch() -> None:
    table = StreamedTable(refused_attribute="bad")
    bad = b'{"pk":{"S":"b"},"bad":{"S":"x"}}'
    with pytest.raises(ItemRefusedError, match="Index Key bad"):
        await target(table).write_batch([Raw(an_item("a")), Raw(bad)])
    assert await scanned(table) == []
    assert table.service.tables["orders"].report(0.0).refused_items == 1


async def test_a_write_whose_response_was_lost_takes_effect_up_to_so_much_later() -> None:
    lost = LostAnswers(share=1.0, late_seconds=2.0)
    table = StreamedTable(lost_answers=lost)
    fates: Counter[str] = Counter()
    for number in range(60):
        item = Raw(an_item(f"k{number}"))
        request = {"orders": [{"PutRequest": {"Item": item}}]}
        body = msgspec.json.encode({"RequestItems": request})
        answer = table.service.answer("BatchWriteItem", body, table.now)
        fates["lost" if answer.is_lost else str(answer.status)] += 1
    assert fates.keys() == {"lost", "500", "200"}
    table.now = 1.0
    some = len(await scanned(table))
    assert 0 < some < 60
    table.now = 2.0
    assert len(await scanned(table)) == 60
    assert table.service.tables["orders"].report(2.0).lost_answers == 60


async def test_a_repair_that_is_late_finds_what_is_there_then() -> None:
    table = StreamedTable(PLAIN)
    await table.put("a", 1)
    table.service.tables["orders"].settings = msgspec.structs.replace(
        table.service.tables["orders"].settings,
        lost_answers=LostAnswers(share=1.0, late_seconds=2.0),
    )
    with contextlib.suppress(UnavailableError):
        await repairs(table).put_if_unchanged(an_item("a", 2), an_item("a", 1))
    table.service.tables["orders"].settings = msgspec.structs.replace(
        table.service.tables["orders"].settings, lost_answers=None
    )
    await table.put("a", 3)
    table.now = 3.0
    assert await scanned(table) == [msgspec.json.decode(an_item("a", 3))]


def test_a_running_simulator_gives_its_items_and_lets_things_happen_to_a_stream() -> None:
    settings = Settings(tables=(Table(name="orders", items=5, stream=PLAIN),))
    with simulator(settings) as simulated:
        before = simulated.items("orders")
        simulated.stream("orders", StreamEvent(do="split"))
        simulated.expire("orders", 2)
        simulated.stream_brown_out("orders", BrownOut(seconds=1))
        left = simulated.items("orders")
        seen = simulated.report().tables["orders"]
    assert len(before) == 5
    assert len(left) == 3
    assert seen.stream is not None
    assert (seen.stream.records, seen.stream.shards, seen.stream.open_shards) == (2, 3, 2)
