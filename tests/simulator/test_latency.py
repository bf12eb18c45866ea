import random

import pytest

from benchmarks.simulator.latency import LatencyModel
from benchmarks.simulator.settings import NO_LATENCY, Latency

STEADY = Latency(write_seconds=0.01, read_seconds=0.05, tail_seconds=0, queue_seconds=0.01)


def model(settings: Latency) -> LatencyModel:
    return LatencyModel(settings, random.Random(7))


def test_an_idle_table_responds_in_the_least_time() -> None:
    assert model(STEADY).write_seconds(0.0) == pytest.approx(0.01)
    assert model(STEADY).read_seconds(0.0) == pytest.approx(0.05)


def test_latency_grows_faster_the_nearer_a_table_is_to_saturation() -> None:
    at = [model(STEADY).write_seconds(load) for load in (0.3, 0.6, 0.9, 2.0)]
    assert at == sorted(at)
    assert at[2] - at[1] > 2 * (at[1] - at[0])


def test_a_refusal_waits_in_no_queue() -> None:
    assert model(STEADY).refusal_seconds() < model(STEADY).write_seconds(0.0)


def test_the_tail_is_long_and_its_median_is_the_one_that_was_set() -> None:
    settings = Latency(write_seconds=0.0, tail_seconds=0.002, tail_sigma=1.0, queue_seconds=0)
    latency = model(settings)
    samples = sorted(latency.write_seconds(0.0) for _ in range(4001))
    assert samples[2000] == pytest.approx(0.002, rel=0.1)
    assert samples[3960] > 4 * samples[2000]


def test_the_same_chance_gives_the_same_latencies() -> None:
    one, other = model(Latency()), model(Latency())
    assert [one.read_seconds(0.5) for _ in range(5)] == [other.read_seconds(0.5) for _ in range(5)]


def test_no_latency_is_none_at_any_load() -> None:
    assert model(NO_LATENCY).write_seconds(5.0) == 0.0
    assert model(NO_LATENCY).refusal_seconds() == 0.0
