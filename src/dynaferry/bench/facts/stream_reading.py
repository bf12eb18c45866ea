"""Reads a stream as a measurement wants it: all shards side by side, or one to its end."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import anyio

from dynaferry.bench.facts.spending import Spending
from dynaferry.bench.facts.subject import sleep_until
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.ports import ChangePage, StreamListing
from dynaferry.throttle.retry import RetryPolicy

# Four reads a second of a shard: a follower makes five, and this is not about how many it takes.
POLL_SECONDS: Final = 0.25
LIST_SECONDS: Final = 1.0

# A record was read: its key, and when.
Seen = Callable[[bytes, float], None]


class StreamReading:
    """One stream. What is throttled or fails is asked for again."""

    def __init__(self, stream: TableStream, retry: RetryPolicy, spending: Spending) -> None:
        self.stream = stream
        self._retry = retry
        self._spending = spending

    async def listing(self) -> StreamListing:
        """All shards, as they are listed now."""
        listing = await self._retry.call(self.stream.list_shards)
        self._retry.progress()
        return listing

    async def begin(self, shard: str, after: int | None = None) -> str:
        """Where to read a shard from: its beginning, or behind a record."""
        return await self._retry.call(partial(self.stream.iterator, shard, after))

    async def page(self, iterator: str) -> ChangePage:
        """The next page."""

        async def read() -> ChangePage:
            return await self.page_once(iterator)

        page = await self._retry.call(read)
        self._retry.progress()
        return page

    async def page_once(self, iterator: str) -> ChangePage:
        """The next page, or why the service gives none now."""
        self._spending.stream_read()
        return await self.stream.read_changes(iterator)

    async def follow(self, seen: Seen) -> None:
        """Reads all shards, those that appear later as well, until it is cancelled."""
        begun: set[str] = set()
        async with anyio.create_task_group() as group:
            while True:
                for shard in (await self.listing()).shards:
                    if shard.id not in begun:
                        begun.add(shard.id)
                        group.start_soon(self._follow_shard, shard.id, seen)
                await anyio.sleep(LIST_SECONDS)

    async def _follow_shard(self, shard: str, seen: Seen) -> None:
        iterator: str | None = await self.begin(shard)
        while iterator is not None:
            began = time.monotonic()
            page = await self.page(iterator)
            now = time.monotonic()
            for change in page.changes:
                seen(change.key, now)
            iterator = page.next_iterator
            await sleep_until(began + POLL_SECONDS)

    async def to_the_end(self, shard: str, after: int | None = None) -> tuple[set[bytes], int]:
        """The keys of all records of a closed shard, or of those behind one, and how many they
        are. It returns when the service says that none follows.
        """
        keys: set[bytes] = set()
        records = 0
        iterator: str | None = await self.begin(shard, after)
        while iterator is not None:
            page = await self.page(iterator)
            keys.update(change.key for change in page.changes)
            records += len(page.changes)
            iterator = page.next_iterator
            if iterator is not None:
                await anyio.sleep(POLL_SECONDS)
        return keys, records
