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

WINDOW_SECONDS: Final = 0.5
# With fewer throttles than this, where they fall says nothing.
LEAST_THROTTLES: Final = 6
# So much of the segments that chance would hit must be hit.
SPREAD_SHARE: Final = 0.8
# Of the newest batches, so many weigh in the share that is touched by throttles.
NEWEST_BATCH_WEIGHT: Final = 0.1
# What is the table's touches nearly every batch; hot ranges touch theirs.
TOUCHED_SHARE: Final = 0.8
# A key range that the service named stands for the throttles without a name for so long.
WORD_SECONDS: Final = 5.0
# When nothing was accepted for so long, it is everything that is throttled.
OUTAGE_SECONDS: Final = 0.5


class Verdict(Struct, frozen=True):
    """Who is to slow down. `resource` is what the service named: a table's or an index's ARN."""

    segment: bool
    table: bool
    resource: str | None = None
    is_index: bool = False


class Blame:
    """Weighs the throttles of one table's writes."""

    def __init__(self, *, now: float) -> None:
        self._accepted_at = now
        self._key_range_until = now
        self._throttled: Counter[int] = Counter()
        self._throttled_before: Counter[int] = Counter()
        self._window_ends_at = now
        self._touched = 0.0

    def accepted(self, now: float, *, whole: bool = True) -> None:
        """Something was written: a batch, whole or in part."""
        self._accepted_at = now
        self._note_touched(0.0 if whole else 1.0)

    def refused(
        self, segment: int, reasons: Sequence[tuple[str, str]], now: float, *, segments: int
    ) -> Verdict:
        """A whole batch was refused for these (reason, resource ARN) pairs.

        `segments` is how many are written at present.
        """
        self._note_touched(1.0)
        if not reasons:
            return self.left_undone(segment, now, segments=segments)
        reason, resource = reasons[0]
        is_index = reason.startswith("Index")
        if "KeyRange" not in reason or is_index:
            # A hot range of an index is hit from everywhere in the table.
            self._key_range_until = now
            return Verdict(segment=False, table=True, resource=resource, is_index=is_index)
        if now - self._accepted_at > OUTAGE_SECONDS:
            return Verdict(segment=False, table=True, resource=resource)
        self._note(segment, now)
        if self._is_everywhere(segments):
            self._key_range_until = now
            return Verdict(segment=False, table=True, resource=resource)
        self._key_range_until = now + WORD_SECONDS
        return Verdict(segment=True, table=False, resource=resource)

    def left_undone(self, segment: int, now: float, *, segments: int) -> Verdict:
        """Items of a batch were left unprocessed, and nobody says why."""
        self._note(segment, now)
        if now < self._key_range_until:
            if not self._is_everywhere(segments):
                return Verdict(segment=True, table=False)
            self._key_range_until = now
            return Verdict(segment=False, table=True)
        return Verdict(segment=False, table=self._is_spread(segments))

    def _note(self, segment: int, now: float) -> None:
        if now >= self._window_ends_at:
            recent = now < self._window_ends_at + WINDOW_SECONDS
            self._throttled_before = self._throttled if recent else Counter()
            self._throttled = Counter()
            self._window_ends_at = now + WINDOW_SECONDS
        self._throttled[segment] += 1

    def _note_touched(self, share: float) -> None:
        self._touched += NEWEST_BATCH_WEIGHT * (share - self._touched)

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
