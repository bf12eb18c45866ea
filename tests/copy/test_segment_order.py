import math
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.copy.segment_order import SegmentQueue, spread
from dynaferry.limits import BYTES_PER_WRITE_UNIT
from dynaferry.preflight.segment_count import (
    MIN_SEGMENT_BYTES,
    MIN_SEGMENT_WRITE_UNITS,
    segment_count,
)

GIB = 1024**3


@given(total=st.integers(1, 5000))
def test_the_order_holds_every_segment_once(total: int) -> None:
    assert sorted(spread(total)) == list(range(total))


@given(bits=st.integers(1, 10), readers=st.integers(1, 6))
def test_segments_under_way_together_lie_in_different_parts_of_the_hash(
    bits: int, readers: int
) -> None:
    total = 1 << bits
    running = 1 << min(bits, readers)
    order = list(spread(total))
    for start in range(0, total, running):
        together = order[start : start + running]
        assert len({segment * running // total for segment in together}) == running


def test_the_order_is_bit_reversed() -> None:
    assert list(spread(8)) == [0, 4, 2, 6, 1, 5, 3, 7]


SIZES = st.integers(1, 10**15)
COUNTS = st.integers(1, 10**11)
READERS = st.integers(1, 99)
RATES = st.floats(0, 10**6)


@given(size_bytes=SIZES, item_count=COUNTS, readers=READERS)
def test_there_is_never_more_than_one_segment_for_16_mb_or_for_an_item(
    size_bytes: int, item_count: int, readers: int
) -> None:
    count = segment_count(
        size_bytes=size_bytes, item_count=item_count, readers=readers, requested=None
    )
    assert count == 1 or count <= min(size_bytes // MIN_SEGMENT_BYTES, item_count)


@given(size_bytes=SIZES, item_count=COUNTS, readers=READERS, rate=RATES)
def test_segments_for_the_targets_partitions_have_a_tenth_of_a_second_of_writes_each(
    size_bytes: int, item_count: int, readers: int, rate: float
) -> None:
    sizes: dict[str, Any] = {
        "size_bytes": size_bytes,
        "item_count": item_count,
        "readers": readers,
        "requested": None,
    }
    alone = segment_count(**sizes)
    count = segment_count(**sizes, write_units_per_second=rate)
    assert alone <= count <= item_count
    if count > alone:
        units = item_count * -(-size_bytes // (item_count * BYTES_PER_WRITE_UNIT))
        assert count <= 8 * math.ceil(rate / 1000)
        assert units / count >= MIN_SEGMENT_WRITE_UNITS


@given(readers=READERS, rate=RATES)
def test_empty_segments_cost_no_more_than_two_seconds_of_the_reads(
    readers: int, rate: float
) -> None:
    count = segment_count(
        size_bytes=0, item_count=0, readers=readers, requested=None, read_units_per_second=rate
    )
    assert count == 1 or count <= min(readers, 2 * rate)


@given(readers=st.integers(1, 64))
def test_a_large_table_has_at_least_eight_segments_for_each_reader(readers: int) -> None:
    count = segment_count(size_bytes=100 * GIB, item_count=10**8, readers=readers, requested=None)
    assert count >= 8 * readers


def test_a_number_that_is_asked_for_is_taken_as_it_is() -> None:
    assert segment_count(size_bytes=1, item_count=1, readers=8, requested=5000) == 5000


def test_a_table_whose_size_is_not_known_yet_gets_one_segment_for_each_reader() -> None:
    assert segment_count(size_bytes=0, item_count=0, readers=8, requested=None) == 8


@given(
    total=st.integers(1, 300),
    missing=st.sets(st.integers(0, 299)),
    readers=st.integers(1, 40),
    finishing=st.randoms(use_true_random=False),
)
def test_the_queue_gives_every_waiting_segment_once_in_whatever_order_they_end(
    total: int, missing: set[int], readers: int, finishing: Random
) -> None:
    waiting = [segment for segment in range(total) if segment not in missing]
    queue, taken, under_way = SegmentQueue(total, waiting), list[int](), list[int]()
    while len(taken) < len(waiting):
        while len(under_way) < readers and (segment := queue.take()) is not None:
            taken.append(segment)
            under_way.append(segment)
        ended = under_way.pop(finishing.randrange(len(under_way)))
        queue.done(ended)
    assert queue.take() is None
    assert sorted(taken) == waiting


@given(total=st.integers(1, 120), steps=st.lists(st.integers(0, 9), max_size=60))
def test_the_next_segment_is_the_farthest_from_those_under_way(
    total: int, steps: list[int]
) -> None:
    queue, waiting, under_way = SegmentQueue(total, range(total)), set(range(total)), list[int]()
    for step in steps:
        if step > 6 and under_way:
            queue.done(under_way.pop(step % len(under_way)))
            continue
        distances = {s: min((abs(s - o) for o in under_way), default=0) for s in waiting}
        segment = queue.take()
        if segment is None:
            assert not waiting
            return
        assert distances[segment] == max(distances.values())
        waiting.remove(segment)
        under_way.append(segment)


def test_what_is_under_way_stays_spread_over_the_hash() -> None:
    queue = SegmentQueue(256, range(256))
    under_way = [queue.take() for _ in range(16)]
    gaps = [later - earlier for earlier, later in pairwise(sorted(s or 0 for s in under_way))]
    assert max(gaps) <= 2 * 256 / 16
    assert min(gaps) >= 256 / 16 / 2


def test_an_empty_queue_gives_nothing() -> None:
    assert SegmentQueue(4, []).take() is None
