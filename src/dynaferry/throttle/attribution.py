"""Whose fault a throttle is: one key range's, or the whole table's. Pure: the clock is passed in.

It decides what to do. A hot key range is to be held back while everything else goes on; the
table's (or an index's, or the account's) limit is the rate of all. The service says which where it
refuses a whole request [M:ThrottlingReason], and says nothing of items that it left unprocessed.
Those are the table's where they fall on as many segments as chance would have them fall on. And
where key ranges are named everywhere, or while nothing at all gets through, it is not the ranges:
a table on demand that is at what it sustains names them as well.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dynaferry.throttle.undone import Undone

ATTRIBUTION_WINDOW_SECONDS: Final = 0.5
# With fewer throttles than this, where they fall says nothing.
LEAST_THROTTLES: Final = 6
# So much of the segments that chance would hit must be hit.
SPREAD_SHARE: Final = 0.8
# Of the newest batches, so many weigh in the share that is touched by throttles.
NEWEST_BATCH_WEIGHT: Final = 0.1
# What is the table's touches nearly every batch; hot ranges touch theirs.
TOUCHED_SHARE: Final = 0.8
# Without a word, it is the table where most batches are touched, and a range where few are. After a
# quiet time nobody knows which, until the next batches have said it.
MOST_TOUCHED: Final = 0.7
FEW_TOUCHED: Final = 0.55
UNKNOWN_TOUCHED: Final = 0.6
QUIET_SECONDS: Final = 0.5
# The table or an index, once named, stands for the throttles without a name for so long.
WORD_SECONDS: Final = 5.0
# When nothing was accepted for so long, it is everything that is throttled.
ALL_THROTTLED_SECONDS: Final = 0.5


class ThrottleScope(Struct, frozen=True):
    """Who is to slow down. `resource` is what the service named: a table's or an index's ARN.

    `undone_share` of the items are left undone whatever the rate is: nobody is to slow down, and
    where that `is_news`, whoever did so before need not have.
    """

    segment: bool
    table: bool
    resource: str | None = None
    is_index: bool = False
    undone_share: float = 0.0
    is_news: bool = False


class ThrottleAttribution:
    """Weighs the throttles of one table's writes."""

    def __init__(self, *, now: float) -> None:
        self._accepted_at = now
        self._table_until = now
        self._throttled: Counter[int] = Counter()
        self._throttled_before: Counter[int] = Counter()
        self._window_ends_at = now
        self._touched = 0.0
        self._touched_at = now - QUIET_SECONDS
        self._undone = Undone()
        self._has_reported = False  # of what is left undone at any rate

    def accepted(self, now: float, *, items: int = 0, batches: int = 1) -> None:
        """Batches of `items` together were written whole."""
        self._accepted_at = now
        self._note_whole()
        if items and self._undone.is_watched:
            self._undone.note(items, 0, now, batches=batches)

    def refused(
        self, segment: int, reasons: Sequence[tuple[str, str]], now: float, *, segments: int
    ) -> ThrottleScope:
        """A whole batch was refused for these (reason, resource ARN) pairs.

        `segments` is how many are written at present.
        """
        self._note_touched(now)
        if not reasons:
            return self._blame_unnamed(segment, now, segments)
        reason, resource = reasons[0]
        is_index = reason.startswith("Index")
        if "KeyRange" not in reason or is_index:
            # A hot range of an index is hit from everywhere in the table.
            self._table_until = now + WORD_SECONDS
            return ThrottleScope(segment=False, table=True, resource=resource, is_index=is_index)
        if now - self._accepted_at > ALL_THROTTLED_SECONDS:
            return ThrottleScope(segment=False, table=True, resource=resource)
        self._note(segment, now)
        if self._is_everywhere(segments):
            return ThrottleScope(segment=False, table=True, resource=resource)
        self._table_until = now
        return ThrottleScope(segment=True, table=False, resource=resource)

    def left_undone(
        self, segment: int, now: float, *, segments: int, items: int, undone: int
    ) -> ThrottleScope:
        """Of a batch of `items` so many were left unprocessed, and nobody says why."""
        if undone < items:
            self._accepted_at = now
        self._undone.note(items, undone, now)
        if self._undone.is_usual():
            self._note_whole()
            share, is_news = self._undone.share, not self._has_reported
            self._has_reported = True
            return ThrottleScope(segment=False, table=False, undone_share=share, is_news=is_news)
        self._has_reported &= self._undone.share > 0
        self._note_touched(now)
        return self._blame_unnamed(segment, now, segments)

    def _blame_unnamed(self, segment: int, now: float, segments: int) -> ThrottleScope:
        self._note(segment, now)
        if segments <= 1 or now < self._table_until:
            return ThrottleScope(segment=False, table=self._is_spread(segments))
        if self._touched >= MOST_TOUCHED:
            return ThrottleScope(segment=False, table=self._is_spread(segments))
        return ThrottleScope(segment=self._touched <= FEW_TOUCHED, table=False)

    def _note(self, segment: int, now: float) -> None:
        if now >= self._window_ends_at:
            recent = now < self._window_ends_at + ATTRIBUTION_WINDOW_SECONDS
            self._throttled_before = self._throttled if recent else Counter()
            self._throttled = Counter()
            self._window_ends_at = now + ATTRIBUTION_WINDOW_SECONDS
        self._throttled[segment] += 1

    def _note_whole(self) -> None:
        self._touched -= NEWEST_BATCH_WEIGHT * self._touched

    def _note_touched(self, now: float) -> None:
        if now >= self._touched_at + QUIET_SECONDS:
            self._touched = UNKNOWN_TOUCHED
        self._touched += NEWEST_BATCH_WEIGHT * (1.0 - self._touched)
        self._touched_at = now

    def _is_everywhere(self, segments: int) -> bool:
        """Whether what is named as a key range touches all of them alike."""
        return segments > 1 and self._touched >= TOUCHED_SHARE and self._is_spread(segments)

    def _is_spread(self, segments: int) -> bool:
        throttled = self._throttled + self._throttled_before
        throttles = throttled.total()
        if segments <= 1:
            return True
        if throttles < LEAST_THROTTLES:
            return False
        by_chance = segments * (1 - (1 - 1 / segments) ** throttles)
        return len(throttled) >= SPREAD_SHARE * by_chance
