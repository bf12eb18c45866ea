"""Quiet: nothing comes from a stream any more, as far as can be observed. Pure.

An empty read proves nothing [M:GetRecords]: the service shows a record some time after its write,
and no bound of that is published. So each open shard has to have been read empty several times, the
last time so long after the latest record of any shard as is several times the longest delay that
was seen of late; all shards have to be listed since, none unread and none without its children; and
what came has to be applied. Any record begins it anew; a shard that appears meanwhile is read as
often as the others, and listed once more.

A hidden record is missed only where the service holds it back for longer than is waited. How long
it held others back is known within two bounds (`delays`). It is waited three times as long as it
surely took once, and twice as long as it may have taken: so always for twice the longest delay that
there was, and never three times for what our own polls and the rounding of times add to it.

All times are those of one clock, in seconds since the epoch, which is handed in.
"""

from typing import Final

from msgspec import Struct

from dynaferry.follow.delays import ROUNDED_SECONDS, DelayWatch, ReadRecords

LEAST_POLLS: Final = 5
LEAST_SECONDS: Final = 5.0
# So many times the longest delay that there surely was, and that there may have been.
SURE_DELAYS_FOR: Final = 3.0
POSSIBLE_DELAYS_FOR: Final = 2.0
# A listing that begins sooner after a record is likely to be one too early.
_LIST_AFTER_SECONDS: Final = 1.0


class Quiet(Struct, frozen=True):
    """Whether it is quiet, and if not, what it waits for and for how many seconds at least.

    `since` is when a record was read last, or when the watch began; `asked_seconds` how long after
    it everything has to stay empty. `needs_listing`: all shards are to be listed anew now.
    """

    holds: bool
    waits_for: tuple[str, ...]
    seconds: float
    since: float
    asked_seconds: float = LEAST_SECONDS
    needs_listing: bool = False


class Spooled(Struct, frozen=True):
    """What came and is not in the target: what waits, and what is on its way."""

    waiting: int = 0
    in_flight: int = 0


class Listing(Struct, frozen=True):
    """The last complete listing that was taken in, when it began, and what it leaves unread."""

    began_at: float
    unread: int = 0
    childless: int = 0


class _Watched(Struct):
    """An open shard: since when it is read, and its empty reads since the latest record."""

    since: float
    polled_at: float | None = None
    counted_for: int = 0
    empty_polls: int = 0
    was_full: bool = True  # what it shows next may have waited for us


class QuietWatch:
    """Watches one stream: told of each read once it is stored, asked whether it is quiet."""

    def __init__(self, now: float, rounded_by: float = ROUNDED_SECONDS) -> None:
        """Begins at `now`. `rounded_by`: records' times are rounded down to so many seconds."""
        self._shards: dict[str, _Watched] = {}
        self._record_at = now
        self._shards_changed_at = now
        self._records = 0
        self._listing: Listing | None = None
        self.delays = DelayWatch(rounded_by)

    @property
    def asked_seconds(self) -> float:
        """How long it has to stay empty."""
        delays = self.delays
        return max(
            LEAST_SECONDS,
            SURE_DELAYS_FOR * delays.at_least,
            POSSIBLE_DELAYS_FOR * delays.at_most,
        )

    def opened(self, shard: str, now: float) -> None:
        """The shard is read from now on."""
        if shard not in self._shards:
            self._shards[shard] = _Watched(now)
            self._shards_changed_at = now

    def read(
        self,
        shard: str,
        asked_at: float,
        now: float,
        *,
        records: int = 0,
        came_at: float | None = None,
        created_at: tuple[float, float] | None = None,
        is_full: bool = False,
    ) -> None:
        """A read that was asked for at `asked_at` gave so many records; `is_full`: more wait.

        The page was here at `came_at` and is stored `now`. `created_at` are the earliest time that
        a record of it says and the last record's.
        """
        self.opened(shard, asked_at)
        watched = self._shards[shard]
        if records:
            if created_at is not None:
                came = now if came_at is None else came_at
                self._note_delay(watched, (asked_at, came), created_at)
            self._record_at = max(self._record_at, now)
            self._records += records
        elif asked_at > self._quiet_from(watched):
            if watched.counted_for != self._records:
                watched.counted_for, watched.empty_polls = self._records, 0
            watched.empty_polls += 1
        watched.polled_at, watched.was_full = asked_at, is_full

    def ended(self, shard: str, now: float) -> None:
        """The shard is read to its end."""
        if self._shards.pop(shard, None) is not None:
            self._shards_changed_at = now

    def listed(self, listing: Listing) -> None:
        """A complete listing was taken in."""
        self._listing = listing

    def begin_anew(self, now: float) -> None:
        """As if a record had come now."""
        self._record_at = max(self._record_at, now)
        self._records += 1

    def verdict(self, now: float, spooled: Spooled, *, is_drained: bool = False) -> Quiet:
        """Whether it is quiet at `now`. `is_drained`: the stream is disabled and each of its shards
        read to its end, so that nothing can come.
        """
        self.delays.forget(now)
        asked = self.asked_seconds
        needs_listing = self._listing_is_old() and now - self._record_at >= _LIST_AFTER_SECONDS
        waits = _for_spool(spooled)
        if not is_drained:
            waits += [*self._for_time(now, asked), *self._for_polls(asked), *self._for_listing()]
        left = max(0.0, self._record_at + asked - now)
        return Quiet(not waits, tuple(waits), left, self._record_at, asked, needs_listing)

    def _quiet_from(self, watched: _Watched) -> float:
        return max(self._record_at, watched.since)

    def _for_time(self, now: float, asked: float) -> list[str]:
        silent = now - self._record_at
        if silent >= asked:
            return []
        return [f"{asked:,.1f} s without a change: {max(0.0, silent):,.1f} s by now"]

    def _for_polls(self, asked: float) -> list[str]:
        """Each shard was read empty often enough, and late enough."""
        if not self._shards:
            return ["a shard that is read"]
        due = sum(not self._is_silent(watched, asked) for watched in self._shards.values())
        return [f"empty reads of {due:,} of {len(self._shards):,} shards"] if due else []

    def _is_silent(self, watched: _Watched, asked: float) -> bool:
        polled_at = watched.polled_at
        return (
            polled_at is not None
            and watched.counted_for == self._records
            and watched.empty_polls >= LEAST_POLLS
            and polled_at >= self._record_at + asked
        )

    def _for_listing(self) -> list[str]:
        listing = self._listing
        if listing is None or self._listing_is_old():
            return ["a fresh listing of the shards"]
        waits = []
        if listing.unread:
            waits.append(f"{listing.unread:,} shards that are not read yet")
        if listing.childless:
            waits.append(f"the children of {listing.childless:,} shards")
        return waits

    def _listing_is_old(self) -> bool:
        listing = self._listing
        since = max(self._record_at, self._shards_changed_at)
        return listing is None or listing.began_at <= since

    def _note_delay(
        self, watched: _Watched, read_at: tuple[float, float], created_at: tuple[float, float]
    ) -> None:
        """Takes a delay where the page before left nothing behind."""
        if watched.polled_at is not None and not watched.was_full:
            self.delays.note(ReadRecords(*read_at, *created_at, watched.since, watched.polled_at))


def _for_spool(spooled: Spooled) -> list[str]:
    waits = []
    if spooled.waiting:
        waits.append(f"{spooled.waiting:,} changes that are not applied")
    if spooled.in_flight:
        waits.append(f"{spooled.in_flight:,} changes on their way to the target")
    return waits
