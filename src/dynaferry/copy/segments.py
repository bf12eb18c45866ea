"""How many segments a table is cut into, and in which order they are taken. Pure.

A Scan returns items in the order of the partition key's hash, and the target most likely hashes
the same way: copied in that order, one target partition would take all the writes. So there are
many more segments than readers, and the next one is always taken from the middle of the widest gap
between those under way: whatever their sizes, they stay spread over the whole hash range.

A small table has fewer, since each costs a request and read units; but one segment writes to one
partition of the target at a time, so that even a small one has several for each partition.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import pairwise

from dynaferry.limits import BYTES_PER_WRITE_UNIT, PARTITION_WRITE_UNITS

SEGMENTS_PER_READER = 8
SEGMENTS_PER_PARTITION = 8
MIN_SEGMENT_BYTES = 16 * 1024 * 1024
# One segment for 256 MB of a large table: a checkpointed unit of about four minutes at 1 MB/s.
LARGE_SEGMENT_BYTES = 256 * 1024 * 1024
MAX_AUTO_SEGMENTS = 10_000
# What one partition takes in a tenth of a second: with less in it, a segment costs more than the
# wait that it spares.
MIN_SEGMENT_WRITE_UNITS = 100
# Where nobody knows whether there is anything, empty segments may cost so much of the read rate.
EMPTY_SECONDS = 2.0


def segment_count(
    *,
    size_bytes: int,
    item_count: int,
    readers: int,
    requested: int | None,
    write_units_per_second: float = 0.0,
    read_units_per_second: float = math.inf,
) -> int:
    """The number of segments for a table of this size.

    `requested` is taken as it is. Otherwise: one per 256 MB, at least eight per reader, but no more
    than one per 16 MB; or eight for each partition that the target needs to take
    `write_units_per_second`, but no more than one per 100 write units; and never more than there
    are items. Both sizes are DescribeTable's, up to six hours old [M]: for a table that says 0
    (empty, or filled just now) one segment per reader is a cheap guess, as long as reading so many
    empty ones takes no more than two seconds at `read_units_per_second`.
    """
    if requested is not None:
        return requested
    if size_bytes == 0 or item_count == 0:
        return max(1, int(min(readers, EMPTY_SECONDS * read_units_per_second)))
    for_readers = max(SEGMENTS_PER_READER * readers, size_bytes // LARGE_SEGMENT_BYTES)
    for_partitions = SEGMENTS_PER_PARTITION * math.ceil(
        write_units_per_second / PARTITION_WRITE_UNITS
    )
    item_units = max(1, math.ceil(size_bytes / item_count / BYTES_PER_WRITE_UNIT))
    wanted = max(
        min(for_readers, size_bytes // MIN_SEGMENT_BYTES),
        min(for_partitions, item_count * item_units // MIN_SEGMENT_WRITE_UNITS),
    )
    return max(1, min(wanted, item_count, MAX_AUTO_SEGMENTS))


def spread(total_segments: int) -> Iterator[int]:
    """Every segment once, in bit-reversed order: neighbours in time are far apart in the hash.

    For 8 segments: 0 4 2 6 1 5 3 7.
    """
    width = max(1, (total_segments - 1).bit_length())
    for index in range(1 << width):
        segment = int(f"{index:0{width}b}"[::-1], 2)
        if segment < total_segments:
            yield segment


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
