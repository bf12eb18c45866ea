"""The progress of a verification, as lines for a log."""

import time
from collections.abc import Awaitable, Callable, Sequence

import anyio

from dynaferry.observe import formatting
from dynaferry.observe.progress import PLAIN_LINES_EVERY_SECONDS, PlainLog, RunMeter, TableView
from dynaferry.observe.stats import RunStats
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats

_SAMPLE_SECONDS = 1.0

Shown = tuple[TableView, ComparisonStats]


class ComparisonMeter:
    """What is shown of each table that has begun; at most `readers` segments are under way."""

    def __init__(self, readers: int) -> None:
        self._meter = RunMeter(readers)

    def view(self, stats: ComparisonRunStats, now: float) -> list[Shown]:
        """Takes a sample and returns how it goes, table by table."""
        views = self._meter.view(RunStats(stats.run, list(stats.tables)), now)
        pairs = zip(views, stats.tables, strict=True)
        return [(view, table) for view, table in pairs if view.state != "waiting"]


def plain_line(view: TableView, stats: ComparisonStats) -> str:
    """One table as a line for a log."""
    return ", ".join(
        (
            f"{view.name}: {formatting.percent(view.share_done)}",
            f"{formatting.count(view.items_done)} items compared",
            f"{formatting.short(view.items_per_second)} items/s",
            f"{formatting.megabytes(view.bytes_per_second)} MB/s",
            f"{formatting.short(view.read_units_per_second)} RCU/s",
            f"{formatting.percent(view.throttled_share)} throttled",
            f"segments {view.segments_complete}/{view.segments_total}",
            f"{formatting.count(stats.differences)} differences",
            ending(view, stats),
        )
    )


def ending(view: TableView, stats: ComparisonStats) -> str:
    """When it will end, or how it ended."""
    if view.state != "running":
        return {"complete": "done", "interrupted": "stopped"}.get(view.state, view.state)
    if view.segments_complete < view.segments_total:
        return f"{formatting.duration(view.seconds_left)} left"
    return f"{formatting.count(stats.unconfirmed)} to confirm"


async def watch_plain(
    stats: ComparisonRunStats,
    *,
    readers: int,
    write: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> None:
    """Writes lines every ten seconds, and once more when it is cancelled at the end.

    `write` must not raise.
    """
    # How it began has been said by whoever began it.
    meter, log = ComparisonMeter(readers), PlainLog(stats.held_back)
    ticks = 0
    try:
        while True:
            shown = meter.view(stats, clock())
            for line in log.news(stats):
                write(line)
            if ticks and ticks % PLAIN_LINES_EVERY_SECONDS == 0:
                _write_all(write, [one for one in shown if one[0].state == "running"])
            ticks += 1
            await sleep(_SAMPLE_SECONDS)
    finally:
        _write_all(write, meter.view(stats, clock()))


def _write_all(write: Callable[[str], None], shown: Sequence[Shown]) -> None:
    for view, stats in shown:
        write(plain_line(view, stats))
