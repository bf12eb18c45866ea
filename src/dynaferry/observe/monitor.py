"""The monitor of a run: what is known of it at any moment, for metrics, health and the live page.

A run has one. The copy calls it when it begins and when it has ended; in between it samples the
counters once a second. It reads them and changes nothing.
"""

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

import anyio

from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.health import Health, HealthWatch
from dynaferry.observe.histogram import BOUNDS
from dynaferry.observe.history import History, Point, point_of, table_point
from dynaferry.observe.move_health import MoveHealth
from dynaferry.observe.move_history import MovePoint, move_point, with_worst_lag
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.request_stats import RequestStats
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunSummary

_log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 1.0
# Percentiles are of the last minute, so that an hour that went well does not hide a bad one.
LATENCY_SAMPLES: Final = 60
# A hundred tables are not to hold a hundred times what a run holds.
MOST_TABLE_POINTS: Final = 300

Phase = Literal["preparing", "running", "ended"]


class RunMonitor:
    """A sampler of one run. `readers` is how many segments of a table are under way at most."""

    def __init__(
        self,
        run: str,
        *,
        readers: int,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.run = run
        self.clock = clock
        self.stats = RunStats(run)
        self.phase: Phase = "preparing"
        self.summary: RunSummary | None = None
        self.finish_by: float | None = None  # seconds since 1970, where the person gave a time
        self.views: Sequence[TableView] = ()
        self.total = TableProgress()
        self.history: History[Point] = History()
        self.table_histories: dict[int, History[Point]] = {}
        self.move: Sequence[MoveStatus] = ()
        self.move_history: History[MovePoint] = History(merged=with_worst_lag)
        self.began_at = clock()
        self.began_epoch = wall_clock()
        self.ended_at: float | None = None
        self.refreshed = anyio.Event()
        self._meter = RunMeter(readers)
        self._health = HealthWatch(self.began_at)
        self._move_health = MoveHealth(self.began_at)
        self._is_watching = False
        self._was_healthy = True
        self._scans = _Recent()
        self._batch_writes = _Recent()

    async def watch(
        self, stats: RunStats, *, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    ) -> None:
        """Samples `stats` until it is cancelled because the copy ended."""
        self.stats, self.phase, self._is_watching = stats, "running", True
        try:
            while True:
                self.refresh()
                await sleep(REFRESH_SECONDS)
        finally:
            self._is_watching = False
            self.refresh()

    def note_move(self, tables: Sequence[MoveStatus]) -> None:
        """Takes how the tables of a move stand, about once a second, from its first second on."""
        now = self.clock()
        self.move = tables
        self.move_history.add(move_point(tables, now - self.began_at))
        self._move_health.see(tables, self.stats, now)
        if not self._is_watching:
            self.refresh()

    def ended(self, summary: RunSummary) -> None:
        """Notes how the run ended, and takes the last sample."""
        now = self.clock()
        self.phase, self.summary, self.ended_at = "ended", summary, now
        self._refresh(now)

    def refresh(self) -> None:
        """Takes a sample now, and wakes the tasks that wait for `refreshed`."""
        self._refresh(self.clock())

    def _refresh(self, now: float) -> None:
        self.views = self._meter.view(self.stats, now)
        self.total = self._meter.total
        self.history.add(point_of(self.stats, now - self.began_at))
        self._add_table_points(now - self.began_at)
        self._health.see(self.stats, now)
        self._log_change_of_health(now)
        self._scans.add([table.scans for table in self.stats.tables])
        self._batch_writes.add([table.batch_writes for table in self.stats.tables])
        self.refreshed.set()
        self.refreshed = anyio.Event()

    def _add_table_points(self, seconds: float) -> None:
        """A table has a history from when it runs until it ends."""
        for index, table in enumerate(self.stats.tables):
            if table.state == "running":
                history = self.table_histories.setdefault(index, History(MOST_TABLE_POINTS))
                history.add(table_point(self.stats, table, seconds))

    def _log_change_of_health(self, now: float) -> None:
        health = self._health_at(now)
        if health.ok != self._was_healthy:
            level = logging.INFO if health.ok else logging.WARNING
            event = {"event": "health", "reason": health.reason}
            _log.log(level, "health: %s", health.reason, extra=event)
        self._was_healthy = health.ok

    @property
    def health(self) -> Health:
        """Whether the run is healthy, at this moment."""
        return self._health_at(self.clock())

    def _health_at(self, now: float) -> Health:
        if self.phase == "preparing":
            return Health(ok=True, reason="preparing")
        if self.summary is not None:
            return Health(ok=self.summary.status != "failed", reason=self.summary.status)
        verdict = self._health.verdict(self.stats, now)
        if self.move and verdict.ok:
            return self._move_health.verdict(self.move, self.stats, now) or verdict
        return verdict

    def recent_latency(self) -> dict[str, list[int]]:
        """The requests of the last minute by operation, in the buckets of `RequestStats`."""
        return {"Scan": self._scans.buckets(), "BatchWriteItem": self._batch_writes.buckets()}


class _Recent:
    """The buckets of an operation, of all tables, as they were at each of the last samples."""

    def __init__(self) -> None:
        self._samples: deque[list[int]] = deque(maxlen=LATENCY_SAMPLES + 1)

    def add(self, tables: Sequence[RequestStats]) -> None:
        nothing = [0] * (len(BOUNDS) + 1)
        columns = zip(nothing, *(table.buckets for table in tables), strict=True)
        self._samples.append([sum(column) for column in columns])

    def buckets(self) -> list[int]:
        if not self._samples:
            return [0] * (len(BOUNDS) + 1)
        return [new - old for old, new in zip(self._samples[0], self._samples[-1], strict=True)]
