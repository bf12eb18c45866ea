"""What a capture notes for a switch: whether its stream is quiet, and which keys changed last."""

from collections.abc import Callable
from typing import Final

from dynaferry.follow.delays import ROUNDED_SECONDS
from dynaferry.follow.lineage import Lineage
from dynaferry.follow.quiet import Listing, QuietWatch
from dynaferry.follow.recent_keys import RecentKeys
from dynaferry.follow.shard_reader import FULL_PAGE_RECORDS, Read

# A page ends at 1 MB, or with the record that would be over it [M:GetRecords].
FULL_PAGE_BYTES: Final = 600 * 1024


class StreamWatch:
    """Watches one stream, by the clock of its capture.

    `rounded_by`: its records' times are rounded down to so many seconds.
    """

    def __init__(self, clock: Callable[[], float], rounded_by: float = ROUNDED_SECONDS) -> None:
        self._clock = clock
        self._began_at = clock()
        self.quiet = QuietWatch(clock(), rounded_by)
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
        page, changes = read.page, read.page.changes
        created_at: tuple[float, float] | None = None
        if changes:
            self.recent.note(change.key for change in changes)
            earliest = min(change.created_at for change in changes)
            # What was written before anybody read has waited for us, not for the service.
            if earliest >= self._began_at:
                created_at = (earliest, changes[-1].created_at)
        self.quiet.read(
            read.shard,
            read.at,
            self._clock(),
            records=len(changes),
            came_at=read.came_at,
            created_at=created_at,
            is_full=len(changes) >= FULL_PAGE_RECORDS or page.body_bytes >= FULL_PAGE_BYTES,
        )

    def listed(self, began_at: float, lineage: Lineage) -> None:
        """A complete listing that began then was taken in."""
        unread, childless = len(lineage.waiting()), len(lineage.childless())
        self.quiet.listed(Listing(began_at, unread, childless))
