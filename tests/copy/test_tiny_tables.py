"""Small tables of few units, in virtual time: what is over in a moment is not waited for."""

import pytest

from benchmarks.simulator import Provisioned, Table
from benchmarks.throttle.cases import Case
from benchmarks.throttle.trial import Trial
from benchmarks.throttle.virtual import run_virtual
from tests.kills.exposed import copy_exposed

SECONDS = 300.0
SEEDS = range(1, 4)


def copied(items: int, units: float, *, item_bytes: int = 300, seed: int = 1) -> Trial:
    """A copy between two tables of so many units each, that nobody else has used for a while."""
    capacity = Provisioned(read_units=units, write_units=units)
    return run_virtual(
        Case(
            name="tiny",
            title="a table of nearly nothing",
            source=Table(name="source", items=items, item_bytes=item_bytes, capacity=capacity),
            target=Table(name="target", capacity=capacity),
            seconds=SECONDS,
        ),
        seed=seed,
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("units", "items"), [(1, 0), (1, 3), (5, 0), (5, 12), (5, 70), (100, 0), (100, 800)]
)
def test_a_table_that_its_own_burst_pays_for_is_copied_at_once(
    units: float, items: int, seed: int
) -> None:
    trial = copied(items, units, seed=seed)
    assert sum(s.items_written for s in trial.report.tables["target"].seconds) == items
    assert trial.seconds < 1.0


@pytest.mark.parametrize("cap", [1.0, 5.0, 40.0])
@pytest.mark.parametrize("items", [0, 3])
def test_under_a_low_cap_a_table_of_nearly_nothing_takes_a_few_seconds(
    items: int, cap: float
) -> None:
    capacity = Provisioned(read_units=1000, write_units=1000)
    exposed = copy_exposed(
        Table(name="source", items=items, item_bytes=300, sort_key="sk", capacity=capacity),
        Table(name="target", sort_key="sk", capacity=capacity),
        seconds=SECONDS,
        segments=2,
        max_read_units=cap,
    )
    assert exposed.complete
    assert exposed.written == items
    assert exposed.seconds < 9.0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_read_at_once_is_a_part_of_what_the_table_has_saved(seed: int) -> None:
    trial = copied(2000, 1, item_bytes=2048, seed=seed)
    read = [(s.second, s.read_units) for s in trial.report.tables["source"].seconds]
    for second in range(0, int(SECONDS), 10):
        used = sum(units for at, units in read if at <= second)
        assert used <= 60 * 0.5 + 0.5 * (second + 1) + 10, "and at most half of its units from then"
    assert sum(units for _, units in read) >= 0.8 * 0.5 * SECONDS
