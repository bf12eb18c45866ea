"""The segments of a verification: how many, which of them, in which order. Pure."""

import math
import random

from dynaferry.copy.segment_order import spread
from dynaferry.limits import PAGE_MAX_ITEM_BYTES
from dynaferry.preflight.segment_count import MAX_AUTO_SEGMENTS, segment_count

# A segment is compared as a whole or again: so a crash or a stop costs about a minute of reading.
LARGE_VERIFY_SEGMENT_BYTES = 64 * 1024 * 1024
# With fewer pages in each, more segments would not be read any sooner.
MIN_VERIFY_SEGMENT_BYTES = 2 * PAGE_MAX_ITEM_BYTES


def verification_segments(
    *,
    size_bytes: int,
    item_count: int,
    readers: int,
    requested: int | None,
    sample_percent: float | None,
    read_units_per_second: float = math.inf,
) -> int:
    """The number of segments for a table of this size, enough for the sample to be one.

    Each reader has one where that gives each two pages or more; one that says that it is empty has
    no more than `read_units_per_second` can pay for.
    """
    if requested is not None:
        return requested
    as_copied = segment_count(
        size_bytes=size_bytes,
        item_count=item_count,
        readers=readers,
        requested=None,
        read_units_per_second=read_units_per_second,
    )
    for_readers = min(readers, size_bytes // MIN_VERIFY_SEGMENT_BYTES)
    small_enough = min(size_bytes // LARGE_VERIFY_SEGMENT_BYTES, MAX_AUTO_SEGMENTS)
    for_a_sample = math.ceil(100 / sample_percent) if sample_percent is not None else 1
    return max(as_copied, for_readers, small_enough, min(for_a_sample, MAX_AUTO_SEGMENTS))


def chosen_segments(total_segments: int, sample_percent: float | None, seed: int) -> list[int]:
    """The segments to compare, spread over the table; the same ones for the same seed.

    A sample has at least one segment.
    """
    if sample_percent is None:
        return list(spread(total_segments))
    number = max(1, math.ceil(total_segments * sample_percent / 100))
    drawn = random.Random(seed).sample(range(total_segments), number)  # noqa: S311  # no secret
    chosen = frozenset(drawn)
    return [segment for segment in spread(total_segments) if segment in chosen]
