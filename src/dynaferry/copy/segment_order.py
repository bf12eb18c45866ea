"""In which order the segments of a table are taken. Pure.

A Scan returns items in the order of the partition key's hash, and the target most likely hashes
the same way: copied in that order, one target partition would take all the writes. So there are
many more segments than readers, and the next one is always taken from the middle of the widest gap
between those under way: whatever their sizes, they stay spread over the whole hash range.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Protocol


def spread(total_segments: int) -> Iterator[int]:
    """Every segment once, in bit-reversed order: neighbours in time are far apart in the hash.

    For 8 segments: 0 4 2 6 1 5 3 7.
    """
    width = max(1, (total_segments - 1).bit_length())
    for index in range(1 << width):
        segment = int(f"{index:0{width}b}"[::-1], 2)
        if segment < total_segments:
            yield segment


class SegmentOrder(Protocol):
    """Names the segment of one table that is read next."""

    def take(self) -> int | None:
        """The next segment, under way from now on; None when none is waiting."""
        ...

    def done(self, segment: int) -> None:
        """`segment` is not under way any more."""
        ...


class SegmentQueue:
    """Which segment next: the one that is farthest, in the hash, from those under way.

    Of equally far ones the first in the order of `waiting`'s own numbers. A worker elsewhere can
    be handed segments from here as well as a task.
    """

    def __init__(self, total_segments: int, waiting: Iterable[int]) -> None:
        self._total_segments = total_segments
        self._waiting = sorted(waiting)
        self._under_way: list[int] = []

    def take(self) -> int | None:
        """The next segment, under way from now on; None when none is waiting."""
        if not self._waiting:
            return None
        best = max(self._candidates(), key=lambda at: (self._distance(self._waiting[at]), -at))
        segment = self._waiting.pop(best)
        insort(self._under_way, segment)
        return segment

    def done(self, segment: int) -> None:
        """`segment` is not under way any more."""
        self._under_way.remove(segment)

    def _candidates(self) -> Iterator[int]:
        """For each gap between those under way, the places of the waiting ones at its middle."""
        edges = [-1, *self._under_way, self._total_segments]
        for low, high in pairwise(edges):
            middle = (low + high) // 2
            if low < 0:
                middle = 0
            elif high == self._total_segments:
                middle = self._total_segments - 1
            above = bisect_left(self._waiting, middle)
            yield from (at for at in (above - 1, above) if 0 <= at < len(self._waiting))

    def _distance(self, segment: int) -> int:
        at = bisect_left(self._under_way, segment)
        beside = self._under_way[max(0, at - 1) : at + 1]
        return min((abs(segment - other) for other in beside), default=self._total_segments)
