"""A target that refuses everything for minutes, again and again, in virtual time."""

from benchmarks.simulator import BrownOut, OnDemand, Partitions, Provisioned, Table
from tests.kills.exposed import copy_exposed

ITEMS = 30_000
BROWN_OUTS = 4
BROWN_OUT_SECONDS = 150.0


def test_hundreds_of_refusals_lose_nothing_and_are_counted_one_by_one() -> None:
    plenty = OnDemand(read_units=40_000, write_units=10)
    source = Table(name="source", items=ITEMS, sort_key="sk", capacity=plenty)
    target = Table(
        name="target",
        sort_key="sk",
        capacity=Provisioned(write_units=3000, read_units=1000, burst_seconds=1),
        partitions=Partitions(count=64),
        brown_outs=tuple(
            BrownOut(
                start_seconds=2.0 + number * (BROWN_OUT_SECONDS + 2.0), seconds=BROWN_OUT_SECONDS
            )
            for number in range(BROWN_OUTS)
        ),
        remember_items=True,
    )
    copied = copy_exposed(source, target, seconds=1000.0)
    assert copied.complete
    assert copied.stats is not None
    assert copied.target is not None
    assert copied.target.distinct_items == ITEMS
    assert copied.stats.items_written == copied.stats.items_read == ITEMS
    refused = sum(second.throttled_writes for second in copied.target.seconds)
    assert refused >= 300
    assert copied.stats.throttled_requests == refused
