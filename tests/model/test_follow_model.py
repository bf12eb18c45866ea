"""Every history of two keys through the real spool and lineage: what holds, and what breaks."""

import pytest

from tests.model.follow_checks import CHECKS, Check
from tests.model.follow_parts import REREAD, acknowledged, demoted, revisited, sent, stored
from tests.model.follow_world import explore

SOUND = [check for check in CHECKS if check.holds]
WRONG = [check for check in CHECKS if not check.holds]


@pytest.mark.parametrize("check", SOUND, ids=lambda check: check.name)
def test_at_every_end_the_target_is_the_source(check: Check) -> None:
    found = explore(check.quick)
    assert found.broken == ()
    # Neither is the search empty, nor does it miss the end.
    assert found.states > 300
    assert found.ends > 5


@pytest.mark.parametrize("check", WRONG, ids=lambda check: check.name)
def test_what_is_done_wrong_is_found_with_the_history_that_shows_it(check: Check) -> None:
    found = explore(check.quick)
    assert found.broken
    assert found.broken[-1].startswith("source")


def test_the_spool_of_the_model_is_the_file() -> None:
    both = stored(stored((), 1, 5), 0, 0)
    assert both == ((1, 5, True), (0, 0, True))
    flying = sent(both, 1)
    assert acknowledged(flying, 1, 5) == ((0, 0, True),)
    # Something newer keeps its row, and takes the place of its own arrival.
    assert acknowledged(stored(flying, 1, 5), 1, 5) == ((0, 0, True), (1, 5, True))
    assert demoted(flying) == ((1, REREAD, False), (0, REREAD, True))
    assert revisited(flying, 1) == ((1, REREAD, True), (0, 0, True))
