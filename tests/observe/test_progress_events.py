"""Progress in a log in JSON: the lines for people, and the same as fields."""

import pytest

from dynaferry.observe.logs import FIELDS
from dynaferry.observe.progress_events import Event, Fields, fields_of_move, watch_events
from dynaferry.observe.stats import RunStats, TableStats
from tests.observe.moves import a_move_status


def a_table(name: str) -> TableStats:
    table = TableStats(name, f"new-{name}", 10, expected_items=1_000, state="running")
    table.items_written, table.items_read, table.segments_complete = 400, 400, 4
    return table


class EndedError(Exception):
    """The copy has ended."""


async def events_of(stats: RunStats, ticks: int) -> list[Event]:
    """What is written in so many seconds, and at the end."""
    found: list[Event] = []
    seconds = 0

    async def sleep(_: float) -> None:
        nonlocal seconds
        seconds += 1
        for table in stats.tables:
            table.items_written += 10
        if seconds > ticks:
            raise EndedError

    def write(message: str, fields: Fields) -> None:
        found.append((message, fields))

    with pytest.raises(EndedError):
        await watch_events(
            stats,
            readers=2,
            write=write,
            clock=lambda: float(seconds),
            wall_clock=lambda: 1_700_000_000.0 + seconds,
            sleep=sleep,
        )
    return found


async def test_every_ten_seconds_each_table_and_the_total_are_events_with_fields() -> None:
    stats = RunStats("move", tables=[a_table("orders"), a_table("users")])
    found = await events_of(stats, ticks=15)
    events = [fields["event"] for _, fields in found]
    assert events == ["progress", "progress", "run-progress"] * 2
    message, fields = found[0]
    assert message.startswith("orders → new-orders: ")
    assert (fields["table"], fields["target"], fields["state"]) == (
        "orders",
        "new-orders",
        "running",
    )
    assert (fields["items"], fields["items_per_second"]) == (500, 10.0)
    assert isinstance(fields["percent"], float)
    _, total = found[2]
    assert (total["items"], total["tables_total"], total["tables_complete"]) == (1_000, 2, 0)
    assert all(fields.keys() <= set(FIELDS) for _, fields in found)


async def test_of_one_table_there_is_no_total_and_one_that_waits_is_no_news() -> None:
    stats = RunStats("move", tables=[a_table("orders")])
    assert [fields["event"] for _, fields in await events_of(stats, ticks=5)] == ["progress"]
    stats.tables[0].state = "waiting"
    assert await events_of(stats, ticks=5) == []


def test_how_a_table_of_a_move_stands_is_an_event_as_well() -> None:
    fields = fields_of_move(a_move_status(lag_seconds=0.84, trouble="no right", limited_by="a cap"))
    assert fields.keys() <= set(FIELDS)
    assert (fields["event"], fields["state"]) == ("move-progress", "following")
    assert (fields["lag_seconds"], fields["reason"]) == (0.8, "no right")
