"""Rates: arithmetic on samples, with a clock that is passed in."""

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


def test_no_finished_segment_means_no_finished_items() -> None:
    assert rates.finished_segment_items(1000, 0, 8) == 0.0
