"""The rate of one key range: down with each refusal, and always back up."""

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.range_rate import (
    BACK_SECONDS,
    DEAF_SECONDS,
    LEAST_UNITS,
    RATE_FALL_SHARE,
    RangeRate,
)


def test_it_falls_by_a_part_and_is_back_soon_and_beyond_later() -> None:
    rate = RangeRate(1000.0, 0.0)
    assert rate.at(0.0) == 1000.0 * (1 - RATE_FALL_SHARE)
    assert rate.at(BACK_SECONDS) == 1000.0
    assert rate.at(1.5 * BACK_SECONDS) < 1.02 * 1000.0
    assert rate.at(2 * BACK_SECONDS) == 1000.0 * (1 + RATE_FALL_SHARE)


def test_what_was_under_way_at_a_refusal_counts_once() -> None:
    once, often = RangeRate(1000.0, 0.0), RangeRate(1000.0, 0.0)
    for hundredth in range(1, 10):
        often.refused(0.01 * hundredth * DEAF_SECONDS)
    assert often.at(1.0) == once.at(1.0)


def test_a_range_that_is_not_refused_any_more_is_forgotten() -> None:
    rate = RangeRate(1000.0, 0.0)
    assert not rate.is_over(2 * BACK_SECONDS)
    assert rate.is_over(4 * BACK_SECONDS)


@given(
    st.floats(0.0, 1e6),
    st.lists(st.floats(0.0, 5.0), max_size=60),
)
def test_however_often_it_was_refused_there_is_a_way_back_up(
    units: float, refusals: list[float]
) -> None:
    rate, now = RangeRate(units, 0.0), 0.0
    for later in refusals:
        now += later
        rate.refused(now)
    lowest = rate.at(now)
    assert lowest >= (1 - RATE_FALL_SHARE) * LEAST_UNITS
    assert rate.at(now + BACK_SECONDS) >= lowest
    assert rate.at(now + 6 * BACK_SECONDS) > 2 * lowest
