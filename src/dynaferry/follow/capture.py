"""From the stream into the spool, from before the first Scan on.

A task reads each shard that may be read; what they read goes through one queue to the one task that
stores, which takes whatever has come together as one transaction. So a slow disk slows the reading
and nothing else, and memory holds a few pages. Listings go through the queue as well: only the task
that stores changes the lineage, so that what is lost is stored with its gap. Children begin only
once the end of their parent is stored.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dynaferry.errors import RetryableError, StateWriteError, StoppedError, StreamGoneError
from dynaferry.follow.lineage import OVERLAP_SECONDS, Gap, Lineage, ShardState
from dynaferry.follow.news import TOGETHER_SECONDS, Listed, News, is_nothing, together
from dynaferry.follow.shard_ages import ShardAges
from dynaferry.follow.shard_reader import CaptureStats, Polls, Read, ShardReader
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.stream_watch import StreamWatch
from dynaferry.ports import ChangePage, ChangeRecord, ChangeSource, Shard, StreamListing

# DescribeStream takes 10 calls a second for all of an account's streams [M:DescribeStream].
LISTING_SECONDS: Final = 30.0
HASTY_LISTING_SECONDS: Final = 1.0
LISTING_PAGE_SECONDS: Final = 0.5
MOST_PAGES_IN_MEMORY: Final = 16
# So often something is stored though nothing comes: a later start knows how long it was off.
ALIVE_SECONDS: Final = 60.0
_DISK_SECONDS: Final = 2.0
_LOOKUPS_AT_ONCE: Final = 2
# So many listings in a row show a disabled stream with nothing unread: it is over.
LISTINGS_AT_END: Final = 3


class Capture:
    """The capture of one stream into its table's spool. A `Captor` for its readers.

    It goes back to `OVERLAP_SECONDS` before `start`; of every shard that may be read is known what
    the stream showed up to `read_until`, or up to now.
    """

    def __init__(
        self,
        source: ChangeSource,
        spool: Spool,
        lineage: Lineage,
        *,
        start: float,
        read_until: float | None = None,
        clock: Callable[[], float] = time.time,
        keys_only: Callable[[], bool] = lambda: False,
        stats: CaptureStats | None = None,
        polls: Polls | None = None,
        watch: StreamWatch | None = None,
    ) -> None:
        self.source = source
        self.lineage = lineage
        self.clock = clock
        self.stats = stats or CaptureStats()
        self.polls = polls or Polls()
        self.slots = anyio.Semaphore(MOST_PAGES_IN_MEMORY)
        self.is_enabled = True
        self._spool = spool
        self._skip_before = start - OVERLAP_SECONDS
        self._read_until = read_until
        self._keys_only = keys_only
        self._listings_at_end = 0
        self._sends: MemoryObjectSendStream[News]
        self._lookups = anyio.Semaphore(_LOOKUPS_AT_ONCE)
        self._reading: set[str] = set()
        self.ages = ShardAges(start)
        self.watch = watch or StreamWatch(clock)
        self._is_wanted = anyio.Event()
        self._is_listed = anyio.Event()
        self._listings_begun = self._listings_taken = 0
        self._stored_at = -math.inf

    @property
    def polled_at(self) -> float | None:
        """When the shard was polled that was not for the longest; None while nobody knows."""
        return self.ages.polled_at

    @property
    def read_until(self) -> float | None:
        """What the stream showed before then is in the spool; None while nobody knows."""
        return self.ages.read_until

    @property
    def is_over(self) -> bool:
        """Whether the stream is disabled, and all of it is captured."""
        return self._listings_at_end >= LISTINGS_AT_END

    async def run(self) -> None:
        """Captures until the stream is over, or until it is cancelled.

        :raises StoppedError: the stream may not be read, until somebody acts
        :raises StreamGoneError: the stream is not there any more
        """
        self._sends, receives = anyio.create_memory_object_stream[News](MOST_PAGES_IN_MEMORY)
        async with self._sends, receives, anyio.create_task_group() as tasks:
            seen_at = self.clock() if self._read_until is None else self._read_until
            self._start_readers(tasks, seen_at=seen_at)
            self.want_listing()
            tasks.start_soon(self._list_for_ever)
            await self._store_until_over(receives, tasks)
            tasks.cancel_scope.cancel()

    async def hand_over(self, read: Read) -> None:
        """Takes what was read, to be stored."""
        await self._sends.send(read)

    def want_listing(self) -> None:
        """All shards are listed soon."""
        self._is_wanted.set()

    async def next_listing(self) -> None:
        """Returns once a listing that began later has been taken in."""
        wanted = self._listings_begun + 1
        while self._listings_taken < wanted:
            self.want_listing()
            await self._is_listed.wait()

    def _start_readers(self, tasks: TaskGroup, seen_at: float | None = None) -> None:
        for position in self.lineage.readable():
            if position.shard in self._reading:
                continue
            self._reading.add(position.shard)
            seen = position.since if seen_at is None else seen_at
            reader = ShardReader(self, position.shard, position.sequence, seen)
            tasks.start_soon(reader.run)
            self.ages.begin(position.shard, position.parent)
            self.watch.opened(position.shard)
        self._note_shards()

    def _note_shards(self) -> None:
        childless = self.lineage.childless()
        # Behind a shard without a child something may be that nobody has seen.
        kept = self._reading | set(childless if self.is_enabled else ())
        self.ages.keep(kept)
        self.stats.shards_reading = len(self._reading)
        self.stats.shards_waiting = len(self.lineage.waiting())
        self.stats.shards_childless = len(childless)

    # Storing -----------------------------------------------------------------------------------

    async def _store_until_over(
        self, receives: MemoryObjectReceiveStream[News], tasks: TaskGroup
    ) -> None:
        while not self.is_over:
            first: News | None = None
            # What was received is not to be dropped for a slow disk: only the waiting ends early.
            with anyio.move_on_after(ALIVE_SECONDS):
                first = await receives.receive()
            if first is None:
                await self._store([])
                continue
            until = self._stored_at + TOGETHER_SECONDS
            news = await together(first, receives, until=until, slots=self.slots)
            if await self._store_news(news, tasks):
                self._start_readers(tasks)

    async def _store_news(self, news: Sequence[News], tasks: TaskGroup) -> bool:
        """Stores what has come together, in order; returns whether other shards may be read now."""
        changes: list[ChangeRecord] = []
        for each in news:
            gaps: Sequence[Gap] = ()
            if isinstance(each, Listed):
                gaps = self._take_listing(each)
            else:
                changes += self._take_read(each)
                gaps = () if each.gap is None else (each.gap,)
            if gaps:
                # What came before the gap is in the spool when its images become keys.
                await self._store(changes, gaps)
                changes = []
        is_due = anyio.current_time() - self._stored_at >= ALIVE_SECONDS
        if is_due or not all(map(is_nothing, news)):
            await self._store(changes)
        return self._stored(news, tasks)

    def _take_listing(self, listed: Listed) -> list[Gap]:
        now = self.clock()
        if not listed.is_complete:
            self.lineage.found_children(listed.shards, now)
            return []
        self.is_enabled = listed.is_enabled
        lost = self.lineage.listed(listed.shards, now)
        is_at_end = not (self.is_enabled or self.lineage.unread())
        self._listings_at_end = self._listings_at_end + 1 if is_at_end else 0
        if is_at_end:
            self.want_listing()  # one may lack a shard
        return lost

    def _take_read(self, read: Read) -> list[ChangeRecord]:
        """Moves the shard's position behind what was read, and returns what is to be stored."""
        if self.lineage.state_of(read.shard) is not ShardState.UNREAD:
            # It was given up meanwhile; its gap is told.
            return []
        changes: list[ChangeRecord] = []
        if read.page is not None:
            self.lineage.answered(read.shard)
            changes = self._new(read.page)
            if read.page.last_sequence is not None:
                self.lineage.read_to(read.shard, read.page.last_sequence)
        if read.gap is not None:
            self.lineage.read_anew(read.shard)
        if read.is_over:
            self.lineage.ended(read.shard, self.clock())
        return changes

    def _stored(self, news: Sequence[News], tasks: TaskGroup) -> bool:
        has_other_shards = False
        for each in news:
            if isinstance(each, Listed):
                has_other_shards = True
                self._listings_taken += each.is_complete
                if each.is_complete:
                    self.watch.listed(each.began_at, self.lineage)
                continue
            if each.page is not None:
                if each.page.changes:
                    self.slots.release()
                self.ages.note(each.shard, each.page, each.at)
                if each.shard in self._reading:
                    self.watch.stored(each)
            if each.is_over:
                has_other_shards = True
                tasks.start_soon(self._find_children, each.shard)
        if has_other_shards:
            over = {s for s in self._reading if self.lineage.state_of(s) is not ShardState.UNREAD}
            for shard in over:
                self.watch.ended(shard)
            self._reading -= over
            self._is_listed.set()
            self._is_listed = anyio.Event()
        return has_other_shards

    def _new(self, page: ChangePage) -> list[ChangeRecord]:
        """Without what is older than any read of the scan."""
        new = [change for change in page.changes if change.created_at >= self._skip_before]
        self.stats.passed_over += len(page.changes) - len(new)
        return new

    async def _store(self, changes: Sequence[ChangeRecord], gaps: Sequence[Gap] = ()) -> None:
        """Stores until it is stored: with a disk that is full the reading waits, nothing else."""
        positions = self.lineage.take_changed()
        while True:
            now = self.clock()
            step = partial(
                SpoolFile.store,
                changes=changes,
                positions=positions,
                now=now,
                keys_only=self._keys_only(),
                gaps=gaps,
                alive_at=self.read_until,
            )
            try:
                await self._spool.run(step)
                break
            except StateWriteError as error:
                self.stats.disk_error = str(error)
                await anyio.sleep(_DISK_SECONDS)
        self.stats.disk_error, self._stored_at = None, anyio.current_time()
        self.stats.gaps += len(gaps)
        if changes:
            self.stats.changes += len(changes)
            self.stats.last_change_at = now
            self.stats.last_created_at = max(change.created_at for change in changes)
            if any(change.is_expiry for change in changes):
                self.stats.last_expiry_at = now

    # Listing -----------------------------------------------------------------------------------

    async def _find_children(self, shard: str) -> None:
        """Asks for the children alone, which is quick; what is wrong with that a listing tells."""
        children: Sequence[Shard] = ()
        async with self._lookups:
            try:
                children = await self.source.children_of(shard)
            except (RetryableError, StoppedError) as error:
                self.stats.trouble = str(error)
        if children:
            await self._sends.send(Listed(children, is_complete=False))
        else:
            self.want_listing()

    async def _list_for_ever(self) -> None:
        """Lists all shards every 30 s, and each second while something is missing."""
        not_there = 0
        while True:
            await anyio.sleep(HASTY_LISTING_SECONDS)
            if not (self.is_enabled and self.lineage.is_incomplete()):
                with anyio.move_on_after(LISTING_SECONDS):
                    await self._is_wanted.wait()
            self._is_wanted = anyio.Event()
            self._listings_begun += 1
            began_at = self.clock()
            listing: StreamListing | None = None
            try:
                listing = await self.source.list_shards(LISTING_PAGE_SECONDS)
                not_there = 0
            except RetryableError as error:
                # What a reader of a shard has met says more.
                self.stats.trouble = self.stats.trouble or str(error)
            except StreamGoneError:
                # A description is eventually consistent, too.
                not_there += 1
                if not_there >= LISTINGS_AT_END:
                    raise
            if listing is None:
                # Whoever waits for one waits for the next.
                self._listings_begun -= 1
                self.want_listing()
                continue
            await self._sends.send(Listed(listing.shards, True, listing.is_enabled, began_at))
