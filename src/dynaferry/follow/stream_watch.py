"""What a capture notes for a switch: whether its stream is quiet, and which keys changed last."""

from collections.abc import Callable

from dynaferry.follow.lineage import Lineage
from dynaferry.follow.quiet import Listing, QuietWatch
from dynaferry.follow.recent_keys import RecentKeys
from dynaferry.follow.shard_reader import FULL_PAGE_RECORDS, Read


class StreamWatch:
    """Watches one stream, by the clock of its capture."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.quiet = QuietWatch(clock())
        self.recent = RecentKeys()

    def opened(self, shard: str) -> None:
        """The shard is read from now on."""
        self.quiet.opened(shard, self._clock())

    def ended(self, shard: str) -> None:
        """The shard is read no more."""
        self.quiet.ended(shard, self._clock())

    def stored(self, read: Read) -> None:
        """What was read is in the spool."""
        if read.page is None:
            return
        changes = read.page.changes
        self.recent.note(change.key for change in changes)
        self.quiet.read(
            read.shard,
            read.at,
            self._clock(),
            records=len(changes),
            oldest_created_at=min((change.created_at for change in changes), default=None),
            is_full=len(changes) >= FULL_PAGE_RECORDS,
        )

    def listed(self, began_at: float, lineage: Lineage) -> None:
        """A complete listing that began then was taken in."""
        unread, childless = len(lineage.waiting()), len(lineage.childless())
        self.quiet.listed(Listing(began_at, unread, childless))
