"""The map of a table's segments: under way, done, how long each took, and how full it is.

A display of ten thousand segments needs only what is new: `finished` is in the order in which
segments ended, so an index into it says what was sent already.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

# From so many finished segments on their mean says more than the service's count of the items.
TRUSTED_SEGMENTS: Final = 5
# A segment that is under way is never shown as full: only its end is.
MOST_FILLED: Final = 0.95


class SegmentMap:
    """The segments of one table. Times are seconds by a clock that only goes forward."""

    __slots__ = ("_clock", "_counted", "_counted_items", "_items", "finished", "running", "total")

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.total = total
        self.running: dict[int, float] = {}
        self.finished: list[tuple[int, float | None]] = []
        self._items: dict[int, int] = {}
        self._counted = self._counted_items = 0

    def done_before(self, segments: Iterable[int]) -> None:
        """Notes what earlier attempts finished; how long that took is not known any more."""
        self.finished.extend((segment, None) for segment in segments)

    def read_before(self, items_of: Iterable[tuple[int, int]]) -> None:
        """Notes how many items earlier attempts read of segments, finished ones among them."""
        finished = {segment for segment, _ in self.finished}
        for segment, items in items_of:
            if segment in finished:
                self._count(items)
            elif items:
                self._items[segment] = items

    def begun(self, segment: int) -> None:
        """Notes that a page of the segment is asked for: it is under way from the first one on."""
        if segment not in self.running:
            self.running[segment] = self._clock()

    def read(self, segment: int, items: int) -> None:
        """Notes that a page of so many items was read of the segment."""
        self._items[segment] = self._items.get(segment, 0) + items

    def done(self, segment: int) -> None:
        """Notes that the segment is acknowledged to its end."""
        now = self._clock()
        self.finished.append((segment, now - self.running.pop(segment, now)))
        self._count(self._items.pop(segment, 0))

    def _count(self, items: int) -> None:
        self._counted += 1
        self._counted_items += items

    def seconds_under_way(self) -> list[tuple[int, float]]:
        """The segments that are under way, each with its seconds so far."""
        now = self._clock()
        return [(segment, now - began) for segment, began in self.running.items()]

    def filled(self, expected_items: int | None) -> dict[int, float]:
        """The share of each segment under way that is read, as far as can be told: 0 to 0.95.

        `expected_items` are those of the whole table. Segments differ in size: a share is measured
        by the mean one, and a segment that is larger stays almost full until it ends.
        """
        items = self._items_of_a_segment(expected_items or 0)
        return {
            segment: min(MOST_FILLED, self._items.get(segment, 0) / items) if items else 0.0
            for segment in self.running
        }

    def _items_of_a_segment(self, expected_items: int) -> float:
        if self._counted >= TRUSTED_SEGMENTS:
            return self._counted_items / self._counted
        return expected_items / self.total if self.total else 0.0
