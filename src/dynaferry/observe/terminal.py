"""The progress of a run as a table on a terminal, redrawn in place."""

import time
from collections.abc import Callable, Iterable, Sequence

import anyio
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dynaferry.observe import formatting
from dynaferry.observe.display import Sleep, redraw
from dynaferry.observe.progress import ending
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import RunStats
from dynaferry.shared.printable import printable

# All columns fit from here; a narrower terminal is shown the ones that matter most.
_WIDE_COLUMNS = 110
# Below this there is only room for how far it is, how fast, and how long it will take.
_NARROW_COLUMNS = 72
# More tables than this do not fit: then only those that run are shown, and the rest is counted.
MOST_ROWS = 12


def render(
    views: Sequence[TableView], width: int, limits_in_words: str | None = None
) -> RenderableType:
    """The picture for a terminal of this width, in columns; `limits_in_words` is a line above it.

    Below stands the resource that the service named as the limit of a table's writes.
    """
    parts: list[RenderableType] = [_render_tables(views, width)]
    if limits_in_words is not None:
        parts.insert(0, Text(printable(limits_in_words), style="bold"))
    parts += [
        Text(
            f"{formatting.shortened(printable(view.name), 40)} is held back by "
            f"{printable(view.bottleneck or '')}",
            style="dim",
        )
        for view in _limits_in_words(views)
    ]
    return parts[0] if len(parts) == 1 else Group(*parts)


def _limits_in_words(views: Sequence[TableView]) -> list[TableView]:
    return [view for view in views if view.bottleneck is not None][:MOST_ROWS]


def _render_tables(views: Sequence[TableView], width: int) -> RenderableType:
    shown = views
    if len(views) > MOST_ROWS:
        shown = [view for view in views if view.state == "running"][:MOST_ROWS]
    table = _table(shown, width)
    if len(shown) == len(views):
        return table
    waiting = sum(view.state == "waiting" for view in views)
    running = sum(view.state == "running" for view in views)
    ended = len(views) - waiting - running
    return Group(table, Text(f"{ended} tables ended, {running} running, {waiting} waiting"))


def _table(views: Sequence[TableView], width: int) -> Table:
    wide = width >= _WIDE_COLUMNS
    name_width, bar_width = (40, 20) if wide else (16, 8)
    rows = ((view, _cells(view, width)) for view in views)
    return table_of(rows, _headings(width), name_width=name_width, bar_width=bar_width)


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


def _headings(width: int) -> tuple[str, ...]:
    if width >= _WIDE_COLUMNS:
        return "", "items", "items/s", "MB/s", "WCU/s", "RCU/s", "throttled", "segments", "left"
    if width >= _NARROW_COLUMNS:
        return "", "items", "items/s", "WCU/s", "thr.", "segments", "left"
    return "", "items", "items/s", "segments", "left"


def _cells(view: TableView, width: int) -> tuple[str, ...]:
    share = formatting.percent(view.share_done)
    items_per_second = formatting.short(view.items_per_second)
    write_units = formatting.short(view.write_units_per_second)
    throttled = formatting.percent(view.throttled_share)
    segments = f"{view.segments_complete}/{view.segments_total}"
    if width < _NARROW_COLUMNS:
        items = formatting.short(view.items_done)
        return share, items, items_per_second, segments, _ending(view)
    if width < _WIDE_COLUMNS:
        items = formatting.short(view.items_done)
        return share, items, items_per_second, write_units, throttled, segments, _ending(view)
    return (
        share,
        formatting.count(view.items_done),
        items_per_second,
        formatting.megabytes(view.bytes_per_second),
        write_units,
        formatting.short(view.read_units_per_second),
        throttled,
        segments,
        _ending(view),
    )


def _ending(view: TableView) -> str:
    """Short, so that it does not take the room of the numbers."""
    return "rejects" if view.state == "rejected" else ending(view)


async def watch_live(
    stats: RunStats,
    *,
    readers: int,
    console: Console,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Redraws until it is cancelled because the copy ended; the last state stays on the screen.

    A terminal that went away ends the display and nothing else.
    """
    meter = RunMeter(readers)
    await redraw(
        lambda: meter.view(stats, clock()),
        lambda views: render(views, console.width, stats.limits_in_words),
        console=console,
        sleep=sleep,
    )
