"""A few of the moves of the soak: `make soak-move` makes as many as are asked for."""

import os
from pathlib import Path

import pytest

from tests.faults.soak import strangers_environment
from tests.moves.case import Case
from tests.moves.soak import soak

# Killed twice each: one that counts every record, one whose answers are lost, one whose stream is
# made anew while the target refuses some items.
SEEDS = (51, 41, 23)
# One in which shards split and roll.
WRONG_SEED = 9


@pytest.fixture(autouse=True)
def nobodys_account(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(os.environ)
    strangers_environment(environment)
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_moves_that_are_killed_while_their_source_is_written_lose_and_invent_nothing(
    tmp_path: Path,
) -> None:
    cases = [Case.of(seed) for seed in SEEDS]
    assert [case.is_exact for case in cases] == [True, False, False]
    assert [case.gap for case in cases] == [None, None, "another stream"]
    tally = soak(SEEDS, tmp_path, at_once=len(SEEDS))
    assert tally.failures == {}
    assert tally.sums["kills"] == 2 * len(SEEDS)
    assert tally.sums["changes"] > 500


def test_a_move_that_passes_over_the_first_records_of_a_shard_is_found(tmp_path: Path) -> None:
    tally = soak([WRONG_SEED], tmp_path, at_once=1, defect="latest")
    assert tally.lost > 0
    assert tally.failures.keys() == {WRONG_SEED}
