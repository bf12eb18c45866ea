import pytest

from benchmarks.simulator.bucket import CapacityBucket, DecayedRate


def units_taken(bucket: CapacityBucket, *, until: float, step: float, units: float) -> float:
    """What a client gets who asks for `units` every `step` seconds."""
    taken = 0.0
    for tick in range(round(until / step)):
        if bucket.is_open(tick * step):
            bucket.take(units)
            taken += units
    return taken


def test_a_bucket_gives_its_rate_after_what_it_saved() -> None:
    bucket = CapacityBucket(100, depth_seconds=10, now=0.0)
    assert units_taken(bucket, until=20, step=0.01, units=5) == pytest.approx(
        10 * 100 + 20 * 100, 0.01
    )


def test_a_bucket_that_saved_nothing_gives_its_rate_at_once() -> None:
    bucket = CapacityBucket(100, depth_seconds=300, saved_seconds=0, now=0.0)
    assert units_taken(bucket, until=10, step=0.01, units=5) == pytest.approx(1000, 0.01)


@pytest.mark.parametrize("units", [1, 30, 400])
def test_the_average_is_kept_whatever_the_size_of_a_request(units: float) -> None:
    bucket = CapacityBucket(50, depth_seconds=1, now=0.0)
    taken = units_taken(bucket, until=200, step=0.005, units=units)
    assert taken == pytest.approx(50 + 200 * 50, abs=units + 50)


def test_unused_capacity_is_saved_up_to_the_depth_only() -> None:
    bucket = CapacityBucket(10, depth_seconds=5, now=0.0)
    bucket.take(50)
    assert not bucket.is_open(0.0)
    assert bucket.is_open(1000.0)
    bucket.take(49)
    assert bucket.is_open(1000.0)
    bucket.take(1)
    assert not bucket.is_open(1000.0)


def test_a_lower_rate_cuts_what_was_saved_to_what_still_fits() -> None:
    bucket = CapacityBucket(100, depth_seconds=10, now=0.0)
    bucket.set_rate(10, 0.0)
    bucket.take(100)
    assert not bucket.is_open(0.0)
    assert bucket.is_open(0.1)


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = CapacityBucket(10, depth_seconds=1, now=5.0)
    bucket.take(10)
    assert not bucket.is_open(5.0)
    assert not bucket.is_open(4.0)


def test_a_steady_use_is_its_rate_and_fades_when_it_ends() -> None:
    rate = DecayedRate(now=0.0)
    for tick in range(1000):
        rate.add(1.0, tick * 0.01)
    assert rate.at(10.0) == pytest.approx(100, rel=0.02)
    assert rate.at(20.0) < 0.01
