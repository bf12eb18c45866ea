"""What is spent stays under its ceiling, and percentiles are what they say."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.bench.meter import CostMeter, Stopwatch, forecast


@given(
    st.floats(0.001, 10.0),
    st.lists(st.tuples(st.floats(0.5, 5000), st.floats(0, 1)), max_size=200),
)
def test_nothing_is_admitted_that_might_go_beyond_the_ceiling(
    max_dollars: float, requests: list[tuple[float, float]]
) -> None:
    meter = CostMeter(max_dollars, price_per_million=100.0)
    in_flight = []
    for units, share in requests:
        if meter.reserve(units):
            in_flight.append((units, units * share))
        if len(in_flight) > 5:
            meter.settle(*in_flight.pop(0))
    for reserved, consumed in in_flight:
        meter.settle(reserved, consumed)
    assert meter.dollars <= max_dollars * (1 + 1e-9)


def test_a_meter_that_has_reached_its_ceiling_is_full() -> None:
    meter = CostMeter(1.0, price_per_million=1.0)
    assert [(meter.reserve(units), meter.is_full) for units in (999_999, 2)] == [
        (True, False),
        (False, True),
    ]
    meter.settle(999_999, 500_000)
    assert meter.dollars == pytest.approx(0.5)


def test_what_is_provisioned_costs_nothing_more() -> None:
    meter = CostMeter(0.01, price_per_million=0.0)
    assert all(meter.reserve(1e6) for _ in range(10))


def test_percentiles_are_within_a_bucket_of_the_true_ones() -> None:
    durations = [random.Random(7).expovariate(100) for _ in range(10_000)]
    watch = Stopwatch()
    for seconds in durations:
        watch.note(seconds)
    latency = watch.latency()
    assert latency is not None
    ordered = sorted(durations)
    for share, told in ((0.5, latency.p50), (0.9, latency.p90), (0.99, latency.p99)):
        assert told == pytest.approx(ordered[int(share * 10_000) - 1] * 1000, rel=0.06)
    assert latency.max == pytest.approx(ordered[-1] * 1000, abs=0.01)


def test_without_a_request_there_is_no_latency() -> None:
    assert Stopwatch().latency() is None


def test_the_forecast_goes_on_at_the_measured_rate_and_price() -> None:
    told = forecast(
        10_000_000, measured_items=50_000, seconds=5.0, units=100_000, price_per_million=0.625
    )
    assert told is not None
    assert (told.seconds, told.units, told.cost_dollars) == (1000.0, 20_000_000.0, 12.5)


def test_there_is_no_forecast_from_nothing() -> None:
    assert forecast(10, measured_items=0, seconds=5.0, units=0, price_per_million=1) is None
