"""The replay of dead letters: each is written, or refused again.

A letter is an item as the copy read it, perhaps days ago, so a replay writes it only where the
target holds nothing under its key, unless the request says otherwise. The results for a few
letters are stored in one transaction (invariant 2): a replay that is killed has, at worst, written
an item whose letter is still there, and the next one finds that very item and counts it.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import anyio
from msgspec import Raw, Struct
from msgspec.structs import replace

from dynaferry.copy.counters import counters_of
from dynaferry.errors import ItemRefusedError
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.observe.request_counters import WriteCounters
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import IfPresent
from dynaferry.ports import ItemTarget, PutResult
from dynaferry.state.records import DeadLetter
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal, cancel_when_over
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.limiter import RateLimiter
from dynaferry.throttle.retry import RetryPolicy

# As many as a batch: at 400 KB an item, what is in memory and what a kill may have to do again.
LETTERS_AT_ONCE: Final = BATCH_MAX_ITEMS
# After the first signal, requests in flight have this long to end.
IN_FLIGHT_GRACE_SECONDS: Final = 3.0
PRESENT_CODE: Final = "ItemPresent"
PRESENT_WORDS: Final = (
    "the target holds another item under this key by now; --if-present overwrite replaces it, "
    "--if-present accept keeps it and drops this dead letter"
)


class _Reason(Struct, frozen=True):
    """Why a letter stays one."""

    code: str
    message: str


class Replayer:
    """A replay of the dead letters of one table. `stats` goes on from what is stored."""

    def __init__(
        self,
        target: ItemTarget,
        stats: TableStats,
        *,
        table: int,
        store: StateStore,
        limiter: RateLimiter,
        retry: RetryPolicy,
        if_present: IfPresent = "keep",
        writers: int = LETTERS_AT_ONCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._stats = stats
        self._table = table
        self._store = store
        self._retry = retry
        self._call = LimitedCall(limiter, retry, WriteCounters(stats))
        self._if_present = if_present
        self._turns = anyio.CapacityLimiter(min(writers, LETTERS_AT_ONCE))
        self._clock = clock

    async def replay(self, stop: StopSignal, settled: Callable[[int, int], None]) -> None:
        """Tries every letter once, until a stop is asked for.

        `settled` gets how many were written and how many refused, each time that is durable.

        :raises StoppedError: inside an exception group; the replay cannot go on
        """
        after: DeadLetter | None = None
        while not stop.asked:
            letters = await self._store.read_counted_dead_letters(
                self._table, after, LETTERS_AT_ONCE
            )
            if not letters:
                return
            settled(*await self._replay_some(letters, stop))
            after = letters[-1]

    async def _replay_some(
        self, letters: Sequence[DeadLetter], stop: StopSignal
    ) -> tuple[int, int]:
        """Tries letters side by side, and settles those whose response came before a stop."""
        reasons: dict[int, _Reason | None] = {}

        async def replay_one(number: int) -> None:
            async with self._turns:
                reasons[number] = await self._write(letters[number])

        async with anyio.create_task_group() as beside:
            async with anyio.create_task_group() as group:
                beside.start_soon(self._cancel_when_over, group.cancel_scope, stop)
                for number in range(len(letters)):
                    group.start_soon(replay_one, number)
            beside.cancel_scope.cancel()
        return await self._settle([(letters[n], reasons[n]) for n in sorted(reasons)])

    async def _cancel_when_over(self, replaying: anyio.CancelScope, stop: StopSignal) -> None:
        await cancel_when_over(
            replaying,
            stop,
            in_flight=lambda: self._stats.write_requests_in_flight,
            grace_seconds=IN_FLIGHT_GRACE_SECONDS,
        )

    async def _settle(self, tried: Sequence[tuple[DeadLetter, _Reason | None]]) -> tuple[int, int]:
        written = [letter for letter, reason in tried if reason is None]
        refused = [
            replace(
                letter,
                error_code=reason.code,
                error_message=reason.message,
                time=self._clock(),
            )
            for letter, reason in tried
            if reason is not None
        ]
        self._stats.items_written += len(written)
        self._stats.items_rejected -= len(written)
        await self._store.settle_dead_letters(
            self._table, written=written, refused=refused, counters=counters_of(self._stats)
        )
        return len(written), len(refused)

    async def _write(self, letter: DeadLetter) -> _Reason | None:
        """Returns None if the letter is settled, or else why it is not."""
        try:
            result = await self._retry.call(partial(self._send, Raw(letter.item)))
        except ItemRefusedError as error:
            return _Reason(error.code, error.message)
        if result.present == "other" and self._if_present != "accept":
            return _Reason(PRESENT_CODE, PRESENT_WORDS)
        return None

    async def _send(self, item: Raw) -> PutResult:
        overwrite = self._if_present == "overwrite"
        put = partial(self._target.put_item, item, overwrite=overwrite)
        return await self._call.send("PutItem", put, self._target.units_of([item]))
