import math

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.verify.segments import chosen_segments, verification_segments


@given(st.integers(1, 500), st.floats(0.01, 100), st.integers(0, 2**32))
def test_a_sample_is_its_share_of_the_segments_and_the_same_each_time(
    total: int, percent: float, seed: int
) -> None:
    chosen = chosen_segments(total, percent, seed)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(range(total))
    assert max(1, total * percent / 100) <= len(chosen) + 1e-9 < max(1, total * percent / 100) + 1
    assert chosen == chosen_segments(total, percent, seed)


def test_without_a_sample_it_is_all_segments() -> None:
    assert sorted(chosen_segments(13, None, 1)) == list(range(13))


def test_another_seed_chooses_other_segments() -> None:
    assert chosen_segments(1000, 5, 1) != chosen_segments(1000, 5, 2)


def segments(size_bytes: int, requested: int | None = None, sample: float | None = None) -> int:
    return verification_segments(
        size_bytes=size_bytes,
        item_count=size_bytes // 1000,
        readers=8,
        requested=requested,
        sample_percent=sample,
    )


def test_a_segment_of_a_large_table_is_a_minute_of_reading_at_most() -> None:
    assert segments(64 * 2**30) == 1024
    assert segments(10**15) == 10_000


def test_a_small_table_has_segments_enough_for_its_sample() -> None:
    assert segments(10_000_000, sample=1) == 100
    assert segments(10_000_000, requested=3, sample=1) == 3


def test_the_pages_of_a_small_table_are_read_side_by_side() -> None:
    assert [segments(pages * 2**20) for pages in (1, 3, 4, 9, 16, 31)] == [1, 1, 2, 4, 8, 8]


def test_an_empty_table_of_few_units_is_not_read_in_many_segments() -> None:
    def of_units(polite: float) -> int:
        return verification_segments(
            size_bytes=0,
            item_count=0,
            readers=8,
            requested=None,
            sample_percent=None,
            read_units_per_second=polite,
        )

    assert [of_units(polite) for polite in (0.5, 2.5, math.inf)] == [1, 5, 8]
