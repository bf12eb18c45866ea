"""The updates that a live page receives: everything at first, then only what is new.

A page that is open gets a few hundred bytes a second, however many segments there are. Field names
are a contract with web/static/page.js.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from dynaferry.observe.histogram import percentile
from dynaferry.observe.history import Point
from dynaferry.observe.monitor import Phase, RunMonitor
from dynaferry.observe.move_history import MovePoint
from dynaferry.observe.move_status import MoveState, MoveStatus
from dynaferry.observe.move_words import late_line, line_of, losing_line
from dynaferry.observe.progress import TableView
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import ErrorSummary, RunStatus
from dynaferry.web.switch import SwitchNews

_PERCENTILES: Final = (0.5, 0.95, 0.99)


class TableNews(Struct, frozen=True, kw_only=True):
    """The update of one table. `finished` holds the segments that are done and were not sent yet,
    each with the seconds it took; `running` those under way, each with the seconds so far.
    """

    source: str
    target: str
    state: str
    share_done: float
    items_done: int
    items_rejected: int
    bytes_read: int
    dollars: float
    items_per_second: float | None
    bytes_per_second: float | None
    read_units_per_second: float | None
    write_units_per_second: float | None
    throttled_share: float | None
    unprocessed_items: int
    seconds_left: float | None
    segments_total: int
    segments_complete: int
    bottleneck: str | None
    finished: list[tuple[int, float | None]]
    running: list[tuple[int, float]]


class MoveNews(Struct, frozen=True, kw_only=True):
    """How one table of a move stands; `line` and `losing` are for people, as the terminal says it;
    `late` is said of late writes.

    Changes are of the last seconds, each second.
    """

    line: str
    losing: str | None
    state: MoveState
    lag: float | None
    changes_in: float
    changes_out: float
    rows: int
    bytes: int
    read_again: int
    shards_open: int
    shards_waiting: int
    gaps: int
    doubts: int
    rejected: int
    late_writes: int
    late: str | None


class LatencyView(Struct, frozen=True, kw_only=True):
    """The latency of an operation's requests in the last minute; percentiles in seconds."""

    operation: str
    requests: int
    p50: float | None
    p95: float | None
    p99: float | None


class FeedUpdate(Struct, frozen=True, kw_only=True):
    """The update of a run at one moment. `points` are those that were not sent yet;
    `limits_in_words` says its pause and its caps for people. A copy has no `move`; `switch` is None
    where it is what it was in the update before.
    """

    run: str
    phase: Phase
    paused: bool
    limits_in_words: str | None
    read_cap: float | None
    write_cap: float | None
    status: RunStatus | None
    error: ErrorSummary | None
    healthy: bool
    health: str
    seconds: float
    tables: list[TableNews]
    points: list[Point]
    move: list[MoveNews]
    move_points: list[MovePoint]
    throttles: list[tuple[str, str, int]]
    rejections: list[tuple[str, int]]
    latency: list[LatencyView]
    switch: SwitchNews | None = None
    settings: Sequence[tuple[str, str]] | None = None
    can_control: bool | None = None


class Feed:
    """The updates for one open page; it keeps what that page was sent."""

    def __init__(
        self,
        monitor: RunMonitor,
        *,
        settings: Sequence[tuple[str, str]],
        can_control: bool,
        switch: Callable[[], SwitchNews | None] = lambda: None,
    ) -> None:
        self._monitor = monitor
        self._switch = switch
        self._switch_sent: SwitchNews | None = None
        self._settings: Sequence[tuple[str, str]] | None = settings
        self._can_control: bool | None = can_control
        self._finished_sent: dict[int, int] = {}
        self._sent_until = self._move_sent_until = float("-inf")

    def news(self) -> FeedUpdate:
        """The update since the last call."""
        monitor, stats = self._monitor, self._monitor.stats
        summary, health = monitor.summary, monitor.health
        news = FeedUpdate(
            run=monitor.run,
            phase=monitor.phase,
            paused=stats.paused,
            limits_in_words=stats.limits_in_words,
            read_cap=stats.read_cap_units,
            write_cap=stats.write_cap_units,
            status=None if summary is None else summary.status,
            error=None if summary is None else summary.error,
            healthy=health.ok,
            health=health.reason,
            seconds=max(0.0, (monitor.ended_at or monitor.clock()) - monitor.began_at),
            tables=[
                self._of_table(index, table, view)
                for index, (table, view) in enumerate(
                    zip(stats.tables, monitor.views, strict=False)
                )
            ],
            points=self._points(),
            move=[_of_move(table) for table in monitor.move],
            move_points=self._move_points(),
            throttles=_throttles(stats),
            rejections=_rejections(stats),
            latency=[_latency(*each) for each in monitor.recent_latency().items()],
            switch=self._new_switch(),
            settings=self._settings,
            can_control=self._can_control,
        )
        self._settings = self._can_control = None
        return news

    def _points(self) -> list[Point]:
        points = [point for point in self._monitor.history if point.seconds > self._sent_until]
        if points:
            self._sent_until = points[-1].seconds
        return points

    def _move_points(self) -> list[MovePoint]:
        until = self._move_sent_until
        points = [point for point in self._monitor.move_history if point.seconds > until]
        if points:
            self._move_sent_until = points[-1].seconds
        return points

    def _new_switch(self) -> SwitchNews | None:
        switch = self._switch()
        if switch == self._switch_sent:
            return None
        self._switch_sent = switch
        return switch

    def _of_table(self, index: int, table: TableStats, view: TableView) -> TableNews:
        sent = self._finished_sent.get(index, 0)
        finished = table.segments.finished[sent:]
        self._finished_sent[index] = sent + len(finished)
        return TableNews(
            source=table.source,
            target=table.target,
            state=table.state,
            share_done=view.share_done,
            items_done=view.items_done,
            items_rejected=table.items_rejected,
            bytes_read=table.bytes_read,
            dollars=table.dollars,
            items_per_second=view.items_per_second,
            bytes_per_second=view.bytes_per_second,
            read_units_per_second=view.read_units_per_second,
            write_units_per_second=view.write_units_per_second,
            throttled_share=view.throttled_share,
            unprocessed_items=table.unprocessed_items,
            seconds_left=view.seconds_left,
            segments_total=table.segments_total,
            segments_complete=table.segments_complete,
            bottleneck=table.bottleneck,
            finished=finished,
            running=table.segments.seconds_under_way() if table.state == "running" else [],
        )


def _of_move(table: MoveStatus) -> MoveNews:
    return MoveNews(
        line=line_of(table),
        losing=None if table.will_catch_up else losing_line(table),
        state=table.state,
        lag=table.lag_seconds,
        changes_in=table.changes_in_per_second,
        changes_out=table.changes_out_per_second,
        rows=table.spool_rows,
        bytes=table.spool_bytes,
        read_again=table.spool_read_again,
        shards_open=table.shards_open,
        shards_waiting=table.shards_waiting,
        gaps=table.gaps,
        doubts=table.doubts,
        rejected=table.rejected,
        late_writes=table.late_writes,
        late=late_line(table),
    )


def _throttles(stats: RunStats) -> list[tuple[str, str, int]]:
    counts: dict[tuple[str, str], int] = {}
    for table in stats.tables:
        for key, count in table.throttles.items():
            counts[key] = counts.get(key, 0) + count
    most_first = sorted(counts.items(), key=lambda entry: -entry[1])
    return [(operation, reason, count) for (operation, reason), count in most_first]


def _rejections(stats: RunStats) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for table in stats.tables:
        for reason, count in table.rejections.items():
            counts[reason] = counts.get(reason, 0) + count
    return sorted(counts.items(), key=lambda entry: -entry[1])


def _latency(operation: str, buckets: Sequence[int]) -> LatencyView:
    p50, p95, p99 = (percentile(buckets, share) for share in _PERCENTILES)
    return LatencyView(operation=operation, requests=sum(buckets), p50=p50, p95=p95, p99=p99)
