"""The progress of a verification, as a table that is redrawn on a terminal."""

import time
from collections.abc import Awaitable, Callable, Sequence

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dynaferry.observe import formatting
from dynaferry.shared.printable import printable
from dynaferry.verify.progress import ComparisonMeter, Shown, ending
from dynaferry.verify.stats import ComparisonRunStats

_REFRESH_SECONDS = 0.5
_BAR_WIDTH = 16
_NAME_WIDTH = 32
_MOST_ROWS = 12


def render(shown: Sequence[Shown], held_back: str | None = None) -> RenderableType:
    """The tables that run, or all where they fit; `held_back` is a line above them."""
    table = _table(shown)
    return table if held_back is None else Group(Text(printable(held_back), style="bold"), table)


def _table(shown: Sequence[Shown]) -> Table:
    if len(shown) > _MOST_ROWS:
        shown = [one for one in shown if one[0].state == "running"][:_MOST_ROWS]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("table", overflow="ellipsis", no_wrap=True, max_width=_NAME_WIDTH)
    table.add_column("", width=_BAR_WIDTH)
    for heading in ("", "items", "items/s", "RCU/s", "segments", "differ", "left"):
        table.add_column(heading, justify="right", no_wrap=True)
    for view, stats in shown:
        table.add_row(
            Text(formatting.shortened(printable(view.name), _NAME_WIDTH)),
            ProgressBar(total=1.0, completed=view.share_done, width=_BAR_WIDTH),
            formatting.percent(view.share_done),
            formatting.short(view.items_done),
            formatting.short(view.items_per_second),
            formatting.short(view.read_units_per_second),
            f"{view.segments_complete}/{view.segments_total}",
            formatting.short(stats.differences),
            ending(view, stats).removesuffix(" left"),
        )
    return table


async def watch_live(
    stats: ComparisonRunStats,
    *,
    readers: int,
    console: Console,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> None:
    """Redraws until it is cancelled; a terminal that went away ends the display, nothing else."""
    meter = ComparisonMeter(readers)
    try:
        with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
            try:
                while True:
                    live.update(render(meter.view(stats, clock()), stats.held_back), refresh=True)
                    await sleep(_REFRESH_SECONDS)
            finally:
                live.update(render(meter.view(stats, clock()), stats.held_back), refresh=True)
    except OSError:
        return
