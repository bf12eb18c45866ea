"""From the spool into the target: of each key the newest state, one request after the other.

A key is never in two requests at once, so its states arrive in order. What is acknowledged leaves
the spool, unless something newer of its key has arrived; what the service leaves undone waits by
its key while others go on. An image that the target refuses is not a bad item yet: the source is
read first, and only what it holds now and the target refuses is a dead letter.

A write of which nobody knows what became of it may take effect later and undo a newer one: its key
is in doubt, and is read again once no such write can be on its way.
"""

import math
import time
from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import Raw, Struct

from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import (
    ItemRefusedError,
)
from dynaferry.follow.applied_rows import AppliedRows, Held
from dynaferry.follow.applier_work import (
    RejectedChanges,
    Settled,
    Work,
    bytes_of,
    change_of,
    portions,
)
from dynaferry.follow.change_writer import ChangeWriter
from dynaferry.follow.lanes import Lanes
from dynaferry.follow.on_the_way import OnTheWay
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Letter, Waiting
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.ports import BatchTarget, Change, ChangeKind, Delete, KeyLookup
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.retry import RetryPolicy

WORKERS: Final = 16
_ROWS_AT_ONCE: Final = 1_000
_BYTES_AT_ONCE: Final = 4 * 1024**2
# Who follows closely sends what has come within so long at once, and takes it out of the spool as
# it is answered, this often: requests are fuller, and transactions fewer.
_ROUND_SECONDS: Final = 0.2
_TURN_SECONDS: Final = 0.02
_SETTLE_SECONDS: Final = 0.1
# How long what was left undone waits, at first and at most.
_UNDONE_SECONDS: Final = (0.05, 2.0)
_UNITS_PER_KEY: Final = 1.0
_DOUBTS_SECONDS: Final = 1.0


class ApplierStats(Struct):
    """What has been applied since this process began."""

    changes: int = 0
    read_again: int = 0
    refused_images: int = 0
    rejected: int = 0
    in_flight: int = 0


class Applier:
    """Applies what waits in one table's spool, until it is cancelled or told to end."""

    def __init__(
        self,
        spool: Spool,
        target: BatchTarget,
        lookup: KeyLookup,
        rejected: RejectedChanges,
        *,
        writes: LimitedCall,
        reads: LimitedCall,
        write_retry: RetryPolicy,
        read_retry: RetryPolicy,
        lanes: Lanes,
        clock: Callable[[], float] = time.time,
        workers: int = WORKERS,
    ) -> None:
        self._spool = spool
        self._applied_rows = AppliedRows(spool)
        self._target = target
        self._lookup = lookup
        self._rejected = rejected
        self._lanes = lanes
        self._writer = ChangeWriter(spool, target, writes, write_retry, lanes, clock)
        self._reads = reads
        self._read_retry = read_retry
        self._clock = clock
        self._workers = workers
        self._on_the_way = OnTheWay()
        self._not_before: dict[bytes, tuple[float, float]] = {}
        self._doubts_seen_at = -math.inf
        self._drains = anyio.Event()
        self._is_held = False
        # Is told of rows before they are sent, where somebody wants to know what is ours.
        self.tells_sent: Callable[[Sequence[Waiting]], None] | None = None
        self.stats = ApplierStats()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way to the target, nor to be taken out of the spool."""
        return not self._on_the_way and self._applied_rows.is_empty

    async def run(self) -> None:
        """Applies until it is cancelled. What is on its way then is applied again by the next.

        :raises StoppedError: the target takes nothing more, or too much was refused
        """
        gives, takes = anyio.create_memory_object_stream[Work](self._workers)
        settles, settled = anyio.create_memory_object_stream[Settled](2 * self._workers)
        async with gives, takes, settles, settled, anyio.create_task_group() as group:
            for _ in range(self._workers):
                group.start_soon(self._work, takes, settles)
            group.start_soon(self._settle_for_ever, settled)
            await self._give_for_ever(gives)

    @property
    def is_held(self) -> bool:
        """Whether nothing is sent until it is let go on, and nothing is on its way."""
        return self._is_held and self.is_idle

    def hold(self, is_held: bool) -> None:
        """Sends nothing new from now on; or lets it go on."""
        self._is_held = is_held

    async def drain(self) -> None:
        """Sends nothing new, and returns once all that was sent is out of the spool."""
        self._drains.set()
        await self._on_the_way.until_empty()
        await self._applied_rows.take_out()

    async def until_answered(self) -> None:
        """Returns once all that is on its way now is settled, whatever is sent meanwhile."""
        await self._on_the_way.until_answered()

    # What goes out next ------------------------------------------------------------------------

    async def _give_for_ever(self, gives: MemoryObjectSendStream[Work]) -> None:
        """Goes round through what waits, so that a key that changes all the time holds none up."""
        cursor = 0
        while not self._drains.is_set():
            began = anyio.current_time()
            await self._revisit_doubts()
            await self._on_the_way.until_there_is_room()
            # As it is before the rows are read: one that is acknowledged meanwhile is old by now.
            busy, held = self._on_the_way.keys(), self._applied_rows.held()
            rows = await self._spool.run(
                partial(
                    SpoolFile.waiting,
                    after=cursor,
                    limit=_ROWS_AT_ONCE,
                    most_bytes=_BYTES_AT_ONCE,
                )
            )
            is_behind = len(rows) == _ROWS_AT_ONCE or bytes_of(rows) >= _BYTES_AT_ONCE
            cursor = rows[-1].number if is_behind else 0
            ready = self._free(rows, busy, held)
            free = self._lanes.sendable(ready)
            # From now on: what is read from the spool is older than what comes into it later.
            self._on_the_way.take(free)
            if self.tells_sent is not None:
                self.tells_sent(free)
            self.stats.in_flight = len(self._on_the_way)
            for work in portions(free, is_behind=is_behind):
                if self._drains.is_set() or self._is_held:
                    self._release(work.rows)
                    continue
                await gives.send(work)
            await self._applied_rows.lags_behind(is_behind and not self._is_held)
            if self._is_held or not cursor:
                # A lane that is held back has its next turn within milliseconds.
                is_held_back = len(free) < len(ready)
                await anyio.sleep_until(began + (_TURN_SECONDS if is_held_back else _ROUND_SECONDS))

    def _free(self, rows: Sequence[Waiting], busy: Set[bytes], held: Held) -> list[Waiting]:
        """Rows whose keys are in no request, and need not wait."""
        free = [row for row in held.without(rows) if row.digest not in busy]
        if not self._not_before:
            return free
        now = self._clock()
        return [r for r in free if self._not_before.get(r.digest, (0.0, 0.0))[0] <= now]

    async def _revisit_doubts(self) -> None:
        now = self._clock()
        if now - self._doubts_seen_at < _DOUBTS_SECONDS:
            return
        self._doubts_seen_at = now
        await self._spool.insist(partial(SpoolFile.revisit_doubts, now=now))

    # The workers -------------------------------------------------------------------------------

    async def _work(
        self,
        takes: MemoryObjectReceiveStream[Work],
        settles: MemoryObjectSendStream[Settled],
    ) -> None:
        async for work in takes:
            settled = Settled([], self._clock(), [])
            rows, changes = work.rows, list(map(change_of, work.rows))
            if work.reads:
                rows, changes, settled.left = await self._read_again(work.rows)
            for start in range(0, len(rows), BATCH_MAX_ITEMS):
                end = start + BATCH_MAX_ITEMS
                await self._write(rows[start:end], changes[start:end], settled)
            await settles.send(settled)

    async def _read_again(
        self, rows: Sequence[Waiting]
    ) -> tuple[list[Waiting], list[Change], list[Waiting]]:
        """What the source holds under these keys now: an item to put, or none: a delete; and rows
        that were left unread.
        """
        keys = [row.key for row in rows]

        result = await self._read_retry.call(
            lambda: self._reads.send(
                "BatchGetItem",
                lambda: self._lookup.find_items(keys),
                _UNITS_PER_KEY * len(keys),
            )
        )
        unread = {canonical(key) for key in result.unprocessed}
        items = {canonical(self._target.key_of(item)): item for item in result.items}
        self.stats.read_again += len(rows) - len(unread)
        found = [row for row in rows if row.key not in unread]
        left = [row for row in rows if row.key in unread]
        changes: list[Change] = [
            Delete(Raw(row.key)) if (item := items.get(row.key)) is None else item for row in found
        ]
        return found, changes, left

    async def _write(
        self, rows: Sequence[Waiting], changes: Sequence[Change], settled: Settled
    ) -> None:
        """Writes a batch, and notes what became of it; one that is refused for its content is cut
        in two until an item stands alone.
        """
        try:
            result = await self._writer.write(rows, changes)
        except ItemRefusedError as error:
            if len(rows) > 1:
                half = len(rows) // 2
                await self._write(rows[:half], changes[:half], settled)
                await self._write(rows[half:], changes[half:], settled)
            else:
                await self._refused(rows[0], changes[0], error, settled.sent_at)
            return
        if not result.unprocessed:
            settled.done += rows
            return
        undone = {id(change) for change in result.unprocessed}
        for row, change in zip(rows, changes, strict=True):
            (settled.left if id(change) in undone else settled.done).append(row)

    async def _refused(
        self, row: Waiting, item: Change, error: ItemRefusedError, sent_at: float
    ) -> None:
        """An image is read again; what the source holds now is a dead letter."""
        if row.kind is not ChangeKind.READ_AGAIN and not isinstance(item, Delete):
            self.stats.refused_images += 1
            await self._spool.insist(partial(SpoolFile.read_again, changes=[row]))
        else:
            self._rejected.check(row.key, error)
            kept = b"" if isinstance(item, Delete) else bytes(item)
            letter = Letter(kept, error.code, error.message, self._clock())
            self.stats.rejected += 1
            # What the target held before it goes first: it would take the letter with it.
            await self._applied_rows.take_out()
            await self._spool.insist(
                partial(SpoolFile.set_aside, change=row, letter=letter, sent_at=sent_at)
            )
        self._release([row])

    # Settling ----------------------------------------------------------------------------------

    async def _settle_for_ever(self, settled: MemoryObjectReceiveStream[Settled]) -> None:
        """Takes what has come together out of the spool, in one transaction."""
        settled_at = -math.inf
        async for first in settled:
            if not self._applied_rows.is_behind:
                await anyio.sleep_until(settled_at + _SETTLE_SECONDS)
            settled_at = anyio.current_time()
            together = [first]
            while True:
                try:
                    together.append(settled.receive_nowait())
                except anyio.WouldBlock:
                    break
            await self._settle(together)

    async def _settle(self, together: Sequence[Settled]) -> None:
        done = [row for each in together for row in each.done]
        left = [row for each in together for row in each.left]
        if done:
            await self._rejected.accepted([row.key for row in done])
            self._applied_rows.add(done, min(each.sent_at for each in together if each.done))
            self.stats.changes += len(done)
        if self._not_before:
            for row in done:
                self._not_before.pop(row.digest, None)
        if left:
            self._postpone(left)
        if not self._applied_rows.is_behind:
            await self._applied_rows.take_out()
        self._release([*done, *left])
        await self._applied_rows.take_out_if_due()

    def _postpone(self, left: Sequence[Waiting]) -> None:
        """They wait a little, longer each time."""
        now = self._clock()
        least, most = _UNDONE_SECONDS
        for row in left:
            _, waited = self._not_before.get(row.digest, (0.0, 0.0))
            pause = min(most, 2 * waited or least)
            self._not_before[row.digest] = (now + pause, pause)

    def _release(self, rows: list[Waiting]) -> None:
        self._on_the_way.release(rows)
        self.stats.in_flight = len(self._on_the_way)
