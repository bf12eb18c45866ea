"""A bounded number of seeded mixtures; `make soak` runs more of them."""

from pathlib import Path

import pytest

from tests.faults.mixture import Mixture
from tests.faults.soak import soak

SEEDS = range(8)


async def test_whatever_is_mixed_nothing_is_lost_invented_or_miscounted(tmp_path: Path) -> None:
    tally = await soak(SEEDS, tmp_path)
    assert tally.failures == {}
    assert (tally.lost, tally.invented, tally.miscounted) == (0, 0, 0)
    assert tally.mixtures == len(SEEDS)
    assert tally.attempts > tally.mixtures
    assert len(tally.met) > 12, "the weather was too fine to show anything"


@pytest.mark.parametrize("seed", [0, 7, 123])
def test_a_seed_always_makes_the_same_mixture(seed: int) -> None:
    assert Mixture.of(seed) == Mixture.of(seed)
    assert Mixture.of(seed) != Mixture.of(seed + 1)
