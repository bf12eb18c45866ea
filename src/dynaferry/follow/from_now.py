"""A stream that is read from now on, for as long as what it showed before is nobody's.

What a capture keeps is never read from a shard's end, since a shard begins before anybody asks. The
way back's keeps nothing before the switch, and a target's shards hold all that was copied in the
last hours: to read that would be for nothing. So as long as it passes over, each shard is read from
behind what it shows. An iterator that was asked for before that ended may be made by the service
after it, and would pass over what is to be kept: it is not taken.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from dynaferry.ports import ChangePage, ChangeRecord, ChangeSource, Shard, StreamListing


class NewestSource(ChangeSource, Protocol):
    """A stream whose shards may be read from their ends."""

    async def newest(self, shard: str) -> str:
        """An iterator behind whatever is there now."""
        ...


class FromNow:
    """The stream `source`, read from now on while `passes_over` says so. A `ChangeSource`."""

    def __init__(
        self,
        source: NewestSource,
        passes_over: Callable[[], bool],
        seen: Callable[[Sequence[ChangeRecord]], None] = lambda _: None,
    ) -> None:
        """`seen` is told of what is passed over."""
        self._source = source
        self._passes_over = passes_over
        self._seen = seen

    async def list_shards(self, seconds_a_page: float = 0.0) -> StreamListing:
        """See `ChangeSource`."""
        return await self._source.list_shards(seconds_a_page)

    async def children_of(self, shard: str) -> Sequence[Shard]:
        """See `ChangeSource`."""
        return await self._source.children_of(shard)

    async def iterator(self, shard: str, after: int | None) -> str:
        """See `ChangeSource`; behind whatever is there, where that is nobody's."""
        if self._passes_over():
            iterator = await self._source.newest(shard)
            if self._passes_over():
                return iterator
        return await self._source.iterator(shard, after)

    async def read_changes(self, iterator: str) -> ChangePage:
        """See `ChangeSource`."""
        page = await self._source.read_changes(iterator)
        if page.changes and self._passes_over():
            self._seen(page.changes)
        return page
