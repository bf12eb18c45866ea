"""The health of a run. Red when nothing was acknowledged for a minute for no known reason, and when
nothing was stored for half a minute.

A run that stands still may have a good reason: it is paused, the service throttles all that is
sent, a low cap lets nothing through for now. Then it is green, with the reason. Red are the cases
that need an operator: requests that fail or never come back. Pure: the time is passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dynaferry.observe.limiting_factor import STALL_SECONDS, Signs, limiting_factor
from dynaferry.observe.stats import RunStats, TableStats

# A checkpoint is stored twice a second, whether or not anything was acknowledged, and in a pause
# too: an older one means a process that does not turn, or of a disk that does not store.
STALE_SECONDS: Final = 30.0


def is_stalled(last_sign: float, now: float, *, paused: bool) -> bool:
    """Whether a run under way is stalled: its last sign, and so all that is known, is too old.

    `last_sign` is when it stored how far it is, or began, by the clock of `now`, in seconds.
    """
    return not paused and now - last_sign > STALE_SECONDS


def stalled_for(stats: RunStats, now: float) -> float | None:
    """The seconds since anything was stored, where the run is stalled; None where it is not.

    Before its first checkpoint nothing is known of a table.
    """
    running = [table for table in stats.tables if table.state == "running"]
    signs = [table.checkpointed_at for table in running if table.checkpointed_at is not None]
    if not signs or not is_stalled(max(signs), now, paused=stats.paused):
        return None
    return now - max(signs)


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on a run, and its reason in a few words."""

    ok: bool
    reason: str


@dataclass(slots=True)
class Mark:
    """A number that only grows, and when it was last seen to."""

    value: float = -1.0
    moved_at: float = 0.0

    def see(self, value: float, now: float) -> None:
        """Takes the number as it is at `now`."""
        if value != self.value:
            self.value, self.moved_at = value, now


class HealthWatch:
    """A sampler of a run's counters, about once a second, that keeps when each last moved."""

    def __init__(self, now: float) -> None:
        self._acknowledged = Mark(moved_at=now)
        self._throttled = Mark(0.0, now - STALL_SECONDS)
        self._failed = Mark(0.0, now - STALL_SECONDS)

    def see(self, stats: RunStats, now: float) -> None:
        """Takes a sample at `now`, in seconds by a clock that only goes forward."""
        tables = stats.tables
        done = sum(t.items_done + t.segments_complete for t in tables)
        # A run that is paused, or has nothing under way, starts its minute when it goes on.
        if stats.paused or not _is_under_way(tables):
            self._acknowledged.moved_at = now
        self._acknowledged.see(done, now)
        self._throttled.see(sum(t.throttled_requests + t.unprocessed_items for t in tables), now)
        self._failed.see(sum(failed_requests(table) for table in tables), now)

    def verdict(self, stats: RunStats, now: float) -> Health:
        """The health at `now` by the samples so far."""
        if not stats.paused and not _is_under_way(stats.tables):
            return _ended(stats.tables)
        factor = limiting_factor(self._signs(stats, now))
        if factor is None:
            return Health(ok=True, reason="running")
        return Health(ok=factor.is_well, reason=factor.reason)

    def _signs(self, stats: RunStats, now: float) -> Signs:
        silent = now - self._acknowledged.moved_at
        return Signs(
            paused=stats.paused,
            unstored_seconds=stalled_for(stats, now),
            silent_seconds=silent,
            # Since the last acknowledgement, and of late.
            are_refused=now - self._throttled.moved_at < min(silent, STALL_SECONDS),
            are_failing=now - self._failed.moved_at < STALL_SECONDS,
            is_limited=_waits_under_a_cap(stats.tables),
        )


def _is_under_way(tables: Sequence[TableStats]) -> bool:
    return any(table.state == "running" and not table.paused for table in tables)


def _ended(tables: Sequence[TableStats]) -> Health:
    states = {table.state for table in tables}
    if "failed" in states:
        return Health(ok=False, reason="failed")
    if "running" in states:  # and each that is has a pause of its own
        return Health(ok=True, reason="paused")
    for state in ("waiting", "interrupted", "rejected"):
        if state in states:
            return Health(ok=True, reason=state)
    return Health(ok=True, reason="complete")


def failed_requests(table: TableStats) -> int:
    """Requests that failed for no fault of theirs, and not for their rate."""
    outcomes = (table.scans.outcomes, table.batch_writes.outcomes, table.lookups.outcomes)
    return sum(each.get("unavailable", 0) + each.get("corrupt", 0) for each in outcomes)


def _waits_under_a_cap(tables: Sequence[TableStats]) -> bool:
    running = [table for table in tables if table.state == "running"]
    in_flight = sum(t.read_requests_in_flight + t.write_requests_in_flight for t in running)
    limited = any(
        t.read_rate_limit_units is not None or t.write_rate_limit_units is not None for t in running
    )
    return limited and in_flight == 0
