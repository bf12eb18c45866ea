"""The rates of a run's tables, and the progress that is kept of it, as they are shown.

`progress.py` makes lines for a log of it, `terminal.py` a table on a terminal. It only reads the
stats: nothing here steers a copy, and nothing here can stop one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dynaferry.observe import rates
from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.health import Mark, stalled_for
from dynaferry.observe.limiting_factor import LimitingFactor, Rank, Signs, limiting_factor
from dynaferry.observe.run_estimator import RunEstimator
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.table_state import ShownState, TableState, shown_state
from dynaferry.shared.arn import resource_name

# Samples in a row in which the reads wait: in a single one they may be about to be sent.
SAMPLES_TO_BE_SURE = 3
_BOUNDING = frozenset({Rank.RESOURCE, Rank.READ_LIMIT})


@dataclass(frozen=True, slots=True)
class TableView:
    """One table's progress as it is shown. None stands for what is not known yet.

    `bottleneck` is what limited the writes in the last half minute, where the service named it,
    or else the limit that the reads wait for all the time; `limited_by` says so in words.
    A table that is stalled or paused has neither rates nor time left: they were true before.
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
    limited_by: str | None = None
    expected_items: int | None = None
    shown_state: ShownState = "running"

    @property
    def is_stalled(self) -> bool:
        """Whether it has stored nothing for too long."""
        return self.shown_state == "stalled"


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
    moved: Mark = field(default_factory=Mark)
    refused: Mark = field(default_factory=Mark)

    def begin_again(self) -> None:
        """Forgets what was measured: no rate is to cover a pause."""
        fresh = _TableMeter()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))

    def add(self, stats: TableStats, now: float) -> None:
        self.items.add(now, stats.items_done)
        self.bytes_read.add(now, stats.bytes_read)
        self.read_units.add(now, stats.read_units)
        self.write_units.add(now, stats.write_units)
        self.requests.add(now, stats.read_requests + stats.write_requests)
        self.throttles.add(now, stats.throttled_requests)
        self.unprocessed.add(now, stats.unprocessed_items)
        self.moved.see(stats.items_done + stats.segments_complete, now)
        self.refused.see(stats.throttled_requests + stats.unprocessed_items, now)
        # Who waits for the writes does not wait for the pace of the reads.
        self.samples_waiting = self.samples_waiting + 1 if stats.reads_waiting else 0

    def signs(self, stats: TableStats, now: float, unstored_seconds: float | None) -> Signs:
        """What limits the table, as far as its own counters show."""
        is_throttled = bool(self.throttles.per_second or self.unprocessed.per_second)
        limit = stats.read_rate_limit_units
        waits = limit is not None and self.samples_waiting >= SAMPLES_TO_BE_SURE
        limited_by = stats.read_limit_reason or "the limit of the reads"
        return Signs(
            unstored_seconds=unstored_seconds,
            silent_seconds=now - self.moved.moved_at,
            are_refused=self.refused.moved_at > self.moved.moved_at,
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
    """The rates of a run's tables over the last half minute, and the progress that is kept of it.

    The first sample is what earlier attempts did, so that it never counts as speed. Where nobody
    keeps the progress, as of a verification, it is estimated here; `readers` is how many segments
    of a table are under way at most.
    """

    def __init__(self, readers: int) -> None:
        self._estimator = RunEstimator(readers)
        self._meters: dict[int, _TableMeter] = {}
        self.total = TableProgress()

    def view(self, stats: RunStats, now: float) -> list[TableView]:
        """Takes a sample; returns the progress of each table, in the plan's order.

        `total` is that of all of them from then on.
        """
        progress = stats.progress or self._estimator.sample(stats, now)
        unstored = stalled_for(stats, now)
        held = [stats.paused or table.paused for table in stats.tables]
        views = [
            self._view_table(index, table, seen, now, unstored)
            for index, (table, seen) in enumerate(zip(stats.tables, progress.tables, strict=False))
        ]
        for index in range(len(views)):
            if held[index]:  # then that is what everything waits for
                self._meters[index].begin_again()
        shown = [
            _standing_still(view, paused=is_held, stalled=unstored is not None)
            if view.state == "running" and (is_held or unstored is not None)
            else view
            for view, is_held in zip(views, held, strict=False)
        ]
        is_moving = not stats.paused and all(
            each.shown_state == view.shown_state for each, view in zip(shown, views, strict=True)
        )
        self.total = _total(views, progress.total, is_moving=is_moving and unstored is None)
        return shown

    def _view_table(
        self,
        index: int,
        stats: TableStats,
        seen: TableProgress,
        now: float,
        unstored: float | None,
    ) -> TableView:
        meter = self._meters.setdefault(index, _TableMeter())
        meter.add(stats, now)
        is_running = stats.state == "running"
        is_complete = 0 < stats.segments_total <= stats.segments_complete
        factor = limiting_factor(meter.signs(stats, now, unstored)) if is_running else None
        is_refused = factor is not None and factor.rank is Rank.REFUSED
        done = stats.items_done
        expected = done if is_complete else seen.expected_items
        return TableView(
            name=_name(stats),
            state=stats.state,
            shown_state=shown_state(stats.state, paused=False, stalled=False),
            share_done=1.0 if is_complete else seen.progress_ratio,
            items_done=done,
            expected_items=None if expected is None else max(done, expected),
            items_per_second=0.0 if is_refused else meter.items.per_second,
            bytes_per_second=meter.bytes_read.per_second,
            read_units_per_second=meter.read_units.per_second,
            write_units_per_second=meter.write_units.per_second,
            throttled_share=meter.throttled_share,
            segments_complete=stats.segments_complete,
            segments_total=stats.segments_total,
            seconds_left=seen.eta_seconds if is_running and not is_refused else None,
            bottleneck=factor.reason if factor and factor.rank in _BOUNDING else None,
            limited_by=_limited_by(factor),
        )


def _limited_by(factor: LimitingFactor | None) -> str | None:
    """What limits a table, as it is said of it."""
    if factor is None:
        return None
    if factor.rank is Rank.RESOURCE:
        return f"throttled by {factor.reason}"
    if factor.rank is Rank.READ_LIMIT:
        return f"limited by {factor.reason}"
    return factor.reason if factor.rank is Rank.REFUSED else None


def _total(views: Sequence[TableView], kept: TableProgress, *, is_moving: bool) -> TableProgress:
    """The total as it was kept, with what is done by now."""
    done = sum(view.items_done for view in views)
    is_complete = bool(views) and all(view.share_done >= 1.0 for view in views)
    expected = done if is_complete else kept.expected_items
    return TableProgress(
        items_done=done,
        expected_items=None if expected is None else max(done, expected),
        progress_ratio=1.0 if is_complete else kept.progress_ratio,
        eta_seconds=kept.eta_seconds if is_moving and not is_complete else None,
    )


def _standing_still(view: TableView, *, paused: bool, stalled: bool) -> TableView:
    """Without rates and without an ETA: they were true before."""
    return replace(
        view,
        shown_state=shown_state(view.state, paused=paused, stalled=stalled),
        items_per_second=None,
        bytes_per_second=None,
        read_units_per_second=None,
        write_units_per_second=None,
        throttled_share=None,
        seconds_left=None,
        bottleneck=None,
        limited_by=None,
    )


def _name(stats: TableStats) -> str:
    source, target = resource_name(stats.source), resource_name(stats.target)
    return source if source == target else f"{source} → {target}"
