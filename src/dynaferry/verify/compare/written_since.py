"""Keys that somebody has written since the tables parted: what they differ in is no fault.

Where the target is in use already while it is compared with a source that stands still, every key
that its application writes differs sooner or later. Whoever sees those writes, by the target's
stream, tells them apart from what was lost.
"""

from collections.abc import Collection
from typing import Protocol


class WrittenSince(Protocol):
    """Who sees what is written to the two tables from some moment on. Keys are canonical."""

    async def among(self, keys: Collection[bytes]) -> Collection[bytes]:
        """Those of the keys that were written since, as far as it is known now."""
        ...

    async def known_until(self, moment: float) -> None:
        """Returns once what was written before then is known (seconds since the epoch)."""
        ...


class NothingWritten:
    """Nobody looks, so nothing is known to have been written. A `WrittenSince`."""

    async def among(self, _: Collection[bytes]) -> Collection[bytes]:
        """None of them."""
        return ()

    async def known_until(self, _: float) -> None:
        """At once."""
