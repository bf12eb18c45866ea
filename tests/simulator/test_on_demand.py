import pytest

from benchmarks.simulator.on_demand import Doubling


def doubling(quota: float = 40_000) -> Doubling:
    return Doubling(4000, quota=quota, window_seconds=10, now=0.0)


def test_use_at_the_limit_for_a_whole_window_doubles_it() -> None:
    table = doubling()
    table.use(4000 * 10)
    assert not table.beat(9.9)
    assert table.allowed == 4000
    assert table.beat(10.0)
    assert table.allowed == 8000


def test_four_windows_at_the_limit_reach_the_quota() -> None:
    table = doubling()
    seen = []
    for window in range(1, 6):
        table.use(table.allowed * 10)
        table.beat(window * 10.0)
        seen.append(table.allowed)
    assert seen == [8000, 16_000, 32_000, 40_000, 40_000]
    assert table.is_at_quota


def test_use_of_half_the_limit_or_less_changes_nothing() -> None:
    table = doubling()
    table.use(2000 * 10)
    assert not table.beat(10.0)
    assert table.allowed == 4000


def test_use_between_half_and_all_raises_the_limit_to_twice_that_use() -> None:
    table = doubling()
    table.use(3000 * 10)
    table.beat(10.0)
    assert table.allowed == 6000


def test_a_short_peak_does_not_count_as_one() -> None:
    table = doubling()
    table.use(4000 * 3)
    table.beat(10.0)
    assert table.allowed == 4000


def test_a_burst_beyond_the_limit_does_not_raise_it_by_more_than_twice() -> None:
    table = doubling()
    table.use(6000 * 10)
    table.beat(10.0)
    assert table.allowed == 8000


def test_a_peak_is_not_forgotten_in_idle_windows() -> None:
    table = doubling()
    table.use(4000 * 10)
    table.beat(1000.0)
    assert table.allowed == 8000


def test_capacity_that_is_set_holds_at_once() -> None:
    table = doubling(quota=12_000)
    table.set_allowed(50_000)
    assert table.allowed == 12_000
    table.set_allowed(1000)
    assert table.allowed == pytest.approx(1000)
    assert not table.is_at_quota
