"""The progress of a run as a table on a terminal, redrawn in place."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dynaferry.observe import clock_time, formatting
from dynaferry.observe.display import Sleep, redraw
from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.progress import (
    CLOCK_TIME_FROM_SECONDS,
    duration_or_unknown,
    ending,
    is_moving,
    items_per_second,
    states_in_words,
)
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import RunStats
from dynaferry.observe.table_state import ShownState
from dynaferry.shared.printable import printable

# Every column fits from here on; a narrower terminal is shown the ones that matter most.
_WIDE_COLUMNS: Final = 132
_MIDDLE_COLUMNS: Final = 100
# Below this there is only room for how far it is, how fast, and how long it will take.
_NARROW_COLUMNS: Final = 80
# More tables than this do not fit: then only those under way are shown, and the rest is counted.
MOST_ROWS: Final = 12

_UNDER_WAY: Final = frozenset({"running", "stalled", "paused"})
_BY_WEIGHT: Final[tuple[ShownState, ...]] = (
    "stalled",
    "paused",
    "failed",
    "interrupted",
    "waiting",
    "rejected",
)

# The text of a cell, of a table or of the total.
_Cell = Callable[[TableView], str]


@dataclass(frozen=True, slots=True)
class Footing:
    """What stands below the tables: the total, the time now and what keys there are."""

    total: TableProgress
    now: float
    keys_in_words: str | None = None


def render(
    views: Sequence[TableView],
    width: int,
    limits_in_words: str | None = None,
    footing: Footing | None = None,
) -> RenderableType:
    """The picture for a terminal of this width, in columns; `limits_in_words` is a line above it.

    Below stand what limits a table, and when all of it will be done.
    """
    parts: list[RenderableType] = [_render_tables(views, width, footing)]
    if limits_in_words is not None:
        parts.insert(0, Text(printable(limits_in_words), style="bold"))
    parts += [
        Text(
            f"{formatting.shortened(printable(view.name), 40)}: {printable(view.limited_by or '')}",
            style="dim",
        )
        for view in _limited(views)
    ]
    below = [] if footing is None else _below(views, footing)
    if below:
        parts.append(Text(" · ".join(below), style="dim"))
    return parts[0] if len(parts) == 1 else Group(*parts)


def _limited(views: Sequence[TableView]) -> list[TableView]:
    return [view for view in views if view.limited_by is not None][:MOST_ROWS]


def _below(views: Sequence[TableView], footing: Footing) -> list[str]:
    """How many tables are in which state, the clock time of the end, the keys."""
    parts = [states_in_words(views)] if len(views) > 1 else []
    seconds = footing.total.eta_seconds
    if seconds is not None and seconds >= CLOCK_TIME_FROM_SECONDS:
        parts.append(f"done {clock_time.about(seconds, footing.now)}")
    if footing.keys_in_words is not None and any(v.shown_state in _UNDER_WAY for v in views):
        parts.append(footing.keys_in_words)
    return parts


def _render_tables(
    views: Sequence[TableView], width: int, footing: Footing | None
) -> RenderableType:
    shown = views
    if len(views) > MOST_ROWS:
        shown = [view for view in views if view.shown_state in _UNDER_WAY][:MOST_ROWS]
    rows = [(view, _cells(view, width)) for view in shown]
    if footing is not None and len(views) > 1:
        total = total_view(views, footing.total)
        rows.append((total, _cells(total, width)))
    wide = width >= _MIDDLE_COLUMNS
    name_width, bar_width = (32, 16) if wide else (16, 8)
    table = table_of(rows, ["", *_columns(width)], name_width=name_width, bar_width=bar_width)
    if len(shown) == len(views) or footing is not None:
        return table
    return Group(table, Text(states_in_words(views)))


def total_view(views: Sequence[TableView], total: TableProgress) -> TableView:
    """All tables together, as a row."""
    return TableView(
        name="total",
        state="running" if is_moving(views) else "waiting",
        shown_state="running" if is_moving(views) else _state_of_all(views),
        share_done=total.progress_ratio,
        items_done=total.items_done,
        expected_items=total.expected_items,
        items_per_second=items_per_second(views),
        bytes_per_second=_sum(view.bytes_per_second for view in views),
        read_units_per_second=_sum(view.read_units_per_second for view in views),
        write_units_per_second=_sum(view.write_units_per_second for view in views),
        throttled_share=None,
        segments_complete=sum(view.segments_complete for view in views),
        segments_total=sum(view.segments_total for view in views),
        seconds_left=total.eta_seconds,
    )


def _state_of_all(views: Sequence[TableView]) -> ShownState:
    """The state that matters most, where no table is running."""
    states = {view.shown_state for view in views}
    return next((state for state in _BY_WEIGHT if state in states), "complete")


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def table_of(
    rows: Iterable[tuple[TableView, Sequence[str]]],
    headings: Sequence[str],
    *,
    name_width: int,
    bar_width: int,
) -> Table:
    """A row for each view: its name, a bar, and its cells below the headings."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("table", overflow="ellipsis", no_wrap=True, max_width=name_width)
    table.add_column("", width=bar_width)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for view, cells in rows:
        bar = ProgressBar(total=1.0, completed=view.share_done, width=bar_width)
        name = Text(formatting.shortened(printable(view.name), name_width))
        table.add_row(name, bar, *cells)
    return table


def _eta(view: TableView) -> str:
    return duration_or_unknown(view.seconds_left) if view.shown_state == "running" else ""


_COLUMNS: Final[dict[str, _Cell]] = {
    "items": lambda view: formatting.short(view.items_done),
    "items/s": lambda view: formatting.short(view.items_per_second),
    "MB/s": lambda view: formatting.megabytes(view.bytes_per_second),
    "WCU/s": lambda view: formatting.short(view.write_units_per_second),
    "RCU/s": lambda view: formatting.short(view.read_units_per_second),
    "throttled": lambda view: formatting.percent(view.throttled_share),
    "segments": lambda view: f"{view.segments_complete}/{view.segments_total}",
    "ETA": _eta,
    "state": lambda view: view.shown_state,
}
_MIDDLE: Final = ("items", "items/s", "WCU/s", "throttled", "segments", "ETA", "state")
_NARROW: Final = ("items", "items/s", "throttled", "ETA", "state")


def _columns(width: int) -> dict[str, _Cell]:
    """The columns behind the share, by their headings."""
    if width >= _WIDE_COLUMNS:
        return _COLUMNS | {"items": lambda view: formatting.count(view.items_done)}
    if width >= _MIDDLE_COLUMNS:
        return {heading: _COLUMNS[heading] for heading in _MIDDLE}
    if width >= _NARROW_COLUMNS:
        return {heading: _COLUMNS[heading] for heading in _NARROW}
    # There is no room for both: a table that is not running has no ETA.
    return {heading: _COLUMNS[heading] for heading in ("items", "items/s")} | {"ETA": ending}


def _cells(view: TableView, width: int) -> list[str]:
    share = formatting.percent(view.share_done)
    return [share, *(cell(view) for cell in _columns(width).values())]


async def watch_live(
    stats: RunStats,
    *,
    readers: int,
    console: Console,
    keys_in_words: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Redraws until it is cancelled because the copy ended; the last state stays on the screen.

    A terminal that went away ends the display and nothing else.
    """
    meter = RunMeter(readers)
    await redraw(
        lambda: meter.view(stats, clock()),
        lambda views: render(
            views,
            console.width,
            stats.limits_in_words,
            Footing(meter.total, wall_clock(), keys_in_words),
        ),
        console=console,
        sleep=sleep,
    )
