"""One table of a move on its way back: what the target's stream showed goes to the source."""

from collections.abc import Callable
from functools import partial
from typing import Final

import anyio

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.follow.applier import Applier
from dynaferry.follow.both_sides import BothSides
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.quiet import Spooled
from dynaferry.follow.recent_keys import MOST_RECENT_KEYS
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.target_capture import TargetCapture
from dynaferry.observe.rates import SlidingRate
from dynaferry.ports import ChangeKind, ChangeRecord

# How long what is on its way to the source is waited for when it ends.
DRAIN_SECONDS: Final = 10.0
# Of the keys that wait, those are compared that fit into so much of images.
_MOST_BYTES: Final = 64 * 1024**2


class BackTable:
    """The capture of a target, as it was described, with what applies it to the source, and both
    sides to look in.
    """

    def __init__(
        self,
        source: str,
        target: TableDescription,
        capture: TargetCapture,
        applier: Applier,
        both: BothSides,
        clock: Callable[[], float],
    ) -> None:
        self.source = source
        self._target = target
        self._capture = capture
        self._spool = capture.spool
        self._applier = applier
        self._both = both
        self._clock = clock
        self._rate = SlidingRate()
        self._is_held = False
        self._may_send_at = 0.0

    async def begin(self) -> None:
        """Before anything is sent: what an earlier attempt has left on its way is waited for, what
        it was refused is tried again, and what waits will be compared.
        """
        if not await self._spool.run(SpoolFile.is_clean):
            self._may_send_at = self._clock() + LATE_WRITE_SECONDS
        await self._spool.run(partial(SpoolFile.note_clean, is_clean=False))
        letters = await self._spool.run(SpoolFile.letter_keys)
        again = [ChangeRecord(digest_of(key), key, ChangeKind.READ_AGAIN) for key in letters]
        if again:
            now = self._clock()
            await self._spool.insist(partial(SpoolFile.store, changes=again, positions=(), now=now))
        if (capture := self._capture.current) is not None:
            rows = await self._spool.run(
                partial(SpoolFile.waiting, after=0, limit=MOST_RECENT_KEYS, most_bytes=_MOST_BYTES)
            )
            capture.watch.recent.note(row.key for row in rows)
        self.hold(False)
        self._capture.begin_anew()

    async def run(self) -> None:
        """Applies until it is cancelled.

        :raises StoppedError: the source takes nothing more
        """
        await self._applier.run()

    async def end(self) -> None:
        """Sends nothing more; where all that was sent is answered, nothing is on its way."""
        self._applier.hold(True)
        with anyio.move_on_after(DRAIN_SECONDS):
            await self._applier.drain()
            await self._spool.run(partial(SpoolFile.note_clean, is_clean=True))

    async def begin_late_writes(self) -> None:
        """What is written to the target from now on is late."""
        await self._capture.begin_late_writes()

    async def end_late_writes(self) -> None:
        """It did not go back after all."""
        await self._capture.end_late_writes()

    def hold(self, is_held: bool) -> None:
        """Sends nothing new to the source from now on; or lets it go on."""
        self._is_held = is_held
        self._applier.hold(is_held or self._clock() < self._may_send_at)

    async def differing(self) -> tuple[int, list[bytes]]:
        """How many keys were compared of those that changed last, and which differ."""
        capture = self._capture.current
        keys = [] if capture is None else capture.watch.recent.latest_first()
        return len(keys), await self._both.differing(keys)

    async def look(self) -> TableLook:
        """How it stands now."""
        counts = await self._capture.counts()
        # Behind the counts: what is stored meanwhile is seen by one of both.
        quiet = self._capture.quiet(Spooled(counts.waiting, self._applier.stats.in_flight))
        now = self._clock()
        self._rate.add(now, counts.captured)
        is_waited_for = now < self._may_send_at
        return TableLook(
            table=self.source,
            quiet=quiet,
            captured=counts.captured,
            last_change_at=self._capture.last_change_at(),
            changes_per_second=self._rate.per_second or 0.0,
            doubts=counts.doubts + is_waited_for,
            doubts_due_at=self._may_send_at if is_waited_for else None,
            is_held=self._is_held and self._applier.is_held,
            reasons=self._capture.reasons(counts),
            late_regions=self._target.late_regions,
        )
