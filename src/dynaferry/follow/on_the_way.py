"""The rows that are on their way to the target: whose keys are in a request, or about to be."""

from collections.abc import Set
from typing import Final

import anyio

from dynaferry.follow.applier_work import bytes_of
from dynaferry.follow.spool_records import Waiting

# Images that were handed out and not answered for: many small ones, or a few of 400 KB.
MOST_BYTES: Final = 24 * 1024**2


class OnTheWay:
    """The rows that were handed out until they are released, by the digests of their keys."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._awaited: list[set[bytes]] = []
        self._bytes = 0
        self._is_released = anyio.Event()

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self) -> Set[bytes]:
        """The digests of the keys, as of now."""
        return frozenset(self._keys)

    def take(self, rows: list[Waiting]) -> None:
        """These are handed out; none of their keys is on its way."""
        self._keys.update([row.digest for row in rows])
        self._bytes += bytes_of(rows)

    def release(self, rows: list[Waiting]) -> None:
        """These were answered for, or are not sent after all."""
        digests = [row.digest for row in rows]
        for keys in (self._keys, *self._awaited):
            keys.difference_update(digests)
        self._bytes -= bytes_of(rows)
        self._is_released.set()
        self._is_released = anyio.Event()

    async def until_there_is_room(self) -> None:
        """Returns once memory has room for more images."""
        while self._bytes >= MOST_BYTES:
            await self._is_released.wait()

    async def until_empty(self) -> None:
        """Returns once nothing is on its way."""
        while self._keys:
            await self._is_released.wait()

    async def until_answered(self) -> None:
        """Returns once all that is on its way now is released, whatever is handed out meanwhile."""
        awaited = set(self._keys)
        self._awaited.append(awaited)
        try:
            while awaited:
                await self._is_released.wait()
        finally:
            self._awaited.remove(awaited)
