"""The capture of a target's stream, which a way back needs: armed before the switch, and kept.

Before the switch it reads and keeps nothing, so that it is known that the stream can be read, how
old its latest record is, and that every shard is open to it. What comes behind the go is kept in a
spool of its own, until a cut-back applies it to the source or the move is finished.

Nothing that goes wrong here ends the move: it is tried again, and meanwhile nothing is switched.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Final

import anyio

from dynaferry.errors import DynaferryError, StateWriteError
from dynaferry.follow import spool_late_writes
from dynaferry.follow.capture import Capture
from dynaferry.follow.own_writes import OwnWrites
from dynaferry.follow.quiet import Quiet, Spooled
from dynaferry.follow.readiness import Reason, WayBack
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_budget import IMAGES_AT_ONCE, SpoolBudget
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_keeping import begin_to_keep, begin_to_pass_over
from dynaferry.follow.spool_records import SpoolCounts, Waiting
from dynaferry.follow.table_capture import DISABLED, TableCapture
from dynaferry.run.lifecycle import Say, first_reason

RETRY_SECONDS: Final = 5.0
# A shard that was not read for so long is more than a moment's trouble.
SILENT_SECONDS: Final = 10.0
NOT_YET: Final = "the target's stream is not read yet"
CATCHES_UP: Final = "what was written to the target behind the return is not all read yet"
# A stream shows within this what was written.
SHOWN_WITHIN_SECONDS: Final = 10.0

# Opens the capture of the table's stream; it is described anew each time.
OpenCapture = Callable[[], AbstractAsyncContextManager[TableCapture]]


class TargetCapture:
    """The capture of the target of one table of a move."""

    def __init__(
        self,
        target: str,
        spool: Spool,
        budget: SpoolBudget,
        own: OwnWrites,
        opens: OpenCapture,
        say: Say,
        clock: Callable[[], float],
    ) -> None:
        self.target = target
        self.spool = spool
        self.clock = clock
        self._budget = budget
        self._own = own
        self._opens = opens
        self._say = say
        self._capture: TableCapture | None = None
        self._failed: str | None = None
        self._catches_up_to: float | None = None

    @property
    def current(self) -> Capture | None:
        """The capture of the stream that is read now; None while none is."""
        return None if self._capture is None else self._capture.current

    async def run(self) -> None:
        """Captures until it is cancelled, whatever happens."""
        while True:
            try:
                async with self._opens() as capture:
                    self._capture = capture
                    self._note(None)
                    await capture.run()
            except* DynaferryError as group:
                self._note(first_reason(group).message)
            finally:
                self._capture = None
            await anyio.sleep(RETRY_SECONDS)

    async def arm(self) -> None:
        """Before a process reads: nothing is kept, and the stream is read from now on."""
        self._own.begin(self.clock())
        await self.pass_over()
        await self.spool.run(partial(SpoolFile.begin, stream=None, at=self.clock()))

    def begin_to_catch_up(self) -> None:
        """Goes on keeping until all is seen that was written before now."""
        self._catches_up_to = self.clock() + SHOWN_WITHIN_SECONDS

    @property
    def is_catching_up(self) -> bool:
        """Whether it has to, or what it has kept is not taken over yet."""
        return self._catches_up_to is not None

    @property
    def has_caught_up(self) -> bool:
        """Whether all of that is in the spool, and not taken over yet."""
        until, capture = self._catches_up_to, self._capture
        if until is None or capture is None:
            return False
        return capture.read_until is not None and capture.read_until >= until

    async def end_catching_up(self) -> None:
        """It is taken over: what comes from now on is ours."""
        self._own.begin(self.clock())
        await self.pass_over()
        self._catches_up_to = None

    async def pass_over(self) -> None:
        """Keeps nothing from now on, and forgets what it has kept."""
        step = partial(begin_to_pass_over, now=self.clock())
        await self.spool.run(partial(SpoolFile.change, step=step))

    async def begin_late_writes(self) -> None:
        """Behind a return: what is written to the target from now on is late."""
        begin = partial(spool_late_writes.begin, at=self.clock())
        await self.spool.run(partial(SpoolFile.change, step=begin))

    async def end_late_writes(self) -> None:
        """It was no return."""
        end = partial(spool_late_writes.end, forget=True)
        await self.spool.run(partial(SpoolFile.change, step=end))

    async def keep(self) -> None:
        """Keeps everything that is read from now on, durably."""
        step = partial(begin_to_keep, now=self.clock())
        await self.spool.run(partial(SpoolFile.change, step=step))
        if (capture := self.current) is not None:
            # What was written before the go is compared by nobody any more.
            capture.watch.recent.clear()

    async def counts(self) -> SpoolCounts:
        """What its spool holds."""
        return await self.spool.run(SpoolFile.counts)

    async def keep_within_budget(self) -> None:
        """Beyond what it may take of the disk it keeps keys alone."""
        with suppress(StateWriteError):
            if self._budget.note((await self.counts()).used_bytes):
                await self.spool.run(partial(SpoolFile.drop_images, limit=IMAGES_AT_ONCE))

    @property
    def trouble(self) -> str | None:
        """Why what is written to the target would not be captured; None where it is."""
        capture = self._capture
        if capture is None:
            return self._failed or NOT_YET
        if self._catches_up_to is not None:
            return CATCHES_UP
        if not capture.is_capturing:
            return DISABLED
        if capture.stats.disk_error is not None:
            return capture.stats.disk_error
        polled_at = capture.polled_at
        is_read = polled_at is not None and self.clock() - polled_at <= SILENT_SECONDS
        return None if is_read else capture.stats.trouble or NOT_YET

    def way_back(self) -> WayBack:
        """How it stands before the switch."""
        capture, trouble = self.current, self.trouble
        if capture is None or trouble is not None:
            return WayBack(trouble=trouble)
        now = self.clock()
        since = capture.watch.quiet.verdict(now, Spooled()).since
        foreign = len(self._own.foreign(now))
        return WayBack(foreign=foreign, quiet_seconds=max(0.0, now - since))

    def note_sent(self, rows: Sequence[Waiting]) -> None:
        """These are about to be sent to the target: they are ours."""
        if self.spool.passes_over:
            self._own.sent(rows, self.clock())

    def foreign_keys(self) -> list[bytes]:
        """The keys that somebody else has written to the target of late."""
        return self._own.foreign(self.clock())

    def quiet(self, spooled: Spooled) -> Quiet:
        """Whether nothing comes from it any more, where so much of it is not applied."""
        capture, now = self.current, self.clock()
        if capture is None:
            return Quiet(False, ("the target's stream to be read",), 0.0, now)
        quiet = capture.watch.quiet.verdict(now, spooled)
        if quiet.needs_listing:
            capture.want_listing()
        return quiet

    def begin_anew(self) -> None:
        """Silence counts from now on."""
        if (capture := self.current) is not None:
            capture.watch.quiet.begin_anew(self.clock())

    def last_change_at(self) -> float | None:
        """When a change of the target came last."""
        return None if self._capture is None else self._capture.stats.last_change_at

    def reasons(self, counts: SpoolCounts) -> tuple[Reason, ...]:
        """What speaks against going back."""
        reasons = []
        if (trouble := self.trouble) is not None:
            reasons.append(Reason("unread stream", trouble))
        if counts.open_gaps:
            told = (
                "records of the target were lost, so what was written there is not all known:"
                " dynaferry verify with the sides exchanged goes back by hand (docs/move.md)"
            )
            reasons.append(Reason("open gap", told))
        if counts.letters:
            told = f"the source refuses {counts.letters:,} items as the target holds them"
            reasons.append(Reason("rejected items", told))
        return tuple(reasons)

    def _note(self, failed: str | None) -> None:
        """Says once that it cannot be captured, and once that it can."""
        if failed is not None and failed != self._failed:
            self._say(f"{self.target}: no way back for now: {failed}")
        if failed is None and self._failed is not None:
            self._say(f"{self.target}: the way back is armed again")
        self._failed = failed
