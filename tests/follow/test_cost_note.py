"""What a move costs is said once, when the rate that it sees is that of now."""

from types import SimpleNamespace
from typing import Any

import pytest

from dynaferry.follow.cost_note import FIRST_SECONDS, CostNote
from dynaferry.plan.settings import CopyPlan, TablePlan
from tests.worlds.described import described, described_on_the_wire, refusal, scripted

PLAN = CopyPlan(tables=(TablePlan("orders", "orders"),))
BEGUN = 1_000.0
DUE = BEGUN + FIRST_SECONDS
OF_AN_INDEX = {
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "email", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_email",
            "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


def a_table(size: int = 1_024, *, items: int = 10) -> Any:
    """A table that is moved; its stream has shown ten changes of 3 KB."""
    stats = SimpleNamespace(changes=10, bytes_read=30 * 1_024)
    return SimpleNamespace(
        seen=described(item_count=items, size_bytes=items * size),
        target="orders",
        capture=SimpleNamespace(stats=stats),
    )


def a_status(rate: float, *, age: float | None = 0.5) -> Any:
    return SimpleNamespace(changes_in_per_second=rate, record_age_seconds=age, shards_open=16)


def a_note(said: list[str], **answers: Any) -> CostNote:
    target = scripted("target", describe_table=[described_on_the_wire(**answers)])
    return CostNote(PLAN, target, said.append, BEGUN)


async def test_it_is_said_once_after_a_minute() -> None:
    said: list[str] = []
    note = a_note(said)
    for now in (BEGUN, DUE - 1.0):
        await note.look([a_table()], [a_status(2_000)], now)
    assert said == []
    for now in (DUE, DUE + 1.0):
        await note.look([a_table()], [a_status(2_000)], now)
    (line,) = said
    assert line.startswith("what following costs: at 2,000 changes a second about $109.38 a day")


async def test_the_tables_of_a_plan_are_one_sum() -> None:
    said: list[str] = []
    await a_note(said).look([a_table(), a_table()], [a_status(500), a_status(1_500)], DUE)
    assert "at 2,000 changes a second about $110.7" in said[0]  # the shards of both are read


@pytest.mark.parametrize("status", [a_status(2_000, age=3_600.0), a_status(0.0, age=None)])
async def test_a_rate_of_what_has_come_before_or_of_nothing_is_not_told(status: Any) -> None:
    said: list[str] = []
    note = a_note(said)
    await note.look([a_table()], [status], DUE)
    assert said == []
    await note.look([a_table()], [a_status(2_000)], DUE + 60.0)
    assert len(said) == 1


async def test_a_quiet_table_holds_no_other_back() -> None:
    said: list[str] = []
    seen = [a_status(2_000), a_status(0.0, age=9_000.0)]
    await a_note(said).look([a_table(), a_table()], seen, DUE)
    assert len(said) == 1


async def test_the_indexes_of_the_target_count() -> None:
    said: list[str] = []
    await a_note(said, **OF_AN_INDEX).look([a_table()], [a_status(2_000)], DUE)
    assert "writes to the target $216.00" in said[0]


async def test_where_nothing_is_counted_yet_the_stream_says_how_large_an_item_is() -> None:
    said: list[str] = []
    await a_note(said).look([a_table(items=0)], [a_status(2_000)], DUE)
    assert "writes to the target $324.00" in said[0]


async def test_a_target_that_cannot_be_looked_at_is_taken_to_be_like_the_source() -> None:
    said: list[str] = []
    denied = refusal("AccessDeniedException", "DescribeTable")
    target = scripted("target", describe_table=[denied])
    await CostNote(PLAN, target, said.append, BEGUN).look([a_table()], [a_status(2_000)], DUE)
    assert "writes to the target $108.00" in said[0]
