"""Rates and the estimated end: arithmetic on samples, with a clock that is passed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe import rates

counts = st.integers(min_value=0, max_value=10**10)


def test_a_rate_needs_two_samples() -> None:
    rate = rates.SlidingRate()
    assert rate.per_second is None
    rate.add(0.0, 5)
    assert rate.per_second is None
    rate.add(2.0, 25)
    assert rate.per_second == 10.0


def test_two_samples_of_one_moment_have_no_rate() -> None:
    rate = rates.SlidingRate()
    rate.add(1.0, 0)
    rate.add(1.0, 10)
    assert rate.per_second is None


def test_what_is_older_than_the_window_no_longer_counts() -> None:
    rate = rates.SlidingRate(window_seconds=10)
    for second in range(100):
        rate.add(float(second), 0)
    for second in range(100, 111):
        rate.add(float(second), (second - 99) * 7)
    assert rate.per_second == pytest.approx(7)


def test_a_pause_shows_as_a_falling_rate_and_then_as_zero() -> None:
    rate = rates.SlidingRate(window_seconds=10)
    rate.add(0.0, 0)
    rate.add(10.0, 100)
    rate.add(15.0, 100)
    assert rate.per_second == pytest.approx(100 / 15)
    rate.add(25.0, 100)
    assert rate.per_second == 0.0


@given(
    per_second=st.floats(min_value=0.1, max_value=1e6),
    step=st.floats(min_value=0.1, max_value=30),
    start=st.integers(min_value=0, max_value=10**9),
)
def test_a_steady_rate_is_found_whatever_the_steps_and_wherever_it_began(
    per_second: float, step: float, start: int
) -> None:
    rate = rates.SlidingRate()
    for index in range(50):
        rate.add(index * step, start + index * step * per_second)
    assert rate.per_second == pytest.approx(per_second, rel=1e-3)


@given(st.lists(st.tuples(st.floats(0, 1e6), counts), max_size=40))
def test_a_rate_is_never_negative(samples: list[tuple[float, int]]) -> None:
    rate = rates.SlidingRate()
    for now, value in sorted(samples):
        rate.add(now, value)
    assert rate.per_second is None or rate.per_second >= 0


def _expected(**changed: float) -> int | None:
    values: dict[str, float] = {
        "items_done": 0,
        "finished_items": 0,
        "segments_complete": 0,
        "segments_total": 100,
        "reported_items": 0,
    }
    return rates.expected_items(**(values | changed))  # type: ignore[arg-type]


def test_before_enough_segments_are_finished_the_services_count_is_expected() -> None:
    assert _expected(items_done=10, segments_complete=4, reported_items=5000) == 5000


def test_from_five_percent_of_the_segments_on_their_mean_is_expected() -> None:
    expected = _expected(
        items_done=700, finished_items=500, segments_complete=5, reported_items=123
    )
    assert expected == 10_000


def test_without_a_count_and_without_segments_nothing_is_expected() -> None:
    assert _expected(items_done=10) is None


def test_a_complete_table_has_what_it_has() -> None:
    assert _expected(items_done=77, segments_complete=100, reported_items=500) == 77


@given(
    done=counts,
    finished=counts,
    complete=st.integers(0, 1000),
    total=st.integers(1, 1000),
    reported=counts,
)
def test_never_less_is_expected_than_is_done(
    done: int, finished: int, complete: int, total: int, reported: int
) -> None:
    expected = rates.expected_items(
        items_done=done,
        finished_items=min(finished, done),
        segments_complete=min(complete, total),
        segments_total=total,
        reported_items=reported,
    )
    assert expected is None or expected >= done


@given(mean=st.integers(1, 100_000), complete=st.integers(5, 99), running=st.integers(0, 8))
def test_running_segments_do_not_inflate_the_mean(mean: int, complete: int, running: int) -> None:
    """With even segments and half-done running ones, the estimate is the table."""
    done = mean * complete + mean * running / 2
    finished = rates.finished_segment_items(round(done), complete, running)
    expected = _expected(
        items_done=round(done), finished_items=finished, segments_complete=complete
    )
    assert expected == pytest.approx(max(mean * 100, done), rel=0.2, abs=100)


def test_no_finished_segment_means_no_finished_items() -> None:
    assert rates.finished_segment_items(1000, 0, 8) == 0.0


def test_the_time_left_is_the_rest_by_the_rate() -> None:
    assert rates.seconds_left(400, 1000, 20.0) == 30.0


@pytest.mark.parametrize(
    ("done", "expected", "rate"),
    [
        pytest.param(5, None, 10.0, id="nothing expected"),
        pytest.param(5, 10, None, id="no rate yet"),
        pytest.param(5, 10, 0.0, id="standing still"),
        pytest.param(10, 10, 5.0, id="all that was expected is done"),
    ],
)
def test_the_time_left_is_unknown_where_it_cannot_be_said(
    done: int, expected: int | None, rate: float | None
) -> None:
    assert rates.seconds_left(done, expected, rate) is None


@given(done=counts, expected=st.none() | counts, complete=st.integers(0, 100))
def test_a_share_of_one_means_complete_and_only_that(
    done: int, expected: int | None, complete: int
) -> None:
    share = rates.share_done(done, expected, complete, 100)
    assert 0.0 <= share <= 1.0
    assert (share == 1.0) == (complete == 100)


def test_without_an_expectation_the_share_is_that_of_the_segments() -> None:
    assert rates.share_done(10, None, 25, 100) == 0.25
    assert rates.share_done(10, None, 0, 0) == 0.0
