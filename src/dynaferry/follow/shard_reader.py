"""Reads one shard, from a position to its end, page after page.

A position is the number of a record. An iterator lasts for 15 minutes only: one that has expired,
as it does behind a slow disk, is made anew from the last record that was handed over. Pauses are
measured by the loop's clock, which nobody sets; the wall's clock says how old an unread shard is.
"""

import logging
import math
from collections.abc import Callable
from typing import Final, Protocol

import anyio
from msgspec import Struct

from dynaferry.errors import (
    ExpiredIteratorError,
    RetryableError,
    ShardGoneError,
    ThrottledError,
    TrimmedError,
)
from dynaferry.follow.lineage import Gap, Lineage, ShardState
from dynaferry.ports import ChangePage, ChangeSource

_log = logging.getLogger(__name__)

# A shard takes 5 reads a second and 2 MB/s (a comment in aws-sdk-java-v2#470; not published).
POLL_SECONDS: Final = 0.2
IDLE_POLL_SECONDS: Final = 1.0
IDLE_AFTER_SECONDS: Final = 10.0
FULL_PAGE_RECORDS: Final = 500
RETENTION_SECONDS: Final = 24 * 3600.0
_RETRY_SECONDS: Final = (0.1, 5.0)
OTHERS_READ: Final = (
    "a shard takes two readers: see which functions (Lambda) and replicas read the stream as well"
)


class Polls(Struct):
    """How often the shards are asked: less while nobody waits for their changes."""

    is_hasty: bool = True


class CaptureStats(Struct):
    """What the capture has done since this process began; times are the clock's seconds."""

    changes: int = 0
    passed_over: int = 0
    polls: int = 0
    bytes_read: int = 0
    gaps: int = 0
    throttled: int = 0
    last_change_at: float | None = None
    last_expiry_at: float | None = None
    last_created_at: float | None = None
    last_poll_at: float | None = None
    disk_error: str | None = None
    trouble: str | None = None
    shards_reading: int = 0
    shards_waiting: int = 0
    shards_childless: int = 0
    # Who was seen to read the stream as well, in words.
    other_readers: tuple[str, ...] = ()


class Read(Struct, frozen=True):
    """What a reader hands over: a page that it asked for `at`, a gap, or that the shard is over.

    The page was here at `came_at`; None where that is not known.
    """

    shard: str
    page: ChangePage | None = None
    gap: Gap | None = None
    is_over: bool = False
    at: float = 0.0
    came_at: float | None = None


class Captor(Protocol):
    """Who has shards read: where reads go, and who lists them."""

    source: ChangeSource
    lineage: Lineage
    stats: CaptureStats
    polls: Polls
    clock: Callable[[], float]
    # One for each page with changes in memory; whoever stores it lets go of its own.
    slots: anyio.Semaphore

    async def hand_over(self, read: Read) -> None:
        """Takes what was read, to be stored."""
        ...

    def want_listing(self) -> None:
        """All shards are to be listed soon."""
        ...

    async def next_listing(self) -> None:
        """Returns once a listing that began later has been taken in."""
        ...


class ShardReader:
    """The reading of one shard. It is known to have been read `seen_at`, or not to exist before."""

    def __init__(self, captor: Captor, shard: str, after: int | None, seen_at: float) -> None:
        self._captor = captor
        self._shard = shard
        self._after = after
        self._seen_at = seen_at
        self._iterator: str | None = None
        self._is_told = False  # a gap, with nothing read since
        self._failures = 0
        self._quiet_since = 0.0

    async def run(self) -> None:
        """Reads it to its end, or until a listing says that it is lost.

        :raises StoppedError: it may not be read, until somebody acts
        """
        self._quiet_since = anyio.current_time()
        while self._captor.lineage.state_of(self._shard) is ShardState.UNREAD:
            began = anyio.current_time()
            at = self._captor.clock()
            try:
                page = await self._read()
            except TrimmedError as error:
                if await self._is_over_where_trimmed():
                    return
                await self._wait_after(error)
            except RetryableError as error:
                await self._wait_after(error)
            else:
                await self._take(page, at)
                if page.next_iterator is None:
                    return
                await anyio.sleep(self._until_next_poll(page, began))

    async def _read(self) -> ChangePage:
        """The next page, with a slot for it."""
        captor = self._captor
        await captor.slots.acquire()
        try:
            if self._iterator is None:
                await self._tell_if_too_late()
                self._iterator = await captor.source.iterator(self._shard, self._after)
            return await captor.source.read_changes(self._iterator)
        except BaseException:
            captor.slots.release()
            raise

    async def _take(self, page: ChangePage, at: float) -> None:
        stats = self._captor.stats
        stats.polls += 1
        stats.bytes_read += page.body_bytes
        stats.last_poll_at, stats.trouble = at, None
        self._failures, self._seen_at, self._iterator = 0, at, page.next_iterator
        if page.last_sequence is not None:
            self._after, self._quiet_since = page.last_sequence, anyio.current_time()
            self._is_told = False
        if not page.changes:
            self._captor.slots.release()
        is_over, came_at = page.next_iterator is None, self._captor.clock()
        await self._captor.hand_over(
            Read(self._shard, page, is_over=is_over, at=at, came_at=came_at)
        )

    async def _tell_if_too_late(self) -> None:
        """At a shard's beginning nothing is refused as trimmed, and records may be gone."""
        now = self._captor.clock()
        if self._after is None and now - self._seen_at >= RETENTION_SECONDS:
            self._seen_at, self._is_told = now, True
            gap = Gap(self._shard, "it was not read for 24 hours")
            await self._captor.hand_over(Read(self._shard, gap=gap))

    async def _is_over_where_trimmed(self) -> bool:
        """Behind the last record of a shard nothing is lost, once it is known which that is."""
        captor, self._iterator = self._captor, None
        if captor.lineage.ending_of(self._shard) is None:
            await captor.next_listing()
        if captor.lineage.state_of(self._shard) is not ShardState.UNREAD:
            return False
        if self._is_told and self._after is None:
            # Nothing is left of it, not even where it begins. Open, it may get records yet.
            is_over, gap = captor.lineage.ending_of(self._shard) is not None, None
        else:
            gap = captor.lineage.trimmed(self._shard, self._after)
            is_over = gap is None
        if gap is not None:
            self._after, self._seen_at, self._is_told = None, captor.clock(), True
        if gap is not None or is_over:
            await captor.hand_over(Read(self._shard, gap=gap, is_over=is_over))
        return is_over

    async def _wait_after(self, error: RetryableError) -> None:
        if isinstance(error, ExpiredIteratorError | TrimmedError | ShardGoneError):
            self._iterator = None
        if isinstance(error, ShardGoneError):
            self._captor.want_listing()
        self._failures += 1
        # An iterator expires in the course of things.
        if isinstance(error, ExpiredIteratorError) and self._failures == 1:
            return
        self._note(error)
        least, most = _RETRY_SECONDS
        await anyio.sleep(min(most, least * math.pow(2, min(self._failures, 10) - 1)))

    def _note(self, error: RetryableError) -> None:
        told = str(error)
        if isinstance(error, ThrottledError):
            self._captor.stats.throttled += 1
            if error.code == "LimitExceededException":
                seen = ", ".join(self._captor.stats.other_readers)
                told = f"{told} ({OTHERS_READ}{f'; seen: {seen}' if seen else ''})"
        self._captor.stats.trouble = told
        event = {"event": "shard-unreadable", "operation": "GetRecords", "error": told}
        _log.info("a shard of the stream cannot be read: %s", told, extra=event)

    def _until_next_poll(self, page: ChangePage, began: float) -> float:
        if len(page.changes) >= FULL_PAGE_RECORDS:
            return 0.0
        now = anyio.current_time()
        is_idle = now - self._quiet_since >= IDLE_AFTER_SECONDS
        is_hasty = self._captor.polls.is_hasty and not is_idle
        return max(0.0, began + (POLL_SECONDS if is_hasty else IDLE_POLL_SECONDS) - now)
