from hypothesis import given
from hypothesis import strategies as st

from dynaferry.report.rates import MOST_SAMPLES, Rate, limits, rates, thinned
from tests.report.recorded import ATTEMPTS, SAMPLES, sample_at


def test_a_rate_is_what_lies_between_two_samples() -> None:
    found = rates(SAMPLES, ATTEMPTS, lambda sample: sample.items_written)
    assert [rate.per_second for rate in found[:6]] == [10.0] * 6
    assert [rate.per_second for rate in found[7:]] == [20.0] * 6
    assert [rate.seconds for rate in found[:3]] == [0.0, 10.0, 20.0]


def test_two_samples_are_a_line_already() -> None:
    found = rates(SAMPLES[:2], ATTEMPTS, lambda sample: sample.items_written)
    assert found == [Rate(0.0, 10.0), Rate(10.0, 10.0)]


def test_between_two_attempts_there_is_a_gap() -> None:
    found = rates(SAMPLES, ATTEMPTS, lambda sample: sample.items_written)
    assert [rate.seconds for rate in found if rate.per_second is None] == [101.0]


def test_limits_are_those_of_their_moments() -> None:
    found = limits(SAMPLES, ATTEMPTS, lambda sample: sample.write_limit_units)
    assert [rate.per_second for rate in found] == [50.0] * 6 + [None] * 6


def test_without_an_attempt_there_is_nothing() -> None:
    assert rates(SAMPLES, [], lambda sample: sample.items_written) == []
    assert limits(SAMPLES, [], lambda sample: sample.write_limit_units) == []


@given(st.integers(1, 5 * MOST_SAMPLES))
def test_thinned_samples_hold_the_first_and_the_last(count: int) -> None:
    samples = [sample_at(second, second) for second in range(count)]
    kept = thinned(samples)
    assert len(kept) <= MOST_SAMPLES + 1
    assert (kept[0], kept[-1]) == (samples[0], samples[-1])
