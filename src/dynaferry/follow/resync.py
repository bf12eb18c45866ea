"""After a gap: every key is compared beside the follower, and what differs is read again.

What was lost nobody knows, so both tables are compared, as `verify` does it. It mends nothing by
itself: a key that is not found equal goes into the spool, to be read again, and the applier puts
the target right. So a key has one writer, its states arrive in order, and what the target refuses
becomes a dead letter; a repair of its own would need a condition and a third look for that (both
ways are in the model of `tests/model`). Dead letters are read again as well: their items may have
changed in the gap.

It begins once everything that was on its way when the gap was noticed is answered, since that is
older than what was lost. Whatever ends it, it goes on with the segments that are left, unless
another gap has come since it began.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import anyio
from msgspec.structs import replace

from dynaferry.control.run_limits import RunCaps
from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.errors import DynaferryError
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.lineage import Gap
from dynaferry.follow.rejections import MoveRejections
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.plan.settings import CopyPlan
from dynaferry.ports import ChangeKind, ChangeRecord
from dynaferry.run.lifecycle import Say, closing
from dynaferry.stop import StopSignal
from dynaferry.verify.assembly import VerifyCaps
from dynaferry.verify.run import execute
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import ENDED
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.summary import VerifyOutcome

LOOK_SECONDS: Final = 1.0
# How long after a comparison that could not be made the next is tried.
RESYNC_SECONDS: Final = 60.0
# What is on its way for less than this is not taken for a difference; if it were, it would be read
# again in vain.
SETTLE_SECONDS: Final = 5.0
_KEYS_AT_ONCE: Final = 1_000


class Resync:
    """Repairs the gaps of the tables of one move, for as long as it is followed."""

    def __init__(
        self,
        plan: CopyPlan,
        tables: Sequence[FollowedTable],
        rejections: Sequence[MoveRejections],
        caps: RunCaps,
        stop: StopSignal,
        say: Say,
    ) -> None:
        self._plan = replace(plan, restart=False, run=plan.run_name)
        self._tables = tables
        of_tables = zip(tables, rejections, strict=True)
        self._rejections = {table.number: rejected for table, rejected in of_tables}
        self._caps = caps
        self._stop = stop
        self._say = say

    async def run(self) -> None:
        """Repairs every gap that there is and that comes, until it is cancelled."""
        while True:
            await anyio.sleep(LOOK_SECONDS)
            lost = await self._lost()
            if not lost or not all(_may_be_compared(table) for table, _ in lost):
                continue
            if not await self._repaired(lost):
                await anyio.sleep(RESYNC_SECONDS)

    async def _lost(self) -> list[tuple[FollowedTable, list[tuple[int, Gap]]]]:
        """The tables with gaps that are not mended, and those."""
        found = [(table, await table.spool.run(SpoolFile.open_gaps)) for table in self._tables]
        return [(table, gaps) for table, gaps in found if gaps]

    async def _repaired(self, lost: list[tuple[FollowedTable, list[tuple[int, Gap]]]]) -> bool:
        """Compares these tables and has read again what differs; returns whether that was all."""
        for table, gaps in lost:
            for _, gap in gaps:
                self._say(f"{table.source}: records were lost: {gap.why}")
            if table.applier is not None:
                await table.applier.until_answered()
        names = ", ".join(table.source for table, _ in lost)
        try:
            await self._begin({table: gaps[-1][0] for table, gaps in lost})
            self._say(f"{names}: every key is compared now, beside the follower")
            outcome = await self._compare([table for table, _ in lost])
            if outcome.error is not None:
                raise outcome.error
            if not (outcome.summary.status in ENDED and outcome.summary.consistent_read):
                return False
            keys = await self._read_again([table for table, _ in lost])
        except DynaferryError as error:
            if self._stop.asked:
                return False
            self._say(f"{names}: not compared, again in {RESYNC_SECONDS:.0f} s: {error}")
            return False
        for table, gaps in lost:
            await table.spool.insist(
                partial(SpoolFile.mend_gaps, up_to=gaps[-1][0], now=table.capture.clock())
            )
        self._say(
            f"{names}: every key was compared since, {keys:,} are read again: the gap is repaired"
        )
        return True

    async def _begin(self, since: dict[FollowedTable, int]) -> None:
        """What an earlier comparison has done counts only if it began since these very gaps."""
        marks = {table: await table.spool.run(SpoolFile.compared_since) for table in self._tables}
        if marks == {table: since.get(table) for table in self._tables}:
            return
        # In this order: what is found under the new marks has begun after they were set.
        for table in self._tables:
            await table.spool.run(partial(SpoolFile.compare_since, number=None))
        await VerificationStore.discard_any(self._plan.state_dir, self._plan.run_name)
        for table, number in since.items():
            await table.spool.run(partial(SpoolFile.compare_since, number=number))

    async def _compare(self, tables: Sequence[FollowedTable]) -> VerifyOutcome:
        of = tuple(self._plan.tables[table.number] for table in tables)
        plan = VerifyPlan(
            copy=replace(self._plan, tables=of),
            settle_seconds=SETTLE_SECONDS,
            consistent_read=True,
        )
        return await execute(
            plan, stop=self._stop, say=self._say, caps=VerifyCaps(plan, self._caps)
        )

    async def _read_again(self, tables: Sequence[FollowedTable]) -> int:
        """Has every key read again that was not found equal, and every dead letter."""
        store = await VerificationStore.open(self._plan.state_dir, self._plan.run_name)
        total = 0
        async with closing(store):
            for index, table in enumerate(tables):
                letters = await table.spool.run(SpoolFile.letter_keys)
                await _store(table, [*letters, *self._rejections[table.number].keys()])
                after = b""
                while keys := await store.read_unequal_keys(index, _KEYS_AT_ONCE, after):
                    after = keys[-1]
                    total += len(keys)
                    await _store(table, keys)
        return total


def _may_be_compared(table: FollowedTable) -> bool:
    """Whether what comes from now on is captured, and what waits is not the replay's backlog."""
    is_followed = table.applier is not None and table.state == "re-syncing"
    return is_followed and table.capture.is_capturing


async def _store(table: FollowedTable, keys: Sequence[bytes]) -> None:
    changes = [ChangeRecord(digest_of(key), key, ChangeKind.READ_AGAIN) for key in keys]
    now = table.capture.clock()
    await table.spool.insist(partial(SpoolFile.store, changes=changes, positions=(), now=now))
