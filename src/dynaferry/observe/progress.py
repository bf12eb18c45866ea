"""The progress of a run: from counters to rates and to lines for people.

`RunMeter` turns counters into rates, `PlainLog` those into lines for a log, `terminal.py` into a
table on a terminal. All of it only reads the stats: nothing here steers a copy, and
nothing here can stop one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio

from dynaferry.observe import formatting, rates
from dynaferry.observe.display import Sleep, write_lines
from dynaferry.observe.health import stalled_for
from dynaferry.observe.limiting_factor import Signs, bottleneck
from dynaferry.observe.stats import ControlledStats, RunStats, TableState, TableStats
from dynaferry.shared.arn import resource_name

# Samples in a row in which the reads wait: in a single one they may be about to be sent.
SAMPLES_TO_BE_SURE = 3
_FINISHED = frozenset({"complete", "rejected", "interrupted", "failed"})


@dataclass(frozen=True, slots=True)
class TableView:
    """One table's progress as it is shown. None stands for what is not known yet.

    `bottleneck` is what limited the writes in the last half minute, where the service named it,
    or else the limit that the reads wait for all the time.
    A table that is stalled has neither rates nor time left: they were true before.
    """

    name: str
    state: TableState
    share_done: float
    items_done: int
    items_per_second: float | None
    bytes_per_second: float | None
    read_units_per_second: float | None
    write_units_per_second: float | None
    throttled_share: float | None
    segments_complete: int
    segments_total: int
    seconds_left: float | None
    bottleneck: str | None = None
    is_stalled: bool = False


@dataclass(slots=True)
class _TableMeter:
    """The sliding rates of one table's counters."""

    items: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    bytes_read: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    read_units: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    write_units: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    requests: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    throttles: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    unprocessed: rates.SlidingRate = field(default_factory=rates.SlidingRate)
    samples_waiting: int = 0

    def add(self, stats: TableStats, now: float) -> None:
        self.items.add(now, stats.items_done)
        self.bytes_read.add(now, stats.bytes_read)
        self.read_units.add(now, stats.read_units)
        self.write_units.add(now, stats.write_units)
        self.requests.add(now, stats.read_requests + stats.write_requests)
        self.throttles.add(now, stats.throttled_requests)
        self.unprocessed.add(now, stats.unprocessed_items)
        # Who waits for the writes does not wait for the pace of the reads.
        self.samples_waiting = self.samples_waiting + 1 if stats.reads_waiting else 0

    def signs(self, stats: TableStats, unstored_seconds: float | None) -> Signs:
        """What limits the table, as far as its own counters show."""
        is_throttled = bool(self.throttles.per_second or self.unprocessed.per_second)
        limit = stats.read_rate_limit_units
        waits = limit is not None and self.samples_waiting >= SAMPLES_TO_BE_SURE
        limited_by = stats.read_limit_reason or "the limit of the reads"
        return Signs(
            unstored_seconds=unstored_seconds,
            resource=stats.bottleneck if is_throttled else None,
            read_limit=f"{limited_by}, {limit:,g} units a second" if waits else None,
        )

    @property
    def throttled_share(self) -> float | None:
        requests, throttles = self.requests.per_second, self.throttles.per_second
        if requests is None or throttles is None:
            return None
        return min(1.0, throttles / requests) if requests else float(throttles > 0)


class RunMeter:
    """The rates of a run's tables over the last half minute.

    The first sample is what earlier attempts did, so that it never counts as speed. `readers`
    is how many segments of a table are under way at most.
    """

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._meters: dict[int, _TableMeter] = {}

    def view(self, stats: RunStats, now: float) -> list[TableView]:
        """Takes a sample; returns the progress of each table, in the plan's order."""
        unstored = stalled_for(stats, now)
        views = [
            self._view_table(index, table, now, unstored)
            for index, table in enumerate(stats.tables)
        ]
        if stats.paused:  # then that is what everything waits for
            for meter in self._meters.values():
                meter.samples_waiting = 0
        if unstored is None:
            return views
        return [_stalled(view) if view.state == "running" else view for view in views]

    def _view_table(
        self, index: int, stats: TableStats, now: float, unstored: float | None
    ) -> TableView:
        meter = self._meters.setdefault(index, _TableMeter())
        meter.add(stats, now)
        expected = self._expected_items(stats)
        return TableView(
            name=_name(stats),
            state=stats.state,
            share_done=rates.share_done(
                stats.items_done, expected, stats.segments_complete, stats.segments_total
            ),
            items_done=stats.items_done,
            items_per_second=meter.items.per_second,
            bytes_per_second=meter.bytes_read.per_second,
            read_units_per_second=meter.read_units.per_second,
            write_units_per_second=meter.write_units.per_second,
            throttled_share=meter.throttled_share,
            segments_complete=stats.segments_complete,
            segments_total=stats.segments_total,
            seconds_left=rates.seconds_left(stats.items_done, expected, meter.items.per_second)
            if stats.state == "running"
            else None,
            bottleneck=bottleneck(meter.signs(stats, unstored))
            if stats.state == "running"
            else None,
        )

    def _expected_items(self, stats: TableStats) -> int | None:
        running = min(self._readers, stats.segments_total - stats.segments_complete)
        return rates.expected_items(
            items_done=stats.items_done,
            finished_items=rates.finished_segment_items(
                stats.items_done, stats.segments_complete, running
            ),
            segments_complete=stats.segments_complete,
            segments_total=stats.segments_total,
            reported_items=stats.expected_items,
        )


def _stalled(view: TableView) -> TableView:
    return replace(
        view,
        items_per_second=None,
        bytes_per_second=None,
        read_units_per_second=None,
        write_units_per_second=None,
        throttled_share=None,
        seconds_left=None,
        is_stalled=True,
    )


def _name(stats: TableStats) -> str:
    source, target = resource_name(stats.source), resource_name(stats.target)
    return source if source == target else f"{source} → {target}"


def ending(view: TableView) -> str:
    """The time left in words, or how the table ended."""
    if view.is_stalled:
        return "stalled"
    if view.state == "running":
        return formatting.duration(view.seconds_left)
    return {"complete": "done", "rejected": "done, with rejects", "interrupted": "stopped"}.get(
        view.state, view.state
    )


def plain_line(view: TableView) -> str:
    """One table as a line for a log: words and numbers, no control sequences."""
    goes_on = view.state == "running" and not view.is_stalled
    left = f"{ending(view)} left" if goes_on else ending(view)
    bottleneck = (f"held back by {view.bottleneck}",) if view.bottleneck else ()
    return ", ".join(
        (
            f"{view.name}: {formatting.percent(view.share_done)}",
            f"{formatting.count(view.items_done)} items",
            f"{formatting.short(view.items_per_second)} items/s",
            f"{formatting.megabytes(view.bytes_per_second)} MB/s",
            f"{formatting.short(view.write_units_per_second)} WCU/s",
            f"{formatting.short(view.read_units_per_second)} RCU/s",
            f"{formatting.percent(view.throttled_share)} throttled",
            f"segments {view.segments_complete}/{view.segments_total}",
            left,
            *bottleneck,
        )
    )


class PlainLog:
    """The choice of log lines: of tables that run, and of each once when it has ended."""

    def __init__(self, limits_in_words: str | None = None) -> None:
        self._ended: set[int] = set()
        self._limits_in_words = limits_in_words

    def news(self, stats: ControlledStats) -> list[str]:
        """A line when the pause or the caps have changed."""
        if stats.limits_in_words == self._limits_in_words:
            return []
        self._limits_in_words = stats.limits_in_words
        return [f"{stats.run}: {stats.limits_in_words or 'nothing holds it back'}"]

    def lines(self, views: Sequence[TableView]) -> list[str]:
        """The lines to write now."""
        worth: list[str] = []
        for index, view in enumerate(views):
            ended = view.state in _FINISHED
            if view.state == "waiting" or (ended and index in self._ended):
                continue
            if ended:
                self._ended.add(index)
            worth.append(plain_line(view))
        return worth


async def watch_plain(
    stats: RunStats,
    *,
    readers: int,
    write: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Writes lines every ten seconds, and once more when it is cancelled because the copy ended.

    `write` must not raise.
    """
    # The line of the beginning was printed by the caller.
    meter, log = RunMeter(readers), PlainLog(stats.limits_in_words)
    await write_lines(
        lambda: meter.view(stats, clock()),
        log.lines,
        last_lines=log.lines,
        news=lambda: log.news(stats),
        write=write,
        sleep=sleep,
    )
