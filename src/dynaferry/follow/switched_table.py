"""One table of a move, as the switch sees it: how it stands, held or let go on, compared."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from dynaferry.follow import spool_late_writes
from dynaferry.follow.applier import Applier
from dynaferry.follow.both_sides import BothSides
from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.lineage import Gap
from dynaferry.follow.quiet import Quiet, Spooled
from dynaferry.follow.readiness import Standing, reasons_not_ready, standing_of
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_keeping import read_all_again
from dynaferry.follow.spool_records import SpoolCounts
from dynaferry.follow.target_capture import TargetCapture
from dynaferry.observe.move_status import MoveState, MoveStatus, overall
from dynaferry.ports import ChangeKind, ChangeRecord
from dynaferry.state.move_records import Stage

_ACTIVE: Final = "ACTIVE"
CLOSED: Final = "the stream was disabled for the switch, so what is written since leaves no record"
_ROWS_AT_ONCE: Final = 1_000


class SwitchedTable:
    """A followed table with its applier and both sides to look keys up in."""

    def __init__(
        self,
        table: FollowedTable,
        applier: Applier,
        both: BothSides,
        target_regions: tuple[str, ...] = (),
    ) -> None:
        """`target_regions` are those to which the target replicates a little later."""
        self._target_regions = target_regions
        self._table = table
        self._applier = applier
        if table.way_back is not None:
            applier.tells_sent = table.way_back.note_sent
        self.both = both
        self.target_status = _ACTIVE

    @property
    def source(self) -> str:
        """The source's name."""
        return self._table.source

    @property
    def last_status(self) -> MoveStatus | None:
        """How it stood a moment ago."""
        return self._table.last_status

    @property
    def target(self) -> str:
        """The target's name."""
        return self._table.target

    @property
    def way_back(self) -> TargetCapture | None:
        """The capture of the target; None where no way back is wanted."""
        return self._table.way_back

    def hold(self, is_held: bool) -> None:
        """Sends nothing new to the target from now on; or lets it go on, unless what was written
        there behind a return is not all seen.
        """
        is_behind = self.way_back is not None and self.way_back.is_catching_up
        self._applier.hold(is_held or is_behind)

    def is_switched(self, stands: MoveState = "switched") -> None:
        """Nothing is sent to the target any more, in whatever state it `stands`."""
        self._applier.hold(True)
        self._table.is_switched, self._table.stands = True, stands

    async def go_forward(self) -> None:
        """Before anything is applied, behind a way back: what waited is older than what was written
        back since, so all of it is read again from the source.
        """
        await self._table.spool.run(partial(SpoolFile.change, step=read_all_again))

    async def take_over_target(self) -> None:
        """What was written to the target behind the return is in no other place: the source is what
        counts again, and is read under these keys; all keys are, where records were lost.
        """
        if (back := self.way_back) is None:
            return
        spool, now, after = self._table.spool, self._table.capture.clock(), 0
        while rows := await back.spool.run(
            partial(SpoolFile.waiting, after=after, limit=_ROWS_AT_ONCE)
        ):
            after = rows[-1].number
            keys = [ChangeRecord(row.digest, row.key, ChangeKind.READ_AGAIN) for row in rows]
            await spool.insist(partial(SpoolFile.store, changes=keys, positions=(), now=now))
        if (await back.counts()).open_gaps:
            gaps = [Gap("", "records of the target's stream were lost behind the return")]
            await spool.insist(
                partial(SpoolFile.store, changes=(), positions=(), now=now, gaps=gaps)
            )
        await back.end_catching_up()

    def begin_anew(self) -> None:
        """Silence counts from now on."""
        if (capture := self._table.capture.current) is not None:
            capture.watch.quiet.begin_anew(capture.clock())

    async def differing(self) -> tuple[int, list[bytes]]:
        """How many keys were compared of those that changed last, and which differ."""
        capture = self._table.capture.current
        keys = [] if capture is None else list(capture.watch.recent.latest_first())
        if self.way_back is not None:
            keys = list(dict.fromkeys([*keys, *self.way_back.foreign_keys()]))
        return len(keys), await self.both.differing(keys)

    async def begin_late_writes(self, *, takes_waiting: bool) -> None:
        """What is written to the source from now on is late, and what waits by now; without
        `takes_waiting` that is ours.

        :raises StateWriteError: it could not be stored
        """
        capture = self._table.capture
        begin = partial(
            spool_late_writes.begin,
            at=capture.clock(),
            takes_waiting=takes_waiting,
            unseen=CLOSED if capture.is_to_end else None,
        )
        await self._table.spool.run(partial(SpoolFile.change, step=begin))

    async def end_late_writes(self, *, forget: bool) -> None:
        """What is written to the source from now on is not late; `forget`: nor was what came since
        it began, as nothing was switched.

        :raises StateWriteError: it could not be stored
        """
        end = partial(spool_late_writes.end, forget=forget)
        await self._table.spool.run(partial(SpoolFile.change, step=end))

    async def has_ended_late_writes(self) -> bool:
        """Whether that had begun before and was ended, whoever did it."""
        counts = await self._table.spool.run(
            partial(SpoolFile.change, step=spool_late_writes.counts)
        )
        return counts.since is not None and not counts.is_on

    async def late_writes(self) -> int:
        """Behind a switch: the keys that were written to the side that was left."""
        return (await self._table.late_counts()).late_writes

    async def look(self) -> TableLook:
        """How it stands now."""
        counts = await self._table.spool.run(SpoolFile.counts)
        # Behind the counts: what is stored meanwhile is seen by one of both.
        quiet = self._quiet(Spooled(counts.waiting, self._applier.stats.in_flight))
        capture, status = self._table.capture, self._table.last_status
        return TableLook(
            table=self._table.source,
            quiet=quiet,
            captured=counts.captured,
            last_change_at=capture.stats.last_change_at,
            last_expiry_at=capture.stats.last_expiry_at,
            changes_per_second=0.0 if status is None else status.changes_in_per_second,
            doubts=counts.doubts,
            doubts_due_at=counts.doubts_due_at,
            is_drained=self._table.capture.is_drained,
            is_held=self._applier.is_held,
            late_regions=self._table.seen.late_regions,
            target_regions=self._target_regions,
            reasons=() if status is None else reasons_not_ready(self._standing(status, counts)),
            way_back=None if self.way_back is None else self.way_back.way_back(),
        )

    def _quiet(self, spooled: Spooled) -> Quiet:
        capture = self._table.capture.current
        if capture is None:
            return Quiet(False, ("a stream that is enabled",), 0.0, self._table.capture.clock())
        is_drained = self._table.capture.is_drained
        quiet = capture.watch.quiet.verdict(capture.clock(), spooled, is_drained=is_drained)
        if quiet.needs_listing:
            capture.want_listing()
        return quiet

    def _standing(self, status: MoveStatus, counts: SpoolCounts) -> Standing:
        """What was said last, within a second; what was lost or refused is as of now. A stream that
        is disabled on purpose has no children to wait for, and no lag once it is read to its end.
        """
        now = replace(status, rejected=counts.letters, gaps=counts.open_gaps, doubts=counts.doubts)
        if self._table.capture.is_to_end:
            now = replace(now, lag_seconds=None, shards_childless=0)
        return standing_of(
            now,
            target_status=self.target_status,
            other_readers=self._table.capture.stats.other_readers,
            way_back=None if self.way_back is None else self.way_back.way_back(),
        )


def stage_of(tables: Sequence[SwitchedTable]) -> Stage:
    """What the tables of a move do, all in all."""
    found = [status for table in tables if (status := table.last_status) is not None]
    return overall(found).state if found else "replaying"
