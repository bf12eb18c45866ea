"""The health of a move: red where the stream is not read, or what waits is not applied, and nothing
explains it.

A move with nothing to do is well. One that only falls behind, under a cap or a throttle, is well as
far as a process can be: that is what its lag is watched for. Pure: the time is passed in.
"""

from collections.abc import Sequence
from typing import Final

from dynaferry.observe.health import Health, Mark, failed_requests
from dynaferry.observe.limiting_factor import STALL_SECONDS, Signs, limiting_factor
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.stats import RunStats

# A shard is polled at least once a second, and what was read stored at once.
SILENT_CAPTURE_SECONDS: Final = 60.0


class MoveHealth:
    """Keeps when what waits last moved; sampled about once a second."""

    def __init__(self, now: float) -> None:
        self._out = Mark(moved_at=now)
        self._throttled = Mark(0.0, now - STALL_SECONDS)
        self._failed = Mark(0.0, now - STALL_SECONDS)

    def see(self, tables: Sequence[MoveStatus], stats: RunStats, now: float) -> None:
        """Takes a sample at `now`, in seconds by a clock that only goes forward."""
        waits = any(table.is_applying and table.spool_rows for table in tables)
        if stats.paused or not waits:
            self._out.moved_at = now
        self._out.see(sum(table.changes_out for table in tables), now)
        self._throttled.see(
            sum(t.throttled_requests + t.unprocessed_items for t in stats.tables), now
        )
        self._failed.see(sum(failed_requests(table) for table in stats.tables), now)

    def verdict(self, tables: Sequence[MoveStatus], stats: RunStats, now: float) -> Health | None:
        """The health at `now` by the samples so far; None while a copy alone says how it is."""
        for table in tables:
            if table.capture_silent_seconds > SILENT_CAPTURE_SECONDS:
                trouble = f": {table.trouble}" if table.trouble else ""
                silent = f"{table.capture_silent_seconds:.0f} s"
                return Health(ok=False, reason=f"the stream was not read for {silent}{trouble}")
        applying = [table for table in tables if table.is_applying]
        if not applying:
            return None
        factor = limiting_factor(self._signs(stats, now))
        if factor is None:
            return Health(ok=True, reason=applying[0].state)
        return Health(ok=factor.is_well, reason=factor.reason)

    def _signs(self, stats: RunStats, now: float) -> Signs:
        silent = now - self._out.moved_at
        in_flight = sum(table.write_requests_in_flight for table in stats.tables)
        return Signs(
            paused=stats.paused,
            silent_seconds=silent,
            are_refused=now - self._throttled.moved_at < min(silent, STALL_SECONDS),
            are_failing=now - self._failed.moved_at < STALL_SECONDS,
            is_limited=stats.write_cap_units is not None and not in_flight,
        )
