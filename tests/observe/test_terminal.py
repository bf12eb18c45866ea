"""The table on a terminal, drawn into a string."""

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest
from rich.console import Console

from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.run_meter import TableView
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.table_state import TableState
from dynaferry.observe.terminal import Footing, render, watch_live


def _view(name: str = "orders", state: TableState = "running") -> TableView:
    return TableView(
        name=name,
        state=state,
        shown_state=state,
        share_done=0.42,
        items_done=1_234_567,
        items_per_second=12_300.0,
        bytes_per_second=9_870_000.0,
        read_units_per_second=1_100.0,
        write_units_per_second=10_200.0,
        throttled_share=0.031,
        segments_complete=27,
        segments_total=64,
        seconds_left=3_900.0,
    )


def _drawn(views: Sequence[TableView], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(render(views, width))
    return capture.get().rstrip("\n").split("\n")


def test_a_wide_terminal_shows_every_column() -> None:
    heading, row = _drawn([_view()], 140)
    for word in ("items/s", "MB/s", "WCU/s", "RCU/s", "throttled", "segments", "ETA", "state"):
        assert word in heading
    for cell in ("42%", "1,234,567", "12.3k", "9.9", "10.2k", "1.1k", "3%", "27/64", "1h 05m"):
        assert cell in row


def test_a_narrow_terminal_shows_the_columns_that_matter_most_in_one_line_each() -> None:
    heading, row = _drawn([_view("a-table-with-a-name-that-does-not-fit")], 80)
    assert "ETA" in heading
    assert "RCU/s" not in heading
    for cell in ("42%", "1.2M", "12.3k", "3%", "1h 05m", "running", "…"):
        assert cell in row


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_name_and_no_reason_steers_the_terminal(width: int) -> None:
    odd = "\x1b[2J\x9b1m\u202e\nforged"
    for line in _drawn([replace(_view(odd), limited_by=odd)], width):
        assert line.isprintable()
        assert not line.startswith("forged")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_what_limits_a_table_is_a_line_below_the_table(width: int) -> None:
    held = replace(_view(), limited_by="throttled by index by-owner [red]")
    *_, last = _drawn([_view("customers"), held], width)
    assert last == "orders: throttled by index by-owner [red]"


def test_a_name_is_shown_as_it_is_and_not_as_markup() -> None:
    assert "[red]" in _drawn([_view("a[red]b")], 140)[1]


def test_of_many_tables_the_running_ones_are_shown_and_the_rest_is_counted() -> None:
    views = [_view(f"done-{i}", "complete") for i in range(20)]
    views += [_view("now")] + [_view(f"later-{i}", "waiting") for i in range(30)]
    lines = _drawn(views, 120)
    assert len(lines) == 3
    assert "now" in lines[1]
    assert lines[2].strip() == "20 of 51 tables complete, 1 running, 30 waiting"


async def _watch_for_a_moment(console: Console) -> None:
    stats = RunStats("run", [TableStats("orders", "orders", segments_total=4, state="running")])
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            await watch_live(stats, readers=8, console=console)

        group.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        stats.tables[0].items_written = 4321
        group.cancel_scope.cancel()


async def test_the_last_state_stays_on_the_screen() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=140)
    await _watch_for_a_moment(console)
    assert "4,321" in screen.getvalue()


async def test_without_colours_none_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = io.StringIO()
    await _watch_for_a_moment(Console(file=screen, force_terminal=True, width=120))
    assert "\x1b[3" not in screen.getvalue()


class _GoneTerminal(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


async def test_a_terminal_that_went_away_ends_the_display_and_nothing_else() -> None:
    finished = False
    console = Console(file=_GoneTerminal(), force_terminal=True, width=120)
    stats = RunStats("run", [TableStats("orders", "orders", segments_total=4)])
    await watch_live(stats, readers=8, console=console)
    finished = True
    assert finished


def test_a_small_terminal_still_shows_share_items_rate_and_eta_in_one_line() -> None:
    heading, row = _drawn([_view("orders-of-the-past-2024")], 70)
    for word in ("WCU/s", "RCU/s", "throttled", "state"):
        assert word not in heading
    for cell in ("42%", "1.2M", "12.3k", "1h 05m"):
        assert cell in row


def test_long_names_are_distinguished_by_their_ends() -> None:
    _, first, second = _drawn([_view(f"a-very-long-common-beginning-{n}") for n in (1, 2)], 80)
    assert first.startswith("a-very-l…")
    assert first.split()[0] != second.split()[0]


def test_what_holds_the_run_back_stands_above_the_tables() -> None:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    with console.capture() as capture:
        console.print(render([_view()], 140, "paused, writes at most 500 units/s (set by hand)"))
    first, heading, _ = capture.get().rstrip("\n").split("\n")
    assert first.rstrip() == "paused, writes at most 500 units/s (set by hand)"
    assert "items/s" in heading


def _drawn_with_total(width: int, *, keys: str | None = None) -> list[str]:
    views = [_view("orders"), _view("users", "waiting"), _view("events", "complete")]
    total = TableProgress(
        items_done=3_703_701, expected_items=9_000_000, progress_ratio=0.41, eta_seconds=7_500.0
    )
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(render(views, width, None, Footing(total, 1_800_000_000.0, keys)))
    return capture.get().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_several_tables_have_a_row_for_all_of_them_and_the_time_of_the_end(width: int) -> None:
    lines = _drawn_with_total(width)
    (at,) = (at for at, line in enumerate(lines) if line.startswith("total "))
    total, below = lines[at], " ".join(line.strip() for line in lines[at + 1 :])
    for cell in ("41%", "12.3k", "2h 05m"):
        assert cell in total
    assert re.fullmatch(
        r"1 of 3 tables complete, 1 running, 1 waiting · done about (\w{3} )?\d\d:\d\d", below
    )
    assert all(len(line) <= width for line in lines)


def test_the_keys_are_told_below_the_tables_while_any_is_under_way() -> None:
    assert _drawn_with_total(140, keys="p pause")[-1].endswith(" · p pause")
    ended = [_view("orders", "complete")]
    console = Console(file=io.StringIO(), width=140, color_system=None)
    with console.capture() as capture:
        console.print(render(ended, 140, None, Footing(TableProgress(), 0.0, "p pause")))
    assert "p pause" not in capture.get()
