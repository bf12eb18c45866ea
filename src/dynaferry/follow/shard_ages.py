"""How old what is captured of each shard is: when it was polled, and up to when it is read.

A page does not say whether more lies behind it. So a shard counts as read up to now once a page had
records of late, or several in a row had none: a single empty page may lie in the middle.

What was shown for sure reaches less far: to the newest record that was read, which may lie far back
where a shard is caught up with, or to the last of several empty pages.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dynaferry.ports import ChangePage

# A record this much older than the poll lies on the way: clocks and rounding make less.
BEHIND_SECONDS: Final = 120.0
EMPTY_PAGES_AT_THE_END: Final = 3


class _Age(Struct):
    """A shard's times in seconds since the epoch; None while nobody knows."""

    polled_at: float | None = None
    read_until: float | None = None
    shown_until: float | None = None
    empty_pages: int = 0


class ShardAges:
    """The ages of the shards that are read; nothing from before `since` is wanted of them."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._ages: dict[str, _Age] = {}

    def begin(self, shard: str, parent: str | None) -> None:
        """A shard is read from now on: what its parent showed is known, and nothing of its own."""
        known = self._ages.get(parent or "", _Age())
        self._ages.setdefault(shard, _Age(known.polled_at, known.read_until, known.shown_until))

    def keep(self, shards: Iterable[str]) -> None:
        """The others are over."""
        self._ages = {shard: self._ages[shard] for shard in shards if shard in self._ages}

    def note(self, shard: str, page: ChangePage, at: float) -> None:
        """A page that was asked for `at` is stored."""
        age = self._ages.setdefault(shard, _Age())
        age.polled_at = at
        if page.changes:
            age.empty_pages, newest = 0, max(self._since, page.changes[-1].created_at)
            age.shown_until = min(at, page.changes[-1].created_at)
            age.read_until = at if at - newest < BEHIND_SECONDS else newest
            return
        age.empty_pages += 1
        if age.empty_pages >= EMPTY_PAGES_AT_THE_END:
            age.shown_until = at
        is_near = age.read_until is not None and at - age.read_until < BEHIND_SECONDS
        if is_near or age.empty_pages >= EMPTY_PAGES_AT_THE_END:
            age.read_until = at

    @property
    def polled_at(self) -> float | None:
        """When the shard was polled that was not for the longest; None while nobody knows."""
        return _least([age.polled_at for age in self._ages.values()])

    @property
    def read_until(self) -> float | None:
        """What the stream showed before then is stored; None while nobody knows."""
        return _least([age.read_until for age in self._ages.values()])

    @property
    def shown_until(self) -> float | None:
        """Each shard has shown what it held then, or what is newer; None while nobody knows."""
        return _least([age.shown_until for age in self._ages.values()])


def _least(times: list[float | None]) -> float | None:
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None
