"""The items of a table that keeps what is written to it, in the order of a Scan. Pure.

By place, then by partition key, then by sort key. Keys lie in sorted lists, one for each 256th of
the places, so that a new key moves little. What was replaced a moment ago is kept for as long as a
read that is not consistent may still show it.
"""

import random
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from benchmarks.simulator.places import SPACE_BITS

PAGE_BYTES = 1024 * 1024  # of items, by the service's measure [M:Scan]
_BUCKET_BITS = 8


# An item's key in the order of a Scan: the place and the text of its partition key, and its sort
# key, "" where there is none. A plain tuple: each written item makes one.
Key = tuple[int, str, str]


class StoredItem(NamedTuple):
    """An item as it was written, and its size by the service's measure."""

    body: bytes
    size_bytes: int


class StoredPage(Struct, frozen=True):
    """One page of a Scan; `last` is the key to go on behind, None at the end."""

    items: list[StoredItem]
    size_bytes: int
    first: Key | None
    last: Key | None


class StoredItems:
    """The items, by their keys. With `stale_seconds`, also what they were until so long ago."""

    def __init__(self, *, stale_seconds: float = 0.0, chance: random.Random | None = None) -> None:
        self._items: dict[Key, StoredItem] = {}
        self._order: list[list[Key]] = [[] for _ in range(1 << _BUCKET_BITS)]
        self._stale_seconds = stale_seconds
        self._chance = chance or random.Random(0)
        # What each key held until when, the oldest first.
        self._replaced: dict[Key, deque[tuple[float, StoredItem | None]]] = {}
        self._replacements: deque[tuple[float, Key]] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> StoredItem | None:
        """What is there now."""
        return self._items.get(key)

    def seen(self, key: Key, now: float) -> StoredItem | None:
        """What a read may show that is not consistent: any state of the last `stale_seconds`."""
        before = self._replaced.get(key)
        if before is not None:
            at = now - self._chance.uniform(0.0, self._stale_seconds)
            for until, item in before:
                if until > at:
                    return item
        return self._items.get(key)

    def seed(self, key: Key, item: StoredItem) -> None:
        """Puts an item that was always there; they come in order."""
        self._items[key] = item
        self._bucket(key).append(key)

    def replace(self, key: Key, item: StoredItem | None, now: float) -> StoredItem | None:
        """Puts the item there, or nothing; returns what was there."""
        before = self._items.get(key)
        is_in_order = before is not None or key in self._replaced
        if item is not None:
            self._items[key] = item
            if not is_in_order:
                insort(self._bucket(key), key)
        elif before is not None:
            del self._items[key]
        if self._stale_seconds > 0 and (before is not None or item is not None):
            self._replaced.setdefault(key, deque()).append((now, before))
            self._replacements.append((now, key))
        elif item is None and is_in_order:
            self._take_out(key)
        return before

    def forget(self, now: float) -> None:
        """Nobody reads any more what was replaced longer ago than reads may be stale."""
        while self._replacements and self._replacements[0][0] <= now - self._stale_seconds:
            _, key = self._replacements.popleft()
            before = self._replaced[key]
            before.popleft()
            if not before:
                del self._replaced[key]
                if key not in self._items:
                    self._take_out(key)

    def page(
        self,
        places: tuple[int, int],
        after: Key | None,
        limit: int | None,
        *,
        seen_at: float | None = None,
    ) -> StoredPage:
        """One page of the items from the first of these places to before the second.

        As they are now, or as a read sees them `seen_at` that is not consistent. A page that ends
        for its limit says that there may be more even if there is not.
        """
        page: list[StoredItem] = []
        size, first, last = 0, None, None
        for key in self._keys(places, after):
            item = self._items.get(key) if seen_at is None else self.seen(key, seen_at)
            if item is None:
                continue
            if page and size + item.size_bytes > PAGE_BYTES:
                return StoredPage(page, size, first, last)
            page.append(item)
            size += item.size_bytes
            first, last = first or key, key
            if limit is not None and len(page) >= limit:
                return StoredPage(page, size, first, last)
        return StoredPage(page, size, first, None)

    def keys(self) -> list[Key]:
        """The keys of all items that are there now, in order."""
        return [key for keys in self._order for key in keys if key in self._items]

    def _keys(self, places: tuple[int, int], after: Key | None) -> Iterator[Key]:
        start, end = places
        first: Key = (start, "", "")
        begin = first if after is None or after < first else after
        for number in range(begin[0] >> (SPACE_BITS - _BUCKET_BITS), len(self._order)):
            keys = self._order[number]
            at = bisect_left(keys, begin) if begin is first else bisect_right(keys, begin)
            for key in keys[at:]:
                if key[0] >= end:
                    return
                yield key

    def _bucket(self, key: Key) -> list[Key]:
        return self._order[key[0] >> (SPACE_BITS - _BUCKET_BITS)]

    def _take_out(self, key: Key) -> None:
        keys = self._bucket(key)
        del keys[bisect_left(keys, key)]
