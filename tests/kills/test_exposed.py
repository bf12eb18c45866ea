"""A kill at any instant costs what was in flight and one second of writes, and no more."""

import pytest

from benchmarks.simulator import OnDemand, Partitions, Provisioned, Table
from tests.kills.exposed import Exposed, copy_exposed

KILLS_TO_SETTLE_SECONDS = 15.0  # a rate that was found has fallen to what the table can take


def a_source(item_bytes: int) -> Table:
    plenty = OnDemand(read_units=40_000, write_units=10)
    return Table(
        name="source", items=400_000, item_bytes=item_bytes, sort_key="sk", capacity=plenty
    )


def a_target(write_units: float) -> Table:
    capacity = Provisioned(write_units=write_units, read_units=1000, burst_seconds=1)
    return Table(name="target", sort_key="sk", capacity=capacity, partitions=Partitions(count=512))


def worst(exposed: Exposed, since: float = 0.0) -> int:
    """By how many items the bound was passed at the worst instant."""
    assert len(exposed.exposures) > 400
    return max(e.again - e.allowed for e in exposed.exposures if e.at_seconds >= since)


@pytest.mark.parametrize("cap", [200.0, 1000.0, 2000.0, 5000.0])
@pytest.mark.parametrize("item_bytes", [200, 1024, 10_000])
def test_under_a_cap_it_holds_from_the_start(cap: float, item_bytes: int) -> None:
    exposed = copy_exposed(
        a_source(item_bytes), a_target(400_000), seconds=12.0, max_write_units=cap
    )
    assert worst(exposed) <= 0
    units_per_item = -(-item_bytes // 1024)
    assert exposed.written >= 0.85 * 12.0 * cap / units_per_item, "and the cap is used"


def test_where_nothing_limits_it_holds_as_well() -> None:
    exposed = copy_exposed(a_source(1024), a_target(400_000), seconds=5.0)
    assert exposed.written > 100_000
    assert worst(exposed) <= 0


def test_it_holds_at_a_rate_that_was_found() -> None:
    exposed = copy_exposed(a_source(1024), a_target(3000), seconds=30.0)
    assert exposed.written > 80_000
    assert worst(exposed, KILLS_TO_SETTLE_SECONDS) <= 0


@pytest.mark.parametrize(("cap", "most_more"), [(200.0, 0.20), (1000.0, 0.20), (5000.0, 0.12)])
def test_what_small_pages_cost_is_bounded(cap: float, most_more: float) -> None:
    full_page = 128 / 1024  # read units an item of 1 KB
    exposed = copy_exposed(a_source(1024), a_target(400_000), seconds=12.0, max_write_units=cap)
    assert exposed.read_units / exposed.written <= full_page * (1 + most_more)
