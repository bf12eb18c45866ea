from hypothesis import given
from hypothesis import strategies as st

from dynaferry.copy.segments import MIN_SEGMENT_BYTES, segment_count, spread

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


@given(
    size_bytes=st.integers(1, 10**15), item_count=st.integers(1, 10**11), readers=st.integers(1, 99)
)
def test_there_is_never_more_than_one_segment_for_16_mb_or_for_an_item(
    size_bytes: int, item_count: int, readers: int
) -> None:
    count = segment_count(
        size_bytes=size_bytes, item_count=item_count, readers=readers, requested=None
    )
    assert count == 1 or count <= min(size_bytes // MIN_SEGMENT_BYTES, item_count)


@given(readers=st.integers(1, 64))
def test_a_large_table_has_at_least_eight_segments_for_each_reader(readers: int) -> None:
    count = segment_count(size_bytes=100 * GIB, item_count=10**8, readers=readers, requested=None)
    assert count >= 8 * readers


def test_a_number_that_is_asked_for_is_taken_as_it_is() -> None:
    assert segment_count(size_bytes=1, item_count=1, readers=8, requested=5000) == 5000


def test_a_table_whose_size_is_not_known_yet_gets_one_segment_for_each_reader() -> None:
    assert segment_count(size_bytes=0, item_count=0, readers=8, requested=None) == 8
