"""The pure estimator: items, shares and ends, by hand-made sums and by hypothesis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe.estimator import (
    ItemsEstimate,
    Rates,
    TableProgress,
    TableWork,
    estimated_items,
    seconds_of_all,
    seconds_to_go,
    share_done,
    total_of,
)
from dynaferry.observe.segment_sums import SegmentSums, SegmentTally

sizes = st.lists(st.integers(0, 10**7), min_size=1, max_size=60)


def _sums(ended: list[int], begun: list[int]) -> SegmentSums:
    tally = SegmentTally()
    for segment, items in enumerate(begun):
        tally.note(segment, items, complete=False)
    for segment, items in enumerate(ended):
        tally.note(len(begun) + segment, items, complete=True)
    return tally.sums()


def _expected(ended: list[int], begun: list[int], *, segments: int, reported: int) -> int | None:
    sums = _sums(ended, begun)
    done = sums.items + sums.begun_items
    return estimated_items(
        sums, items_done=done, segments_total=segments, reported_items=reported
    ).expected


def test_before_a_segment_has_ended_the_services_count_is_expected() -> None:
    assert _expected([], [], segments=64, reported=5_000) == 5_000
    assert _expected([], [40, 40], segments=64, reported=5_000) == 5_000


def test_segments_of_a_size_are_believed_and_not_a_count_that_is_off() -> None:
    for reported in (70_000, 130_000):
        expected = _expected([1_000] * 30, [500] * 8, segments=100, reported=reported)
        assert expected == pytest.approx(100_000, rel=0.05)


def test_one_hot_segment_that_has_ended_is_not_expected_again_and_again() -> None:
    expected = _expected([1_000] * 30 + [60_000], [500] * 8, segments=101, reported=160_000)
    assert expected == pytest.approx(160_000, rel=0.05)


def test_a_hot_segment_under_way_is_expected_to_hold_what_the_others_lack() -> None:
    """Where the mean of the others was believed, it said 99% and 0 s for a minute."""
    sums = _sums([470] * 255, [15_000])
    estimate = estimated_items(sums, items_done=134_850, segments_total=256, reported_items=200_000)
    assert estimate.expected == 200_000
    assert estimate.outlier == 1.0
    assert estimate.left_of_largest == pytest.approx(65_150, rel=0.02)


def test_a_hot_segment_that_nobody_has_seen_yet_is_missed_in_the_count() -> None:
    for reported in (100_000, 125_000):
        sums = _sums([1_000] * 90, [1_000] * 8)
        estimate = estimated_items(
            sums, items_done=97_000, segments_total=100, reported_items=reported
        )
        assert estimate.expected == pytest.approx(100_000, rel=0.05)
        # It may be hidden there, so that the share is of the count.
        assert estimate.most == pytest.approx(max(reported, 100_000), rel=0.01)
    assert _expected([1_000] * 90, [1_000] * 8, segments=100, reported=170_000) == 170_000


def test_few_and_uneven_segments_leave_the_count_as_it_is() -> None:
    expected = _expected([0] * 20, [9_000] * 8, segments=256, reported=500_000)
    assert expected == pytest.approx(500_000, rel=0.1)


def test_without_a_count_nothing_is_expected_until_enough_segments_have_ended() -> None:
    assert _expected([1_000] * 4, [], segments=64, reported=0) is None
    assert _expected([1_000] * 8, [], segments=64, reported=0) == 64_000


def test_a_complete_table_has_what_it_has() -> None:
    assert _expected([77], [], segments=1, reported=500) == 77


@given(ended=sizes, begun=sizes, more=st.integers(0, 500), reported=st.integers(0, 10**10))
def test_never_less_is_expected_than_is_done(
    ended: list[int], begun: list[int], more: int, reported: int
) -> None:
    segments = len(ended) + len(begun) + more
    expected = _expected(ended, begun, segments=segments, reported=reported)
    assert expected is None or expected >= sum(ended) + sum(begun)


@given(
    done=st.integers(0, 10**10),
    expected=st.none() | st.integers(0, 10**10),
    complete=st.integers(0, 100),
)
def test_a_share_of_one_means_complete_and_only_that(
    done: int, expected: int | None, complete: int
) -> None:
    share = share_done(done, expected, complete, 100)
    assert 0.0 <= share <= 1.0
    assert (share == 1.0) == (complete == 100)


def test_without_an_expectation_the_share_is_that_of_the_segments() -> None:
    assert share_done(10, None, 25, 100) == 0.25
    assert share_done(10, None, 0, 0) == 0.0


def test_the_end_is_the_rest_by_the_rate() -> None:
    assert seconds_to_go(400, ItemsEstimate(expected=1_000), Rates(of_table=20.0)) == 30.0


@pytest.mark.parametrize(
    ("done", "expected", "rate"),
    [
        pytest.param(5, None, 10.0, id="nothing expected"),
        pytest.param(5, 10, None, id="no rate yet"),
        pytest.param(5, 10, 0.0, id="standing still"),
        pytest.param(10, 10, 5.0, id="all that was expected is done"),
    ],
)
def test_the_end_is_unknown_where_it_cannot_be_said(
    done: int, expected: int | None, rate: float | None
) -> None:
    assert seconds_to_go(done, ItemsEstimate(expected=expected), Rates(of_table=rate)) is None


def test_a_table_waits_for_its_hot_segment_at_the_rate_of_that_one() -> None:
    hot = ItemsEstimate(expected=10_000, outlier=1.0, left_of_largest=4_000)
    # 2,000 others by 400 a second are 5 s; by then 500 of the hot ones are done, the rest is alone.
    rates = Rates(of_table=500.0, of_largest=100.0, alone=250.0)
    assert seconds_to_go(4_000, hot, rates) == pytest.approx(5 + 3_500 / 250)


def _table(done: int, expected: int | None, ratio: float | None = None) -> TableProgress:
    return TableProgress(
        items_done=done,
        expected_items=expected,
        progress_ratio=done / (expected or 1) if ratio is None else ratio,
    )


def test_the_total_is_by_items_and_not_by_tables() -> None:
    total = total_of([_table(900, 900), _table(0, 9_100)], 60.0)
    assert (total.items_done, total.expected_items, total.eta_seconds) == (900, 10_000, 60.0)
    assert total.progress_ratio == pytest.approx(0.09)


def test_the_total_is_complete_with_its_last_table_and_not_before() -> None:
    assert total_of([_table(5, 5), _table(9_999, 10_000, 0.99)], None).progress_ratio == 0.99
    assert total_of([_table(5, 5), _table(0, 0, 1.0)], None).progress_ratio == 1.0


def test_nobody_knows_the_items_of_all_where_one_table_is_unknown() -> None:
    total = total_of([_table(50, 100), _table(0, None, 0.0)], None)
    assert total.expected_items is None
    assert total.progress_ratio == pytest.approx(0.25)


def _work(seconds: float | None, *, runs: bool = False, units: float = 0.0) -> TableWork:
    return TableWork(is_running=runs, seconds=seconds, units=units)


def test_all_tables_take_as_long_as_their_turns() -> None:
    works = [_work(100.0, runs=True), _work(40.0, runs=True), _work(30.0), _work(50.0)]
    assert seconds_of_all(works, 2) == 120.0
    assert seconds_of_all(works, 4) == 100.0


def test_tables_that_share_one_rate_take_the_sum_of_their_units() -> None:
    works = [_work(100.0, runs=True, units=600), _work(20.0, units=400)]
    assert seconds_of_all(works, 4, units_per_second=10.0) == 100.0


def test_the_end_of_all_is_unknown_where_that_of_one_is_and_where_nothing_is_left() -> None:
    assert seconds_of_all([_work(10.0, runs=True), _work(None)], 4) is None
    assert seconds_of_all([_work(0.0, runs=True)], 1) is None
    assert seconds_of_all([], 1) is None
