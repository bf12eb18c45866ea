"""A table that is moved, while it is: its spool, its capture, its applier and how it stands."""

from functools import partial
from typing import Final

from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.follow.applier import Applier
from dynaferry.follow.capture import Capture
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import SpoolCounts
from dynaferry.follow.status import (
    MoveState,
    MoveStatus,
    Rates,
    catching_line,
    encode_status,
    losing_line,
    reasons_against,
)
from dynaferry.run.lifecycle import Say

IMAGES_AT_ONCE: Final = 10_000


class SpoolBudget:
    """What a spool may take of the disk: beyond, keys are kept and items are read again."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.is_over = False

    def note(self, used_bytes: int) -> bool:
        """Takes what is used now; returns whether it is too much."""
        self.is_over = used_bytes > self.most_bytes
        return self.is_over


class FollowedTable:
    """The table number `number` of a plan, under its names in both accounts."""

    def __init__(
        self,
        number: int,
        names: tuple[str, str],
        seen: TableDescription,
        spool: Spool,
        capture: Capture,
        budget: SpoolBudget,
    ) -> None:
        self.number = number
        self.source, self.target = names
        self.seen = seen
        self.spool = spool
        self.capture = capture
        self.applier: Applier | None = None
        self._state: MoveState = "copying"
        self._applies_since = 0.0
        self._budget = budget
        self._rates = Rates()
        self._catches_up = True

    def apply_by(self, applier: Applier, now: float) -> None:
        """From now on what waits is applied; what came before now is the replay."""
        self.applier, self._applies_since, self._state = applier, now, "replaying"

    async def status(self, now: float) -> MoveStatus:
        """How it stands at `now`; kept in the spool for those who look from outside."""
        counts = await self.spool.run(SpoolFile.counts)
        if self._budget.note(counts.used_bytes):
            await self.spool.run(partial(SpoolFile.drop_images, limit=IMAGES_AT_ONCE))
        self._state = _next_state(self._state, counts, self._applies_since)
        status = self._status(counts, now)
        await self.spool.run(partial(SpoolFile.note_status, status=encode_status(status)))
        return status

    def say_if_losing(self, status: MoveStatus, say: Say) -> None:
        """Says once that it will not catch up, and once that it does."""
        if status.will_catch_up != self._catches_up:
            self._catches_up = status.will_catch_up
            say(catching_line(status) if status.will_catch_up else losing_line(status))

    def _status(self, counts: SpoolCounts, now: float) -> MoveStatus:
        stats, lag = self.capture.stats, self._lag(counts, now)
        rate_in, rate_out = self._rates.note(now, counts, applies=self.applier is not None)
        last = stats.last_created_at
        against = reasons_against(
            state=self._state,
            lag_seconds=lag,
            childless=stats.shards_childless,
            counts=counts,
            trouble=stats.disk_error or stats.trouble,
        )
        return MoveStatus(
            source=self.source,
            target=self.target,
            state=self._state,
            lag_seconds=None if lag is None else round(lag, 3),
            oldest_waiting_seconds=round(now - counts.oldest_at, 3) if counts.oldest_at else 0.0,
            record_age_seconds=None if last is None else round(max(0.0, now - last), 3),
            changes_in_per_second=round(rate_in, 1),
            changes_out_per_second=round(rate_out, 1),
            spool_rows=counts.waiting,
            spool_bytes=counts.used_bytes,
            spool_read_again=counts.read_again,
            shards_open=stats.shards_reading,
            shards_waiting=stats.shards_waiting,
            gaps=counts.open_gaps,
            doubts=counts.doubts,
            rejected=counts.letters,
            ready=not against,
            not_ready=against,
            last_record_at=last,
            will_catch_up=not self._rates.is_losing,
            changes_captured=counts.captured,
            changes_applied=counts.applied,
            at=now,
        )

    def _lag(self, counts: SpoolCounts, now: float) -> float | None:
        """The age of what the target may lack; None while nothing is applied."""
        if self.applier is None:
            return None
        polled_at = self.capture.polled_at
        return max(0.0, now - min(t for t in (counts.oldest_at, polled_at, now) if t is not None))


def _next_state(state: MoveState, counts: SpoolCounts, applies_since: float) -> MoveState:
    """The replay is over once nothing waits that came before it began."""
    if state == "copying":
        return state
    if counts.oldest_at is not None and counts.oldest_at < applies_since:
        return "replaying"
    return "re-syncing" if counts.open_gaps else "following"
