"""The progress of a run under way: takes a sample now and then, and keeps what has been shown.

One `RunEstimator` works on a run, about once a second, and whoever shows progress shows what it
left in `RunStats.progress`. It starts from the shares that earlier attempts have shown, so that
none falls when a run is resumed.

A rate is that of the last minute in which the table was not paused: shorter, and the ETA jumps with
each burst of throttles; longer, and a cap that was set half an hour ago still counts.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

from dynaferry.limits import PARTITION_WRITE_UNITS
from dynaferry.observe import rates
from dynaferry.observe.estimator import (
    ItemsEstimate,
    Rates,
    RunProgress,
    TableProgress,
    TableWork,
    estimated_items,
    seconds_of_all,
    seconds_to_go,
    share_done,
    total_of,
)
from dynaferry.observe.health import Mark, stalled_for
from dynaferry.observe.limiting_factor import BROWN_OUT_SECONDS, STALL_SECONDS
from dynaferry.observe.segment_sums import SegmentSums
from dynaferry.observe.stats import RunStats, TableStats

RATE_SECONDS: Final = 60.0
LONGEST_RATE_SECONDS: Final = 600.0
# A rate of less than this says nothing of the time that is left.
LEAST_RATE_SECONDS: Final = 3.0
# From here on a plan of other tables is corrected by how far this one was off its own.
TELLING_SECONDS: Final = 30.0
# Who writes so much of what all may write together is held back by that.
HELD_SHARE: Final = 0.8
_TO_BE_DONE: Final = frozenset({"waiting", "running"})


class RunEstimator:
    """The estimator of one run. `readers` is how many segments of a table are under way at most."""

    def __init__(
        self, readers: int, *, shown: Sequence[float] = (), total_shown: float = 0.0
    ) -> None:
        self._readers = readers
        self._shown = shown
        self._total_shown = total_shown
        self._tables: dict[int, _TableEstimator] = {}
        self._units = rates.SlidingRate(RATE_SECONDS)
        self._pause = _Pause()

    def sample(self, stats: RunStats, now: float) -> RunProgress:
        """Takes a sample at `now`, in seconds by a clock that only goes forward.

        No share is below what was shown before, neither of a table nor of the total.
        """
        is_stalled = stalled_for(stats, now) is not None
        active = self._pause.active(now, paused=stats.paused)
        self._units.add(active, sum(table.write_units for table in stats.tables))
        held = [stats.paused or table.paused for table in stats.tables]
        tables = [
            self._of(index).sample(table, now, is_held=held[index], is_stalled=is_stalled)
            for index, table in enumerate(stats.tables)
        ]
        waits = any(
            is_held and table.state in _TO_BE_DONE
            for is_held, table in zip(held, stats.tables, strict=True)
        )
        eta = None if waits or is_stalled else self._eta(stats, tables)
        total = total_of(tables, eta, floor=self._total_shown)
        self._total_shown = total.progress_ratio
        return RunProgress(tables=tables, total=total)

    def _of(self, index: int) -> "_TableEstimator":
        if index not in self._tables:
            shown = self._shown[index] if index < len(self._shown) else 0.0
            self._tables[index] = _TableEstimator(self._readers, shown)
        return self._tables[index]

    def _eta(self, stats: RunStats, tables: Sequence[TableProgress]) -> float | None:
        works = [
            self._work(index, table, tables[index])
            for index, table in enumerate(stats.tables)
            if table.state in _TO_BE_DONE
        ]
        return seconds_of_all(works, stats.tables_at_once, self._shared_rate(stats))

    def _work(self, index: int, table: TableStats, seen: TableProgress) -> TableWork:
        is_running = table.state == "running"
        seconds = seen.eta_seconds
        if is_running and seen.items_done == seen.expected_items:
            seconds = 0.0
        elif not is_running or not self._of(index).is_measured:
            planned = table.planned_seconds
            left = (1 - seen.progress_ratio) * self._pace()
            seconds = None if planned is None else planned * left
        return TableWork(is_running=is_running, seconds=seconds, units=_units_left(table, seen))

    def _pace(self) -> float:
        """How much longer tables take than was planned."""
        paces = [table.pace for table in self._tables.values() if table.pace is not None]
        return median(paces) if paces else 1.0

    def _shared_rate(self, stats: RunStats) -> float | None:
        cap, rate = stats.write_cap_units, self._units.per_second
        if cap is None or not rate or rate < HELD_SHARE * cap:
            return None
        return min(cap, rate)


def _units_left(table: TableStats, seen: TableProgress) -> float:
    if table.write_units and seen.items_done and seen.expected_items is not None:
        return (seen.expected_items - seen.items_done) * table.write_units / seen.items_done
    return table.planned_write_units * (1 - seen.progress_ratio)


class _Pause:
    """A clock that stands still in a pause."""

    def __init__(self) -> None:
        self._paused_seconds = 0.0
        self._seen_at: float | None = None

    def active(self, now: float, *, paused: bool) -> float:
        """The time without the pauses so far."""
        if paused and self._seen_at is not None:
            self._paused_seconds += now - self._seen_at
        self._seen_at = now
        return now - self._paused_seconds


class _TableEstimator:
    """The rates of one table, and the share that it was shown with.

    `pace` is how much longer it takes than was planned, None where that cannot be said yet.
    """

    def __init__(self, readers: int, shown: float) -> None:
        self._readers = readers
        self._shown = shown
        self._pause = _Pause()
        self._items = rates.SlidingRate(RATE_SECONDS)
        self._largest = rates.SlidingRate(RATE_SECONDS)
        self._moved, self._refused = Mark(), Mark()
        self._still_seconds = 0.0
        self._began: tuple[float, int] | None = None
        self.pace: float | None = None

    @property
    def is_measured(self) -> bool:
        """Whether its rate says something of the time that is left."""
        return self._items.seconds >= LEAST_RATE_SECONDS

    def sample(
        self, stats: TableStats, now: float, *, is_held: bool, is_stalled: bool
    ) -> TableProgress:
        active = self._pause.active(now, paused=is_held)
        sums = sums_of(stats, self._readers)
        estimate = estimated_items(
            sums,
            items_done=stats.items_done,
            segments_total=stats.segments_total,
            reported_items=stats.expected_items,
        )
        share = share_done(
            stats.items_done, estimate.most, stats.segments_complete, stats.segments_total
        )
        self._shown = max(self._shown, share)
        eta = None
        if stats.state == "running":
            self._see(stats, sums, active)
            self._note_pace(stats, estimate.expected, active)
            eta = None if is_held or is_stalled else self._eta(stats, estimate, active)
        return TableProgress(
            items_done=stats.items_done,
            expected_items=estimate.expected,
            progress_ratio=self._shown,
            eta_seconds=eta,
        )

    def _eta(self, stats: TableStats, estimate: ItemsEstimate, now: float) -> float | None:
        if not self.is_measured or self._stands_still(now):
            return None
        per_item = stats.write_units / stats.items_done if stats.items_done else 0.0
        found = Rates(
            of_table=self._items.per_second,
            of_largest=self._largest.per_second,
            alone=PARTITION_WRITE_UNITS / per_item if per_item else 0.0,
        )
        return seconds_to_go(stats.items_done, estimate, found)

    def _see(self, stats: TableStats, sums: SegmentSums, now: float) -> None:
        if self._began is None:
            self._began = (now, stats.items_done)
        self._refused.see(stats.throttled_requests + stats.unprocessed_items, now)
        moved = stats.items_done + stats.segments_complete
        if self._stands_still(now):
            if moved == self._moved.value:
                return
            # It goes on: what stood still says nothing of the rate from here on.
            self._still_seconds += now - self._moved.moved_at - 1.0
            self._items.forget_after(self._moved.moved_at)
            self._largest.forget_after(self._moved.moved_at)
        self._moved.see(moved, now)
        at = now - self._still_seconds
        window = (now - self._began[0]) / 2
        self._items.window_seconds = min(LONGEST_RATE_SECONDS, max(RATE_SECONDS, window))
        self._items.add(at, stats.items_done)
        if self._largest.latest is not None and sums.largest_settled < self._largest.latest:
            self._largest = rates.SlidingRate(RATE_SECONDS)  # it is complete, this is another one
        self._largest.add(at, sums.largest_settled)

    def _stands_still(self, now: float) -> bool:
        still = now - self._moved.moved_at
        refused_since = self._refused.moved_at > self._moved.moved_at
        return still > (BROWN_OUT_SECONDS if refused_since else STALL_SECONDS)

    def _note_pace(self, stats: TableStats, expected: int | None, now: float) -> None:
        began, done = self._began or (now, 0)
        seconds, items = now - began, stats.items_done - done
        if seconds < TELLING_SECONDS or not items or not expected or not stats.planned_seconds:
            return
        self.pace = seconds * expected / items / stats.planned_seconds


def sums_of(stats: TableStats, readers: int) -> SegmentSums:
    """The sums over the segments of a table; guessed where nobody keeps them, as of a comparison.

    There those that have ended are taken to be of a size, and at most `readers` to be under way.
    """
    if stats.segment_sums.complete or not stats.segments_complete:
        return stats.segment_sums
    begun = min(readers, stats.segments_total - stats.segments_complete)
    done = rates.finished_segment_items(stats.items_done, stats.segments_complete, begun)
    each = done / stats.segments_complete
    return SegmentSums(
        complete=stats.segments_complete,
        items=round(done),
        squares=done * each,
        largest=round(each),
        begun=begun,
        begun_items=round(stats.items_done - done),
        largest_begun=round(min(each, (stats.items_done - done) / begun)) if begun else 0,
    )
