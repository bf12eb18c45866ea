"""The progress of a verification, as a table that is redrawn on a terminal."""

import time
from collections.abc import Callable, Sequence

import anyio
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dynaferry.observe import formatting
from dynaferry.observe.display import Sleep, redraw
from dynaferry.observe.run_meter import TableView
from dynaferry.observe.terminal import MOST_ROWS, table_of
from dynaferry.shared.printable import printable
from dynaferry.verify.progress import ComparisonMeter, Shown, ending
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats

_BAR_WIDTH = 16
_NAME_WIDTH = 32


def render(shown: Sequence[Shown], limits_in_words: str | None = None) -> RenderableType:
    """The tables that run, or all where they fit; `limits_in_words` is a line above them."""
    table = _table(shown)
    return (
        table
        if limits_in_words is None
        else Group(Text(printable(limits_in_words), style="bold"), table)
    )


def _table(shown: Sequence[Shown]) -> Table:
    if len(shown) > MOST_ROWS:
        shown = [one for one in shown if one[0].state == "running"][:MOST_ROWS]
    return table_of(
        ((view, _cells(view, stats)) for view, stats in shown),
        ("", "items", "items/s", "RCU/s", "segments", "differ", "left"),
        name_width=_NAME_WIDTH,
        bar_width=_BAR_WIDTH,
    )


def _cells(view: TableView, stats: ComparisonStats) -> tuple[str, ...]:
    return (
        formatting.percent(view.share_done),
        formatting.short(view.items_done),
        formatting.short(view.items_per_second),
        formatting.short(view.read_units_per_second),
        f"{view.segments_complete}/{view.segments_total}",
        formatting.short(stats.differences),
        ending(view, stats).removesuffix(" left"),
    )


async def watch_live(
    stats: ComparisonRunStats,
    *,
    readers: int,
    console: Console,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Redraws until it is cancelled; a terminal that went away ends the display, nothing else."""
    meter = ComparisonMeter(readers)
    await redraw(
        lambda: meter.view(stats, clock()),
        lambda shown: render(shown, stats.limits_in_words),
        console=console,
        sleep=sleep,
    )
