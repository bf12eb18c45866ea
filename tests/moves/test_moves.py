"""A few of the moves of the soak: `make soak-move` makes as many as are asked for."""

import os
from pathlib import Path

import pytest

from tests.faults.soak import strangers_environment
from tests.moves.soak import soak

# One that loses nothing and counts exactly; one whose answers are lost.
SEEDS = (2, 10)


def test_moves_that_are_killed_while_their_source_is_written_lose_and_invent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(os.environ)
    strangers_environment(environment)
    monkeypatch.setattr(os, "environ", environment)
    tally = soak(SEEDS, tmp_path, at_once=len(SEEDS))
    assert tally.failures == {}
    assert tally.sums["kills"] >= len(SEEDS)
    assert tally.sums["changes"] > 500
