"""The repair of the target, one difference at a time, and only where the right item is certain.

Both sides are read consistently right before: what is written is the source's item as it is now, in
its own bytes, and only if the target still is what was seen there. The write itself has the same
condition, as far as the service lets it be said (`conditions`); what it replaced all the same is
kept and reported (`conditional_writer`). Afterwards both sides are read once more; only what is
equal then is repaired.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal

import anyio
from msgspec import Struct

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.stop import StopSignal, cancel_when_over
from dynaferry.verify.compare.conditional_writer import RepairWriter, Written
from dynaferry.verify.compare.confirm import KEYS_AT_ONCE, Confirmer
from dynaferry.verify.compare.table_comparison import counters_of
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import ComparisonTotals, Difference
from dynaferry.verify.state.store import RepairOutcome, ReplacedKind, VerificationStore
from dynaferry.verify.stats import ComparisonStats

# After the first signal, what is under way has this long to come to its end (invariant 9).
GRACE_SECONDS: Final = 4.0
STORE_SECONDS: Final = 5.0

_Step = Literal["write", "delete", "nothing", "leave"]
_HOW: dict[_Step, RepairOutcome] = {"write": "written", "delete": "deleted"}


class RepairPlan(Struct, frozen=True, kw_only=True):
    """The plan of a repair of one table, in items."""

    target: str
    target_arn: str
    write_missing: int
    overwrite_different: int
    delete_extra: int

    @property
    def items(self) -> int:
        """The number of items of the target that it would touch."""
        return self.write_missing + self.overwrite_different + self.delete_extra


def repair_plan(
    plan: VerifyPlan, target: str, target_arn: str, totals: ComparisonTotals
) -> RepairPlan:
    """The repair of these differences, as far as the plan asks for it. Pure."""
    return RepairPlan(
        target=target,
        target_arn=target_arn,
        write_missing=totals.missing if plan.repair else 0,
        overwrite_different=totals.different if plan.repair else 0,
        delete_extra=totals.extra if plan.delete_extra else 0,
    )


class Repair:
    """A repair of the differences of one table."""

    def __init__(
        self,
        writer: RepairWriter,
        confirmer: Confirmer,
        store: VerificationStore,
        stats: ComparisonStats,
        *,
        table: int,
        kinds: frozenset[str],
    ) -> None:
        self._writer = writer
        self._confirmer = confirmer
        self._store = store
        self._stats = stats
        self._table = table
        self._kinds = kinds

    @property
    def refusals(self) -> Sequence[str]:
        """What the target refused, in its words."""
        return self._writer.refusals

    @property
    def overwritten(self) -> Sequence[str]:
        """The keys of the items that it replaced though it had not seen them, and that are kept."""
        return self._writer.overwritten

    async def repair_all(self, stop: StopSignal) -> bool:
        """Repairs what it can; returns False if stopped before the end.

        What could not be repaired stays a difference; `refusals` says what the target refused.
        After a stop what is under way comes to its end, but for what waits for a pause or a
        limiter; what was written by then, and not confirmed, the next repair finds to agree.

        :raises StoppedError: inside an exception group; it cannot go on now; what is repaired is
            stored
        """
        finished = False
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._cancel_when_over, beside.cancel_scope, stop)
            finished = await self._repair_in_turn(stop)
            beside.cancel_scope.cancel()
        return finished

    async def _cancel_when_over(self, repairing: anyio.CancelScope, stop: StopSignal) -> None:
        await cancel_when_over(
            repairing,
            stop,
            in_flight=lambda: self._stats.requests_in_flight or not self._stats.requests_waiting,
            grace_seconds=GRACE_SECONDS,
        )

    async def _repair_in_turn(self, stop: StopSignal) -> bool:
        after = b""
        while differences := await self._store.read_differences(self._table, KEYS_AT_ONCE, after):
            if stop.asked:
                return False
            after = differences[-1].key
            await self._repair([one for one in differences if one.kind in self._kinds])
        return True

    async def _repair(self, differences: Sequence[Difference]) -> None:
        if not differences:
            return
        keys = [difference.key for difference in differences]
        source, target = await self._confirmer.read_both(keys)
        steps = {
            one.key: next_step(one, source.get(one.key), target.get(one.key)) for one in differences
        }
        done: dict[bytes, RepairOutcome] = {}
        replaced: dict[bytes, ReplacedKind | None] = {}

        async def repair_one(key: bytes, step: _Step) -> None:
            written = await self._take(step, key, source.get(key), target.get(key))
            replaced[key] = written.replaced
            if written.outcome != "left":
                done[key] = _HOW[step] if written.outcome == "done" else "agreed"

        async with (
            self._in_doubt_until_known(steps, target, replaced),
            anyio.create_task_group() as group,
        ):
            for key, step in steps.items():
                group.start_soon(repair_one, key, step)
        await self._store_what_agrees(done)

    @asynccontextmanager
    async def _in_doubt_until_known(
        self,
        steps: Mapping[bytes, _Step],
        target: Mapping[bytes, bytes],
        replaced: Mapping[bytes, ReplacedKind | None],
    ) -> AsyncIterator[None]:
        """Stores what is about to be replaced as unseen, and what it was once that is known.

        So a kill in between leaves it said that nobody knows what was replaced; a stop or an error
        does so only where a write was sent and no response came.
        """
        at_risk = [key for key in target if steps[key] in ("write", "delete")]
        if not at_risk:
            yield
            return
        await self._store.note_replaced(self._table, dict.fromkeys(at_risk, "unseen"))
        try:
            yield
        finally:
            known = {key: replaced.get(key) for key in at_risk if key not in self._writer.in_doubt}
            with anyio.move_on_after(STORE_SECONDS, shield=True):
                await self._store.note_replaced(self._table, known)

    async def _store_what_agrees(self, done: dict[bytes, RepairOutcome]) -> None:
        source, target = await self._confirmer.read_both(list(done)) if done else ({}, {})
        for how in set(done.values()):
            keys = [
                key
                for key, its in done.items()
                if its == how and _digest(source.get(key)) == _digest(target.get(key))
            ]
            await self._store.mark_repaired(self._table, keys, how, counters_of(self._stats))
            self._stats.differences -= len(keys)

    async def _take(
        self, step: _Step, key: bytes, source: bytes | None, target: bytes | None
    ) -> Written:
        if step == "write" and source is not None:
            return await self._writer.put(key, source, target)
        if step == "delete" and target is not None:
            return await self._writer.delete(key, target)
        return Written("agrees" if step == "nothing" else "left")


def next_step(difference: Difference, source: bytes | None, target: bytes | None) -> _Step:
    """The step that repairs a difference, with both sides as they are now. Pure."""
    if _digest(source) == _digest(target):
        return "nothing"
    if _digest(target) != difference.target_digest:
        return "leave"
    if difference.kind == "extra":
        return "delete" if source is None else "leave"
    return "leave" if source is None else "write"


def _digest(item: bytes | None) -> bytes | None:
    return None if item is None else digest_of(item)
