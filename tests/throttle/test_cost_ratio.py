import pytest

from dynaferry.throttle.cost_ratio import CostRatio


def test_nothing_is_known_before_the_first_response() -> None:
    cost = CostRatio()
    assert (cost.value, cost.is_known) == (1.0, False)


def test_it_rises_at_once_to_what_was_seen() -> None:
    cost = CostRatio()
    cost.learn(25.0, 125.0)
    assert (cost.value, cost.is_known) == (5.0, True)


def test_it_comes_down_slowly_and_never_below_one() -> None:
    cost = CostRatio()
    cost.learn(25.0, 125.0)
    cost.learn(25.0, 25.0)
    assert cost.value == pytest.approx(4.8)
    for _ in range(500):
        cost.learn(25.0, 10.0)
    assert cost.value == pytest.approx(1.0)


def test_a_refusal_says_nothing() -> None:
    cost = CostRatio()
    cost.learn(25.0, 125.0)
    cost.learn(25.0, 0.0)
    assert cost.value == 5.0
    unknown = CostRatio()
    unknown.learn(25.0, 0.0)
    assert not unknown.is_known


def test_where_nobody_says_what_it_cost_the_expectation_stands() -> None:
    cost = CostRatio()
    cost.learn(25.0, None)
    assert (cost.value, cost.is_known) == (1.0, True)
