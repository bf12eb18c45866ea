"""The progress of a verification, as lines and as a table."""

import io
from functools import partial

import pytest
from rich.console import Console

from dynaferry.observe.logs import FIELDS
from dynaferry.verify.progress import ComparisonMeter, event_of, plain_line, watch_plain
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats
from dynaferry.verify.terminal import render, watch_live


class EndedError(Exception):
    """The display's sleep has been called often enough."""


def running(**counts: int) -> ComparisonStats:
    stats = ComparisonStats("orders", "orders", segments_total=8, expected_items=4000)
    stats.state = "running"
    for name, value in counts.items():
        setattr(stats, name, value)
    return stats


def run_of(*tables: ComparisonStats) -> ComparisonRunStats:
    return ComparisonRunStats("orders", list(tables))


def line_of(table: ComparisonStats, *, then: int) -> str:
    """The line ten seconds after the first look, when so many items were compared."""
    meter, stats = ComparisonMeter(2), run_of(table)
    meter.view(stats, 0.0)
    table.items_written = then
    ((view, _),) = meter.view(stats, 10.0)
    return plain_line(view, table)


def test_a_line_says_how_far_how_fast_and_how_long() -> None:
    line = line_of(running(differences=3), then=1000)
    assert "orders: 25%" in line
    assert "1,000 items compared" in line
    assert "100 items/s" in line
    assert "3 differences" in line
    assert "30s left" in line


def test_when_all_is_scanned_it_says_what_is_to_be_confirmed() -> None:
    line = line_of(running(segments_complete=8, unconfirmed=1200), then=4000)
    assert line.endswith("1,200 to check again")


def test_a_table_that_waits_is_not_shown() -> None:
    waiting = ComparisonStats("later", "later", segments_total=8)
    shown = ComparisonMeter(2).view(run_of(running(), waiting), 0.0)
    assert [view.name for view, _ in shown] == ["orders"]


def test_the_table_on_a_terminal_has_a_row_for_each() -> None:
    stats = run_of(running(differences=7), running(segments_complete=8, unconfirmed=5))
    console = Console(file=io.StringIO(), width=120)
    console.print(render(ComparisonMeter(2).view(stats, 0.0), "paused [red]"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "differ" in text
    assert "7" in text
    assert "5 to check again" in text
    assert text.startswith("paused [red]\n")


@pytest.mark.parametrize("live", [False, True])
async def test_it_goes_on_until_it_is_ended_and_shows_the_end(live: bool) -> None:
    table = running()
    stats, seconds, lines = run_of(table), 0, list[str]()

    async def sleep(_: float) -> None:
        nonlocal seconds
        seconds += 1
        table.items_written += 100
        stats.limits_in_words = "paused" if seconds == 5 else None
        if seconds == 25:
            table.state = "complete"
            raise EndedError

    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    clock = lambda: float(seconds)  # noqa: E731
    show = partial(watch_plain, write=lines.append)
    if live:
        show = partial(watch_live, console=console)
    with pytest.raises(EndedError):
        await show(stats, readers=2, clock=clock, sleep=sleep)
    if live:
        assert "done" in console.file.getvalue()  # type: ignore[attr-defined]
    else:
        assert lines[:2] == ["orders: paused", "orders: no limit"]
        assert len(lines) == 5
        assert lines[-1].endswith("done")


def test_in_a_log_in_json_a_line_has_its_numbers_as_fields() -> None:
    table = running(differences=3)
    meter, stats = ComparisonMeter(2), run_of(table)
    meter.view(stats, 0.0)
    table.items_written = 1000
    ((view, _),) = meter.view(stats, 10.0)
    line, fields = event_of(view, table)
    assert line == plain_line(view, table)
    assert fields.keys() <= set(FIELDS)
    assert (fields["event"], fields["table"]) == ("verify-progress", "orders")
    assert (fields["percent"], fields["items_per_second"], fields["differences"]) == (
        25.0,
        100.0,
        3,
    )
