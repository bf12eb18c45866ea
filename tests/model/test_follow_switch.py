"""Every history of a switch and its way back, with the decisions of the code."""

import pytest

from tests.model.follow_switch_checks import SWITCH_CHECKS, SwitchCheck
from tests.model.follow_switch_parts import decided, quiet_after
from tests.model.follow_switch_world import explore

SOUND = [check for check in SWITCH_CHECKS if check.holds]
WRONG = [check for check in SWITCH_CHECKS if not check.holds]


@pytest.mark.parametrize("check", SOUND, ids=lambda check: check.name)
def test_a_go_lacks_nothing_and_what_goes_back_is_all_there(check: SwitchCheck) -> None:
    found = explore(check.world)
    assert found.broken == ()
    assert found.states > 300
    assert found.ends > 5


@pytest.mark.parametrize("check", WRONG, ids=lambda check: check.name)
def test_what_is_done_wrong_is_found_with_the_history_that_shows_it(check: SwitchCheck) -> None:
    found = explore(check.world)
    assert found.broken
    assert found.broken[-1]


def test_the_quiet_of_the_model_is_that_of_the_code() -> None:
    assert [quiet_after(ticks, 2, 0, 0, 0).holds for ticks in range(4)] == [
        False,
        False,
        True,
        True,
    ]
    for waiting, in_flight, childless in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        assert not quiet_after(3, 2, waiting, in_flight, childless).holds


def test_the_decision_of_the_model_is_that_of_the_code() -> None:
    quiet = quiet_after(2, 2, 0, 0, 0)
    assert decided(quiet, doubts=0, is_compared=True, is_held=True, rounds=0) == "go"
    assert decided(quiet, doubts=1, is_compared=True, is_held=True, rounds=0) == "wait"
    assert decided(quiet, doubts=0, is_compared=False, is_held=True, rounds=0) == "compare"
    assert decided(quiet, doubts=0, is_compared=True, is_held=False, rounds=0) == "hold"
    assert decided(quiet, doubts=0, is_compared=True, is_held=True, rounds=2) == "not ready"
