"""Makes the target what the source is, one difference at a time, and only where that is certain.

Both sides are read consistently right before: what is written is the source's item as it is now, in
its own bytes, and only if the target still is what was seen there. The write itself has the same
condition, so that whoever else writes to the target is never overwritten. Afterwards both sides
are read once more; only what is equal then is mended.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Literal

import anyio
from msgspec import Struct

from dynaferry.copy.stop import StopSignal, cancel_when_over
from dynaferry.dynamodb import capacity
from dynaferry.errors import ConditionFailedError, ItemRefusedError
from dynaferry.observe.comparison import ComparisonStats
from dynaferry.ports import ItemMender
from dynaferry.state.verification import ComparisonTotals, Difference
from dynaferry.state.verification_store import Mended, VerificationStore
from dynaferry.throttle.pace import Pace
from dynaferry.throttle.retry import RetryPolicy
from dynaferry.verify.canonical import digest_of
from dynaferry.verify.comparison import counters_of
from dynaferry.verify.confirm import KEYS_AT_ONCE, Confirmer
from dynaferry.verify.paced import paced
from dynaferry.verify.settings import VerifyPlan

# After the first signal, what is under way has this long to come to its end (invariant 9).
GRACE_SECONDS: Final = 4.0

_Step = Literal["write", "delete", "nothing", "leave"]
_HOW: dict[_Step, Mended] = {"write": "written", "delete": "deleted", "nothing": "agreed"}


class RepairPlan(Struct, frozen=True, kw_only=True):
    """What a repair would do to one table, in items."""

    target: str
    write_missing: int
    overwrite_different: int
    delete_extra: int

    @property
    def items(self) -> int:
        """How many items of the target it would touch."""
        return self.write_missing + self.overwrite_different + self.delete_extra


def repair_plan(plan: VerifyPlan, target: str, totals: ComparisonTotals) -> RepairPlan:
    """What is to be done about these differences, as far as the plan asks for it. Pure."""
    return RepairPlan(
        target=target,
        write_missing=totals.missing if plan.repair else 0,
        overwrite_different=totals.different if plan.repair else 0,
        delete_extra=totals.extra if plan.delete_extra else 0,
    )


class Repair:
    """Mends the differences of one table."""

    def __init__(
        self,
        target: ItemMender,
        confirmer: Confirmer,
        store: VerificationStore,
        stats: ComparisonStats,
        *,
        table: int,
        kinds: frozenset[str],
        pace: Pace,
        retry: RetryPolicy,
    ) -> None:
        self._target = target
        self._confirmer = confirmer
        self._store = store
        self._stats = stats
        self._table = table
        self._kinds = kinds
        self._pace = pace
        self._retry = retry
        self.refusals: list[str] = []

    async def mend_all(self, stop: StopSignal) -> bool:
        """Mends what it can; returns False if stopped before the end.

        What could not be mended stays a difference; `refusals` says what the target refused. After
        a stop what is under way comes to its end, but for what waits for a pause or the pace; what
        was written by then, and not confirmed, the next repair finds to agree.

        :raises StoppedError: inside an exception group; it cannot go on now; what is mended is
            stored
        """
        finished = False
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._cancel_when_over, beside.cancel_scope, stop)
            finished = await self._mend_in_turn(stop)
            beside.cancel_scope.cancel()
        return finished

    async def _cancel_when_over(self, mending: anyio.CancelScope, stop: StopSignal) -> None:
        await cancel_when_over(
            mending,
            stop,
            in_flight=lambda: self._stats.requests_in_flight or not self._stats.requests_waiting,
            grace_seconds=GRACE_SECONDS,
        )

    async def _mend_in_turn(self, stop: StopSignal) -> bool:
        after = b""
        while differences := await self._store.read_differences(self._table, KEYS_AT_ONCE, after):
            if stop.asked:
                return False
            after = differences[-1].key
            await self._mend([one for one in differences if one.kind in self._kinds])
        return True

    async def _mend(self, differences: Sequence[Difference]) -> None:
        if not differences:
            return
        keys = [difference.key for difference in differences]
        source, target = await self._confirmer.look_at_both(keys)
        done: dict[bytes, Mended] = {}

        async def mend(difference: Difference) -> None:
            there, here = source.get(difference.key), target.get(difference.key)
            step = next_step(difference, there, here)
            if step != "leave" and await self._take(step, difference.key, there, here):
                done[difference.key] = _HOW[step]

        async with anyio.create_task_group() as group:
            for difference in differences:
                group.start_soon(mend, difference)
        await self._store_what_agrees(done)

    async def _store_what_agrees(self, done: dict[bytes, Mended]) -> None:
        source, target = await self._confirmer.look_at_both(list(done)) if done else ({}, {})
        for how in set(done.values()):
            keys = [
                key
                for key, its in done.items()
                if its == how and _digest(source.get(key)) == _digest(target.get(key))
            ]
            await self._store.mend(self._table, keys, how, counters_of(self._stats))
            self._stats.differences -= len(keys)

    async def _take(
        self, step: _Step, key: bytes, source: bytes | None, target: bytes | None
    ) -> bool:
        """Returns whether the target now is what the source was."""
        try:
            if step == "write" and source is not None:
                await self._retry.call(partial(self._put, source, target))
            elif step == "delete" and target is not None:
                await self._retry.call(partial(self._delete, key, target))
        except ConditionFailedError as error:
            # A write that took effect but was not answered fails when it is tried again.
            return _digest(error.item) == _digest(source)
        except ItemRefusedError as error:
            self.refusals.append(f"{key.decode()}: {error.code}: {error.message}")
            return False
        return True

    async def _put(self, item: bytes, seen: bytes | None) -> None:
        units = float(capacity.write_units([item]))
        await self._paced(partial(self._target.put_if_unchanged, item, seen), units)

    async def _delete(self, key: bytes, seen: bytes) -> None:
        units = float(capacity.write_units([seen]))
        await self._paced(partial(self._target.delete_if_unchanged, key, seen), units)

    async def _paced(self, write: Callable[[], Awaitable[float | None]], units: float) -> None:
        self._stats.write_requests += 1
        try:
            consumed = await paced(self._pace, self._stats, write, units, consumed_of=_as_it_is)
        except (ConditionFailedError, ItemRefusedError):
            self._retry.progress()
            raise
        self._stats.write_units += consumed or 0.0
        self._retry.progress()


def _as_it_is(consumed: float | None) -> float | None:
    return consumed


def next_step(difference: Difference, source: bytes | None, target: bytes | None) -> _Step:
    """What to do about a difference when both sides are like this now. Pure."""
    if _digest(source) == _digest(target):
        return "nothing"
    if _digest(target) != difference.target_digest:
        return "leave"
    if difference.kind == "extra":
        return "delete" if source is None else "leave"
    return "leave" if source is None else "write"


def _digest(item: bytes | None) -> bytes | None:
    return None if item is None else digest_of(item)
