"""The number of segments of a table. Pure.

Many more than readers, so that those under way can lie spread over the hash range
(copy/segment_order.py). A small table has fewer, since each costs a request and read units; but one
segment writes to one partition of the target at a time, so that even a small one has several for
each partition.
"""

import math

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
