"""The map of a table's segments: under way, done, and how long each took.

A display of ten thousand segments needs only what is new: `finished` is in the order in which
segments ended, so an index into it says what was sent already.
"""

import time
from collections.abc import Callable, Iterable


class SegmentMap:
    """The segments of one table. Times are seconds by a clock that only goes forward."""

    __slots__ = ("_clock", "finished", "running", "total")

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.total = total
        self.running: dict[int, float] = {}
        self.finished: list[tuple[int, float | None]] = []

    def done_before(self, segments: Iterable[int]) -> None:
        """Notes what earlier attempts finished; how long that took is not known any more."""
        self.finished.extend((segment, None) for segment in segments)

    def begun(self, segment: int) -> None:
        """Notes that a page of the segment is asked for: it is under way from the first one on."""
        if segment not in self.running:
            self.running[segment] = self._clock()

    def done(self, segment: int) -> None:
        """Notes that the segment is acknowledged to its end."""
        now = self._clock()
        self.finished.append((segment, now - self.running.pop(segment, now)))

    def seconds_under_way(self) -> list[tuple[int, float]]:
        """The segments that are under way, each with its seconds so far."""
        now = self._clock()
        return [(segment, now - began) for segment, began in self.running.items()]
