"""What is new in the counters of a run under way, as events. Pure: the time is passed in."""

from typing import Final

from dynaferry.observe.events import EventKind, RunEvent
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.shared.arn import resource_name

# A table that is throttled now by this and now by that is told of once a minute.
THROTTLE_SECONDS: Final = 60.0
_FINISHED: Final = frozenset({"complete", "rejected", "interrupted", "failed"})


class EventWatch:
    """Compares the counters of a run with those that it saw before."""

    def __init__(self, stats: RunStats) -> None:
        """Begins with a run that is about to be copied; what is complete by now is no news."""
        self._limits: tuple[str | None, bool] = (None, False)
        self._tables = [_TableWatch(table) for table in stats.tables]

    def news(self, stats: RunStats, now: float) -> list[RunEvent]:
        """The events since the last call; `now` is in seconds since the epoch."""
        found = self._of_limits(stats, now)
        for watch, table in zip(self._tables, stats.tables, strict=False):
            found += watch.news(table, now, run_is_paused=stats.paused)
        return found

    def _of_limits(self, stats: RunStats, now: float) -> list[RunEvent]:
        limits = (stats.limits_in_words, stats.paused)
        if limits == self._limits:
            return []
        self._limits = limits
        event = RunEvent(
            time=now,
            kind="limits",
            detail=stats.limits_in_words or "none",
            paused=stats.paused,
            read_cap_units=stats.read_cap_units,
            write_cap_units=stats.write_cap_units,
        )
        return [event]


class _TableWatch:
    """What was seen of one table."""

    def __init__(self, table: TableStats) -> None:
        is_done = 0 < table.segments_total <= table.segments_complete
        self._state = "complete" if is_done else "waiting"
        self._rejected = table.items_rejected
        self._says_rejected = self._waits_for_error = False
        self._throttled_by: str | None = None
        self._told_at = float("-inf")
        self._limits: tuple[bool, float | None, float | None] = (False, None, None)

    def news(self, table: TableStats, now: float, *, run_is_paused: bool) -> list[RunEvent]:
        found = [
            *self._of_state(table, now),
            *self._of_limits(table, now, run_is_paused=run_is_paused),
            *self._of_throttles(table, now),
        ]
        if table.items_rejected > self._rejected and not self._says_rejected:
            self._says_rejected = True
            reason = next(reversed(table.rejections), None)
            found.append(_of_table(table, now, "rejected", reason))
        return found

    def _of_state(self, table: TableStats, now: float) -> list[RunEvent]:
        if table.state == "failed" and table.error is None and not self._waits_for_error:
            self._waits_for_error = True  # it is there a moment later
            return []
        before, self._state = self._state, table.state
        if before == table.state or before in _FINISHED:
            # What was complete is looked at again in each attempt.
            self._state = before if before in _FINISHED else self._state
            return []
        if table.state in _FINISHED:
            because = "" if table.error is None else f": {table.error.message}"
            return [_of_table(table, now, "table-ended", f"{table.state}{because}")]
        return [_of_table(table, now, "table-started", None)]

    def _of_limits(self, table: TableStats, now: float, *, run_is_paused: bool) -> list[RunEvent]:
        """The table's own pause and caps, beside those of the run, where they changed."""
        # While the run is paused, nobody sees whether the table is as well.
        is_paused = self._limits[0] if run_is_paused else table.paused
        limits = (is_paused, table.read_cap_units, table.write_cap_units)
        if limits == self._limits:
            return []
        self._limits = limits
        event = RunEvent(
            time=now,
            kind="limits",
            source=resource_name(table.source),
            detail=_in_words(*limits),
            paused=is_paused,
            read_cap_units=table.read_cap_units,
            write_cap_units=table.write_cap_units,
        )
        return [event]

    def _of_throttles(self, table: TableStats, now: float) -> list[RunEvent]:
        throttled_at, told = table.throttled_at, self._throttled_by
        if table.state != "running" or throttled_at is None:
            return []
        is_over = now - throttled_at > THROTTLE_SECONDS
        if told is not None and is_over:
            self._throttled_by, self._told_at = None, now
            return [_of_table(table, now, "unthrottled", None)]
        is_new = table.bottleneck not in (None, told)
        if is_over or not is_new or now - self._told_at < THROTTLE_SECONDS:
            return []
        self._throttled_by, self._told_at = table.bottleneck, now
        return [_of_table(table, now, "throttled", table.bottleneck)]


def _in_words(is_paused: bool, reads: float | None, writes: float | None) -> str:
    caps = [
        f"{verb} at most {cap:,g} units/s"
        for verb, cap in (("writes", writes), ("reads", reads))
        if cap is not None
    ]
    return ", ".join([*(["paused"] if is_paused else []), *caps]) or "none"


def _of_table(table: TableStats, now: float, kind: EventKind, detail: str | None) -> RunEvent:
    return RunEvent(time=now, kind=kind, source=resource_name(table.source), detail=detail)
