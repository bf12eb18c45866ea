"""A few seeds of `python -m tests.state.fuzz`, which runs as many as one likes."""

from collections.abc import Iterator

import pytest

from tests.state.fuzz import Ground, Tally, fuzz, ground

SEEDS = 24


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_state_file_with_something_wrong_in_it_is_no_bug_of_any_command(
    found: Ground, seed: int
) -> None:
    tally = Tally()
    fuzz(found, seed, tally)
    assert tally.failures == []
    assert tally.commands > 0
