"""A table that is moved, while it is: its spool, its capture, its applier and how it stands."""

import logging
import math
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import StateWriteError
from dynaferry.follow.applier import Applier
from dynaferry.follow.held_back import HeldBack, HeldBy
from dynaferry.follow.readiness import reasons_not_ready, standing_of
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_budget import IMAGES_AT_ONCE, SpoolBudget
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_history import SAMPLE_SECONDS
from dynaferry.follow.spool_records import SpoolCounts
from dynaferry.follow.status import Rates
from dynaferry.follow.table_capture import TableCapture
from dynaferry.observe.move_history import MovePoint, move_point, with_worst_lag
from dynaferry.observe.move_status import MoveState, MoveStatus
from dynaferry.observe.move_words import catching_line, losing_line
from dynaferry.run.lifecycle import Say

if TYPE_CHECKING:
    from dynaferry.follow.target_capture import TargetCapture

_log = logging.getLogger(__name__)


class FollowedTable:
    """The table number `number` of a plan, under its names in both accounts.

    What the stream showed before `captured_until`, in seconds since the epoch, is in the spool.
    """

    def __init__(
        self,
        number: int,
        names: tuple[str, str],
        seen: TableDescription,
        spool: Spool,
        capture: TableCapture,
        budget: SpoolBudget,
        captured_until: float,
        opened_at: float,
    ) -> None:
        self.number = number
        self.source, self.target = names
        self.seen = seen
        self.spool = spool
        self.capture = capture
        self.applier: Applier | None = None
        self._held_back: HeldBack | None = None
        self._state: MoveState = "capturing"
        # The states that are not kept yet: one may last for less than a status is good for.
        self._entered: list[tuple[float, MoveState]] = [(opened_at, "capturing")]
        self._applies_since = 0.0
        self._budget = budget
        self._rates = Rates()
        self._catches_up = True
        self._read_until = self._polled_at = captured_until
        self._sample: MovePoint | None = None
        self._sampled_at = -math.inf
        self.last_status: MoveStatus | None = None
        self.is_switched = False
        # What it does where nothing is applied to the target any more.
        self.stands: MoveState = "switched"
        self.way_back: TargetCapture | None = None

    @property
    def state(self) -> MoveState:
        """What it does, as of the last status."""
        return self._state

    def is_being_copied(self, now: float) -> None:
        """Its scan begins, or goes on: nobody waits for what is captured."""
        self.capture.polls.is_hasty = False
        self._enter("copying", now)

    def is_copied(self, now: float) -> None:
        """The copy is complete: what waits is to be applied as soon as that is safe."""
        self.capture.polls.is_hasty = True
        self._enter("replaying", now)

    def apply_by(self, applier: Applier, held_back: HeldBack, now: float) -> None:
        """From now on what waits is applied; what came before now is the replay."""
        self.applier, self._held_back, self._applies_since = applier, held_back, now

    async def status(self, now: float) -> MoveStatus:
        """How it stands at `now`; kept in the spool for those who look from outside.

        A disk that is full keeps nothing, and stops nothing.
        """
        counts = await self.spool.run(SpoolFile.counts)
        with suppress(StateWriteError):
            if self._budget.note(counts.used_bytes):
                await self.spool.run(partial(SpoolFile.drop_images, limit=IMAGES_AT_ONCE))
        if self.way_back is not None:
            await self.way_back.keep_within_budget()
        if self.applier is not None:
            state = _next_state(counts, self._applies_since)
            self._enter(self.stands if self.is_switched else state, now)
        late = await self.late_counts() if self.is_switched else None
        status = self.last_status = self._with_reasons(self._status(counts, late, now))
        entered = tuple(self._entered)
        with suppress(StateWriteError):
            sample = self._due_sample(status)
            await self.spool.run(
                partial(SpoolFile.note_status, status=status, sample=sample, entered=entered)
            )
            del self._entered[: len(entered)]
        return status

    async def late_counts(self) -> SpoolCounts:
        """What the spool counts of the side that was left: the target's behind a return."""
        if self.stands == "returned" and self.way_back is not None:
            return await self.way_back.counts()
        return await self.spool.run(SpoolFile.counts)

    async def note_end(self, error: str) -> None:
        """Keeps by which error its process ends, for those who look from outside."""
        if self.last_status is not None:
            ended = replace(self.last_status, error=error)
            with suppress(StateWriteError):
                await self.spool.run(partial(SpoolFile.note_status, status=ended))

    def say_if_losing(self, status: MoveStatus, say: Say) -> None:
        """Says once that it will not catch up, and once that it does."""
        if status.will_catch_up != self._catches_up:
            self._catches_up = status.will_catch_up
            say(catching_line(status) if status.will_catch_up else losing_line(status))

    def _enter(self, state: MoveState, now: float) -> None:
        if state != self._state:
            self._state = state
            self._entered.append((now, state))
            event = {"event": "move-state", "table": self.source, "source": self.source}
            event |= {"target": self.target, "status": state}
            _log.info(
                "the move of %s to %s is %s now", self.source, self.target, state, extra=event
            )

    def _due_sample(self, status: MoveStatus) -> MovePoint | None:
        """The worst of the last seconds, every so often."""
        point = move_point([status], status.at)
        self._sample = point if self._sample is None else with_worst_lag(self._sample, point)
        if status.at - self._sampled_at < SAMPLE_SECONDS:
            return None
        due, self._sample, self._sampled_at = self._sample, None, status.at
        return due

    def _status(self, counts: SpoolCounts, late: SpoolCounts | None, now: float) -> MoveStatus:
        stats, held_back = self.capture.stats, self._held_back
        rate_in, rate_out = self._rates.note(now, counts, applies=self._is_applied())
        held_by = self._held_by(counts, now)
        return MoveStatus(
            source=self.source,
            target=self.target,
            state=self._state,
            paused=held_back is not None and held_back.run.paused,
            lag_seconds=self._lag(counts, now),
            oldest_waiting_seconds=0.0 if self.is_switched else _age(counts.oldest_at, now) or 0.0,
            # They are noted from a moment before the switch on.
            late_writes=0 if late is None else late.late_writes,
            expired_after_switch=0 if late is None else late.expired,
            record_age_seconds=_age(stats.last_created_at, now),
            last_record_at=stats.last_created_at,
            changes_in_per_second=round(rate_in, 1),
            changes_out_per_second=round(rate_out, 1),
            ready=False,
            not_ready=(),
            will_catch_up=not self._rates.is_losing,
            limited_by=None if held_by is None else held_by.what,
            remedy=None if held_by is None else held_by.remedy,
            trouble=stats.disk_error or self.spool.disk_error or stats.trouble,
            at=now,
            **self._captured(now),
            **_counted(counts),
        )

    def _with_reasons(self, status: MoveStatus) -> MoveStatus:
        """With what speaks against a switch."""
        standing = standing_of(
            status,
            other_readers=self.capture.stats.other_readers,
            way_back=None if self.way_back is None else self.way_back.way_back(),
        )
        against = tuple(reason.told for reason in reasons_not_ready(standing))
        return replace(status, ready=not against, not_ready=against)

    def _held_by(self, counts: SpoolCounts, now: float) -> HeldBy | None:
        if self._held_back is None:
            return None
        self._held_back.note(now)
        return self._held_back.by(reads_again=counts.read_again > 0)

    def _is_applied(self) -> bool:
        return self.applier is not None and not self.is_switched

    def _captured(self, now: float) -> dict[str, Any]:
        """How the capture stands."""
        capture, stats = self.capture, self.capture.stats
        self._polled_at = capture.polled_at or self._polled_at
        return {
            "position_age_seconds": _age(self._read_until, now),
            "capture_silent_seconds": _age(self._polled_at, now),
            "shards_open": stats.shards_reading,
            "shards_waiting": stats.shards_waiting,
            "shards_childless": stats.shards_childless,
        }

    def _lag(self, counts: SpoolCounts, now: float) -> float | None:
        """The age of what the target may lack; None while it is copied."""
        self._read_until = self.capture.read_until or self._read_until
        if self.is_switched or self._state in ("capturing", "copying"):
            return None
        return _age(min(t for t in (counts.oldest_at, self._read_until) if t is not None), now)


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else round(max(0.0, now - moment), 3)


def _counted(counts: SpoolCounts) -> dict[str, Any]:
    """What a spool counts, by the names of a status."""
    return {
        "spool_rows": counts.waiting,
        "spool_bytes": counts.used_bytes,
        "spool_read_again": counts.read_again,
        "gaps": counts.open_gaps,
        "gaps_ever": counts.gaps,
        "doubts": counts.doubts,
        "rejected": counts.letters,
        "changes_captured": counts.captured,
        "changes_applied": counts.applied,
        "changes_compacted": counts.compacted,
        "changes_rejected": counts.rejected,
    }


def _next_state(counts: SpoolCounts, applies_since: float) -> MoveState:
    """The replay is over once nothing waits that came before it began."""
    if counts.oldest_at is not None and counts.oldest_at < applies_since:
        return "replaying"
    return "re-syncing" if counts.open_gaps else "following"
