"""A target in memory that does what targets do, and an applier that lives and dies beside it.

It throttles, leaves changes undone, refuses items, loses its responses, and lets a write take
effect up to a minute after it was given up: as the model of `tests/model` has it, here in full.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from zlib import crc32

import anyio
from msgspec import Raw

from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import DynaferryError, ItemRefusedError, ThrottledError, UnavailableError
from dynaferry.follow.applier import Applier
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.lanes import LANES, Lanes
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Waiting
from dynaferry.ports import BatchExchange, Change, Delete, FoundItems, WriteResult
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.retry import Patience, RetryPolicy
from tests.follow.changes import key_named
from tests.follow.stream_world import Follower, StreamWorld, now

REFUSED = b"bad"
FOR_EVER = 1e9


class EveryRequest:
    """A limiter that admits all, and notes what it is told is the table's matter."""

    most_units_at_once = float("inf")

    def __init__(self) -> None:
        self.refused = 0.0

    def acquire_nowait(self, units: float, requests: int = 1) -> bool:
        return True

    async def acquire(self, units: float, requests: int = 1) -> None:
        pass

    def settle(
        self,
        admitted: float,
        consumed: float | None,
        *,
        refused: float = 0.0,
        latency_seconds: float = 0.0,
        requests: int = 1,
    ) -> None:
        self.refused += refused

    def throttled(self, error: ThrottledError, admitted: float) -> None:
        self.refused += admitted


class NoCounters:
    def waiting(self, more: int) -> None:
        pass

    def sent(self) -> None:
        pass

    def ended(self) -> None:
        pass

    def retried(self) -> None:
        pass

    def throttled(self, *_: object) -> None:
        pass

    def consumed(self, units: float) -> None:
        pass


class TargetWorld:
    """Both tables of a `StreamWorld`: a `BatchTarget` that is written, a `KeyLookup` that reads the
    source. Names that begin with "bad" are refused by the target.
    """

    def __init__(self, world: StreamWorld, seed: int, *, trouble: float) -> None:
        self.world = world
        self.chance = Random(seed)
        self.trouble = trouble
        self.items: dict[bytes, bytes] = {}
        self.writing: dict[bytes, int] = {}
        self.late: set[asyncio.Task[None]] = set()
        self.late_writes = 0

    @property
    def source(self) -> dict[bytes, bytes]:
        """What the source holds."""
        newest = {record.change.key: record.change.image for record in self.world.written}
        return {key: image for key, image in newest.items() if image is not None}

    # The target ----------------------------------------------------------------------------------

    async def write_batches(self, batches: BatchExchange) -> None:
        batch = list(next(batches))
        keys = [self.key_of(change) for change in batch]
        assert len(set(keys)) == len(keys) <= 25
        for key in keys:
            self.writing[key] = self.writing.get(key, 0) + 1
            assert self.writing[key] == 1, "a key is in two requests"
        try:
            result = await self._write(batch)
        finally:
            for key in keys:
                self.writing[key] -= 1
        with suppress(StopIteration):
            batches.send(result)

    async def _write(self, batch: list[Change]) -> WriteResult:
        await anyio.sleep(self.chance.uniform(0.002, 0.02))
        what = self.chance.random() / self.trouble if self.trouble else 1.0
        if what < 0.2:
            raise ThrottledError("too fast", code="ThrottlingException")
        if what < 0.4:
            # In vain, in effect now, or in effect when nobody waits for it any more.
            self._take_late(batch, self.chance.choice([None, 0.0, self.chance.uniform(0, 50)]))
            raise UnavailableError("no response")
        if any(isinstance(c, Raw) and REFUSED in self.key_of(c) for c in batch):
            raise ItemRefusedError("it is bad", code="ValidationException")
        undone: list[Change] = []
        if what < 0.6:
            undone = self.chance.sample(batch, self.chance.randint(1, len(batch)))
        for change in batch:
            if all(change is not left for left in undone):
                self._take(change)
        return WriteResult(undone)

    def _take(self, change: Change) -> None:
        if isinstance(change, Delete):
            self.items.pop(self.key_of(change), None)
        else:
            self.items[self.key_of(change)] = bytes(change)

    def _take_late(self, batch: list[Change], seconds: float | None) -> None:
        if seconds is None:
            return

        async def later() -> None:
            await anyio.sleep(seconds)
            for change in batch:
                if isinstance(change, Delete) or REFUSED not in bytes(change):
                    self._take(change)

        self.late_writes += seconds > 0
        task = asyncio.create_task(later())
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    def units_of(self, changes: Sequence[Change], /) -> float:
        return float(len(changes))

    def key_of(self, change: Change, /) -> bytes:
        if isinstance(change, Delete):
            return bytes(change.key)
        return key_named(bytes(change).split(b'"')[5].decode())

    # The source, read again ----------------------------------------------------------------------

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        await anyio.sleep(self.chance.uniform(0.002, 0.02))
        if self.chance.random() < self.trouble / 4:
            raise UnavailableError("no response")
        unread = [key for key in keys if self.chance.random() < self.trouble / 4]
        source = self.source
        found = [Raw(source[key]) for key in keys if key not in unread and key in source]
        return FoundItems(found, unread)

    # What is judged ------------------------------------------------------------------------------

    def assert_is_the_source(self, file: SpoolFile) -> None:
        """Byte for byte, but for what the target refuses; and the counts add up."""
        refused = {key for key in self.source if REFUSED in key}
        source = {key: item for key, item in self.source.items() if key not in refused}
        assert {k: v for k, v in self.items.items() if k not in refused} == source
        assert {canonical(key) for key in file.letter_keys()} == refused
        counts = file.counts()
        assert counts.waiting == counts.doubts == 0
        assert counts.captured == counts.applied + counts.compacted + counts.rejected


class NamedLanes(Lanes):
    """Lanes by a part of the keys' names."""

    def __init__(self, of: Callable[[bytes], bytes]) -> None:
        super().__init__(None, clock=now)
        self._of = of

    def lane_of(self, row: Waiting) -> int:
        return crc32(self._of(row.key.split(b'"')[5])) % LANES


class LivingApplier:
    """An applier on the spool of a `Follower`, as often as it is started."""

    def __init__(
        self,
        follower: Follower,
        target: TargetWorld,
        *,
        lane_of: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.lanes = Lanes(None, clock=now) if lane_of is None else NamedLanes(lane_of)
        self.follower = follower
        self.target = target
        self.limiter = EveryRequest()
        self.applier: Applier
        self._task: asyncio.Task[None] | None = None

    def check(self, key: bytes, error: DynaferryError) -> None:
        assert REFUSED in key

    async def accepted(self, keys: Sequence[bytes]) -> None:
        pass

    def start(self) -> None:
        """Applies what is in the spool, from now on."""
        patience = Patience(FOR_EVER, clock=now)
        write_retry = RetryPolicy("target", patience, passing=(ThrottledError,))
        read_retry = RetryPolicy("source", Patience(FOR_EVER, clock=now))
        limiter, counters = self.limiter, NoCounters()
        self.applier = Applier(
            self.follower.spool,
            self.target,
            self.target,
            self,
            writes=LimitedCall(limiter, write_retry, counters, clock=now),
            reads=LimitedCall(limiter, read_retry, counters, clock=now),
            write_retry=write_retry,
            read_retry=read_retry,
            lanes=self.lanes,
            clock=now,
            workers=4,
        )
        self._task = asyncio.create_task(self.applier.run())

    async def stop(self) -> None:
        """Ends in order: what is on its way is settled."""
        await self.applier.drain()
        await self.kill()

    async def kill(self) -> None:
        """What is on its way may still take effect, within the bound."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    @staticmethod
    async def let_late_writes_land() -> None:
        await anyio.sleep(LATE_WRITE_SECONDS)
