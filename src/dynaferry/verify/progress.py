"""The progress of a verification, as lines for a log."""

import time
from collections.abc import Callable, Sequence

import anyio

from dynaferry.observe import formatting
from dynaferry.observe.display import Sleep, write_lines
from dynaferry.observe.progress import PlainLog
from dynaferry.observe.progress_events import Event, Fields, percent, rounded
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import RunStats
from dynaferry.shared.arn import resource_name
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats

Shown = tuple[TableView, ComparisonStats]


class ComparisonMeter:
    """The progress of each table that has begun; at most `readers` segments are under way."""

    def __init__(self, readers: int) -> None:
        self._meter = RunMeter(readers)

    def view(self, stats: ComparisonRunStats, now: float) -> list[Shown]:
        """Takes a sample; returns the progress of each table."""
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
    """The time left in words, or how the table ended."""
    if view.state != "running":
        return {"complete": "done", "interrupted": "stopped"}.get(view.state, view.state)
    if view.segments_complete < view.segments_total:
        return f"{formatting.time_left(view.seconds_left)} left"
    return f"{formatting.count(stats.unconfirmed)} to check again"


def event_of(view: TableView, stats: ComparisonStats) -> Event:
    """One table as an event for a log in JSON."""
    fields = {
        "event": "verify-progress",
        "table": resource_name(stats.source),
        "source": stats.source,
        "target": stats.target,
        "state": view.shown_state,
        "items": view.items_done,
        "percent": percent(view.share_done),
        "items_per_second": rounded(view.items_per_second),
        "eta_seconds": rounded(formatting.seconds_left(view.seconds_left)),
        "rcu_per_second": rounded(view.read_units_per_second),
        "throttled_percent": percent(view.throttled_share),
        "segments_complete": view.segments_complete,
        "segments_total": view.segments_total,
        "differences": stats.differences,
        "unconfirmed": stats.unconfirmed,
    }
    return plain_line(view, stats), fields


async def watch_plain(
    stats: ComparisonRunStats,
    *,
    readers: int,
    write: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Writes lines every ten seconds, and once more when it is cancelled at the end.

    `write` must not raise.
    """

    def write_line(event: Event) -> None:
        write(event[0])

    await _watch(stats, readers, write_line, clock, sleep)


async def watch_events(
    stats: ComparisonRunStats,
    *,
    readers: int,
    write: Callable[[str, Fields], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Writes the same as events, each line with its facts as fields. `write` must not raise."""
    await _watch(stats, readers, lambda event: write(*event), clock, sleep)


async def _watch(
    stats: ComparisonRunStats,
    readers: int,
    write: Callable[[Event], None],
    clock: Callable[[], float],
    sleep: Sleep,
) -> None:
    # The line of the beginning was printed by the caller.
    meter, log = ComparisonMeter(readers), PlainLog(stats.limits_in_words)
    await write_lines(
        lambda: meter.view(stats, clock()),
        lambda shown: _events([one for one in shown if one[0].state == "running"]),
        last_lines=_events,
        news=lambda: [(line, {"event": "limits"}) for line in log.news(stats)],
        write=write,
        sleep=sleep,
    )


def _events(shown: Sequence[Shown]) -> list[Event]:
    return [event_of(view, stats) for view, stats in shown]
