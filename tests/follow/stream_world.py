"""A stream in memory, with what a real one does: shards that split and roll, records that show
late and in order, empty pages in the middle, iterators that expire, trimming, stale listings.

It lives by the event loop's time, so that days of it pass in `benchmarks.virtual_time`. The spool
beside it is a real one in memory, without a thread: nothing there waits for anything but time.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import anyio
from blockbuster import blockbuster

from benchmarks import virtual_time
from dynaferry.errors import (
    ExpiredIteratorError,
    ShardGoneError,
    StateWriteError,
    ThrottledError,
    TrimmedError,
    UnavailableError,
)
from dynaferry.follow.capture import Capture
from dynaferry.follow.lineage import OVERLAP_SECONDS, Lineage
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_schema import SCHEMA
from dynaferry.ports import ChangePage, ChangeRecord, Shard, StreamListing
from tests.follow.changes import change

EPOCH = 1_800_000_000.0
RETENTION_SECONDS = 24 * 3600.0
ITERATOR_SECONDS = 15 * 60.0
STALE_SECONDS = 5.0

T = TypeVar("T")


def now() -> float:
    """The world's time, in seconds since the epoch."""
    return EPOCH + virtual_time.now()


@dataclass
class Record:
    """A record of a shard, and when it shows."""

    number: int
    change: ChangeRecord
    name: str
    shown_at: float


@dataclass
class WorldShard:
    """A shard as it is; the first `trimmed` records are gone."""

    id: str
    parent: str | None
    made_at: float
    closed_at: float | None = None
    records: list[Record] = field(default_factory=list)
    trimmed: int = 0

    @property
    def ending(self) -> int | None:
        if self.closed_at is None:
            return None
        return self.records[-1].number if self.records else 0


class StreamWorld:
    """A `ChangeSource`, and what changes the table behind it."""

    def __init__(self, seed: int = 0, *, shards: int = 2, trouble: float = 0.0) -> None:
        self.chance = Random(seed)
        self.trouble = trouble
        self.is_enabled = True
        self.has_other_readers = False
        self.page_size = 1000
        self.shards: dict[str, WorldShard] = {}
        self.gone: dict[str, WorldShard] = {}
        self.written: list[Record] = []
        self.pages_given = 0
        self._made = 0
        self._number = 10**21
        for _ in range(shards):
            self._grow(None)

    # What happens to the table -------------------------------------------------------------------

    def write(self, name: str, version: int | None, *, is_expiry: bool = False) -> None:
        """A change of one item, or its end by time to live, shown 200 to 800 ms later, behind those
        before it in its shard.
        """
        shard = self._owner(name)
        self._number += self.chance.randint(1, 10**6)
        shown_at = now() + self.chance.uniform(0.2, 0.8)
        if shard.records:
            shown_at = max(shown_at, shard.records[-1].shown_at)
        made = change(name, version, created_at=float(int(now())), is_expiry=is_expiry)
        record = Record(self._number, made, name, shown_at)
        shard.records.append(record)
        self.written.append(record)

    def close(self, children: int) -> None:
        """One of the open shards rolls (one child) or splits (two)."""
        shard = self.chance.choice(self._open())
        shard.closed_at = now()
        for _ in range(children):
            self._grow(shard.id)

    def disable(self) -> None:
        """The stream ends: every shard is closed, and none follows."""
        self.is_enabled = False
        for shard in self._open():
            shard.closed_at = now()

    def trim(self) -> None:
        """What is older than a day goes."""
        horizon = now() - RETENTION_SECONDS
        for shard in list(self.shards.values()):
            while (
                shard.trimmed < len(shard.records)
                and shard.records[shard.trimmed].change.created_at < horizon
            ):
                shard.trimmed += 1
            if shard.closed_at is not None and shard.closed_at < horizon:
                self.gone[shard.id] = self.shards.pop(shard.id)

    def _grow(self, parent: str | None) -> None:
        self._made += 1
        made_at = EPOCH if parent is None else now()
        name = f"shardId-{int(made_at * 1000):020d}-{self._made:08x}"
        self.shards[name] = WorldShard(name, parent, made_at)

    def _open(self) -> list[WorldShard]:
        return [shard for shard in self.shards.values() if shard.closed_at is None]

    def _owner(self, name: str) -> WorldShard:
        """From a root down to the open shard: a key's records follow the lineage."""
        every = [*self.gone.values(), *self.shards.values()]
        here = [shard for shard in every if shard.parent is None]
        while True:
            shard = here[sum(name.encode()) // 3 % len(here)]
            if shard.closed_at is None:
                return shard
            here = [child for child in every if child.parent == shard.id]

    # The service ---------------------------------------------------------------------------------

    async def list_shards(self, seconds_a_page: float = 0.0) -> StreamListing:
        await self._answer()
        shown = []
        for shard in self.shards.values():
            stale = self.trouble and self.chance.random() < 0.3
            known_at = now() - (STALE_SECONDS if stale else 0.0)
            if shard.made_at <= known_at or shard.parent is None:
                is_closed = shard.closed_at is not None and shard.closed_at <= known_at
                shown.append(Shard(shard.id, shard.parent, shard.ending if is_closed else None))
        return StreamListing(shown, self.is_enabled, "NEW_IMAGE")

    async def children_of(self, shard: str) -> Sequence[Shard]:
        listing = await self.list_shards()
        return [child for child in listing.shards if child.parent == shard]

    async def iterator(self, shard: str, after: int | None) -> str:
        await self._answer()
        found = self.shards.get(shard)
        if found is None or self.chance.random() < self.trouble / 4:
            raise ShardGoneError("Requested resource not found: Shard does not exist")
        at = found.trimmed
        if after is not None:
            (place,) = [n for n, r in enumerate(found.records) if r.number == after]
            at = place + 1
            if place < found.trimmed:
                raise TrimmedError("the record is not kept any more")
        return f"{shard}|{at}|{now()}"

    async def read_changes(self, iterator: str) -> ChangePage:
        await self._answer()
        shard, at, made_at = iterator.split("|")
        if now() - float(made_at) > ITERATOR_SECONDS:
            raise ExpiredIteratorError("the iterator is too old")
        found = self.shards.get(shard)
        if found is None:
            raise ShardGoneError("Requested resource not found: Shard does not exist")
        is_all_gone = found.closed_at is not None and found.trimmed == len(found.records) > 0
        if int(at) < found.trimmed or is_all_gone:
            # The real engine says so of the beginning as well, where nothing is left of a shard.
            raise TrimmedError("the records are not kept any more")
        page = self._page(found, int(at))
        self.pages_given += bool(page)
        following = int(at) + len(page)
        is_over = found.closed_at is not None and following == len(found.records)
        if self.chance.random() < self.trouble / 2:
            raise UnavailableError("the answer was lost")
        return ChangePage(
            [record.change for record in page],
            page[-1].number if page else None,
            None if is_over else f"{shard}|{following}|{now()}",
            100 * len(page),
        )

    def _page(self, shard: WorldShard, at: int) -> list[Record]:
        """What shows by now, at most; nothing proves nothing."""
        if self.chance.random() < self.trouble:
            return []
        page = shard.records[at : at + self.chance.randint(1, self.page_size)]
        return [record for record in page if record.shown_at <= now()]

    async def _answer(self) -> None:
        await anyio.sleep(self.chance.uniform(0.002, 0.02))
        if self.has_other_readers:
            raise ThrottledError("too many readers", code="LimitExceededException")
        if self.chance.random() < self.trouble / 2:
            raise ThrottledError("slow down", code="ThrottlingException")
        if self.chance.random() < self.trouble / 4:
            raise UnavailableError("an internal error")


class SpoolAtHand(Spool):
    """A spool without a thread; while `is_full` nothing can be stored."""

    def __init__(self, file: SpoolFile) -> None:
        super().__init__(file, ThreadPoolExecutor(1))
        self.is_full = False
        self.writes = 0

    async def run(self, step: Callable[[SpoolFile], T]) -> T:
        await anyio.sleep(0.004)
        self.writes += 1
        result = self._on_a_full_disk(step) if self.is_full else step(self._file)
        await anyio.sleep(0.002)  # until the loop learns what the thread has done
        return result

    def _on_a_full_disk(self, step: Callable[[SpoolFile], T]) -> T:
        """What only reads is done."""
        connection = self._file._connection
        connection.execute("PRAGMA query_only = ON")
        try:
            return step(self._file)
        except StateWriteError as error:
            raise StateWriteError("the disk is full") from error
        finally:
            connection.execute("PRAGMA query_only = OFF")


class Follower:
    """The capture of a world, as often as it is started."""

    def __init__(self, world: StreamWorld) -> None:
        self.world = world
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._connection.execute("INSERT INTO spool (id) VALUES ('id')")
        self.spool = SpoolAtHand(self._opened())
        self.passed_over = 0
        self.capture: Capture
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on from what is in the spool, or begins."""
        self.spool = SpoolAtHand(self._opened())
        file = self._opened()
        origin = file.origin()
        lineage = Lineage(file.positions())
        begun_at = origin.begun_at
        if begun_at is None:
            begun_at = now()
            lineage.begin((await self._patient(self.world.list_shards)).shards, begun_at)
            file.begin("arn", begun_at, lineage.take_changed())
        self.spool = SpoolAtHand(self._opened())
        self.capture = Capture(self.world, self.spool, lineage, start=begun_at, clock=now)
        self._task = asyncio.create_task(self.capture.run())

    @staticmethod
    async def _patient(call: Callable[[], Awaitable[T]]) -> T:
        while True:
            with suppress(ThrottledError, UnavailableError):
                return await call()

    async def kill(self) -> None:
        """What is not in the spool is forgotten."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self.passed_over += self.capture.stats.passed_over

    async def capture_ended(self) -> None:
        """Returns, or raises, when the capture does."""
        assert self._task is not None
        await self._task

    @property
    def file(self) -> SpoolFile:
        """What is in the spool now."""
        return self._opened()

    def newest(self) -> dict[bytes, bytes | None]:
        return {row.key: row.image for row in self.file.waiting(0, 100_000)}

    def _opened(self) -> SpoolFile:
        return SpoolFile(self._connection, Path("in memory"))

    def assert_has_everything(self) -> None:
        """Every record from the start on is there once, and of each key the newest."""
        since = (self.file.origin().begun_at or 0.0) - OVERLAP_SECONDS
        records = [record for record in self.world.written if record.change.created_at >= since]
        assert self.file.counts().captured == len(records)
        assert self.newest() == {r.change.key: r.change.image for r in records}
        assert self.file.open_gaps() == []


def living(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a story of a world to its end. The spool is in memory: what it does blocks nothing."""
    blockbuster._skip.value = True
    try:
        virtual_time.run_virtually(story())
    finally:
        blockbuster._skip.value = False
