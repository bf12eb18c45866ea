"""The applier beside a target that does what targets do: `make fuzz-applier` tries many seeds."""

import pytest

from tests.follow.applier_stories import in_trouble, killed


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_target_does_it_ends_as_the_source(seed: int) -> None:
    in_trouble(seed)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_ends_as_the_source(seed: int) -> None:
    killed(seed)
