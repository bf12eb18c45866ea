"""The updates that a live page receives: everything at first, then only what is new.

A page that is open gets at most `MOST_BYTES` a second, however many tables and segments there are.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from dynaferry.observe.histogram import percentile
from dynaferry.observe.history import Point
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.move_history import MovePoint
from dynaferry.observe.stats import RunStats
from dynaferry.web import rows, story
from dynaferry.web.changes import Changes, Room
from dynaferry.web.news import (
    EventNews,
    FeedUpdate,
    Head,
    LatencyView,
    MoveNews,
    Reason,
    SegmentNews,
    StepNews,
    TableRow,
)
from dynaferry.web.switch import SwitchNews

# The bytes of an update, but for the first one; and those of its lists.
MOST_BYTES: Final = 5_000
_LIST_BYTES: Final = 3_300
_ROW_BYTES: Final = 1_500
_MOVE_BYTES: Final = 900
_REASON_BYTES: Final = 300
_EVENT_BYTES: Final = 300
_STEP_BYTES: Final = 1_000
_PERCENTILES: Final = (0.5, 0.95, 0.99)


class Shown(Struct, frozen=True, kw_only=True):
    """What a page shows of a run beside what its monitor sees.

    `switch` gives the switch of a move, as it stands. `resume_command` resumes the run after it
    has stopped, and `dead_letters_command` lists its rejected items. Where `shows_commands` is
    not said, nothing is shown of what was typed.
    """

    settings: Sequence[tuple[str, str]] = ()
    can_control: bool = False
    switch: Callable[[], SwitchNews | None] = lambda: None
    resume_command: str | None = None
    resume_note: str | None = None
    dead_letters_command: str | None = None
    shows_commands: bool = True


class Feed:
    """The updates for one open page; it keeps what that page was sent."""

    def __init__(
        self, monitor: RunMonitor, shown: Shown, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._monitor = monitor
        self._shown = shown
        self._wall_clock = wall_clock
        self._begin()

    def _begin(self) -> None:
        self._stats = self._monitor.stats
        self._head_is_sent = False
        self._switch_sent: SwitchNews | None = None
        self._rows: Changes[int, TableRow] = Changes()
        self._moves: Changes[int, MoveNews] = Changes()
        self._reasons: Changes[tuple[str, str, str], Reason] = Changes()
        self._events: Changes[int, EventNews] = Changes()
        self._steps: Changes[tuple[int, int], StepNews] = Changes()
        self._running: Changes[tuple[int, int], SegmentNews] = Changes()
        self._finished: dict[int, int] = {}
        self._sent_until = self._move_sent_until = float("-inf")

    def news(self) -> FeedUpdate:
        """The update since the last call."""
        monitor = self._monitor
        if monitor.stats is not self._stats:  # its tables are known now, or are others
            self._begin()
        stats, summary, health = monitor.stats, monitor.summary, monitor.health
        head, room = self._head(), Room(_LIST_BYTES if self._head_is_sent else math.inf)
        self._head_is_sent = True
        return FeedUpdate(
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
            seconds=round(max(0.0, (monitor.ended_at or monitor.clock()) - monitor.began_at), 1),
            total=rows.total(monitor, self._wall_clock()),
            rows=self._rows.take(rows.of_tables(monitor), room, _ROW_BYTES),
            move=self._moves.take(rows.of_moves(monitor.move), room, _MOVE_BYTES),
            reasons=self._reasons.take(rows.reasons(stats), room, _REASON_BYTES),
            events=self._events.take(story.events_of(stats.events), room, _EVENT_BYTES),
            next_steps=self._steps.take(self._next_steps(), room, _STEP_BYTES),
            segments=self._segments(stats, room),
            points=self._points(),
            move_points=self._move_points(),
            latency=[_latency(*each) for each in monitor.recent_latency().items()],
            switch=self._new_switch(),
            head=head,
            more=room.is_short,
        )

    def _head(self) -> Head | None:
        if self._head_is_sent:
            return None
        tables, shown = self._stats.tables, self._shown
        return Head(
            settings=shown.settings,
            can_control=shown.can_control,
            began_epoch=self._monitor.began_epoch,
            source=rows.side(table.source_arn for table in tables),
            target=rows.side(table.target_arn for table in tables),
            arns=rows.only_arns(tables),
            tables=[(table.source, table.target, table.segments_total) for table in tables],
            resume_command=shown.resume_command if shown.shows_commands else None,
            resume_note=shown.resume_note if shown.shows_commands else None,
            dead_letters_command=shown.dead_letters_command if shown.shows_commands else None,
        )

    def _next_steps(self) -> dict[tuple[int, int], StepNews]:
        return story.steps_of(self._monitor.summary, shows_commands=self._shown.shows_commands)

    def _segments(self, stats: RunStats, room: Room) -> list[SegmentNews]:
        """Those that ended first: what is under way is sent again and again."""
        pending = rows.finished_segments(stats, self._finished)
        finished = room.take(pending, room.left)
        for each in finished:
            self._finished[each.table] = self._finished.get(each.table, 0) + 1
        under_way = rows.segments_under_way(stats, self._monitor.began_at)
        return finished + self._running.take(under_way, room, room.left)

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
        switch = self._shown.switch()
        if switch == self._switch_sent:
            return None
        self._switch_sent = switch
        return switch


def _latency(operation: str, buckets: Sequence[int]) -> LatencyView:
    p50, p95, p99 = (rows.rounded(percentile(buckets, share)) for share in _PERCENTILES)
    return LatencyView(operation=operation, requests=sum(buckets), p50=p50, p95=p95, p99=p99)
