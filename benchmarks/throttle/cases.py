"""What is tried: a source, a target, what happens to them, and what must be reached."""

from msgspec import Struct

from benchmarks.simulator import (
    BrownOut,
    Change,
    Index,
    OnDemand,
    Partitions,
    Provisioned,
    Table,
)

WARM_UP_SECONDS = 10
MANY = Partitions(count=64)


class Case(Struct, frozen=True, kw_only=True):
    """One trial of `seconds`, judged from `judged_from` on (both by the simulator's clock).

    `least_share` is of the capacity offered, `most_throttled` of the write requests. What else is
    asked of a case has a judge of its own.
    """

    name: str
    title: str
    source: Table
    target: Table
    seconds: float
    judged_from: int = WARM_UP_SECONDS
    least_share: float | None = None
    most_throttled: float | None = None
    runs: int = 1
    segments: int | None = None


def _provisioned(write_units: float, **more: float) -> Provisioned:
    """Capacity with no more than a second saved up: a burst would flatter every share."""
    return Provisioned(write_units=write_units, read_units=1000, burst_seconds=1, **more)


def _source(items: int, **more: object) -> Table:
    plenty = OnDemand(read_units=40_000, write_units=10)
    settings: dict[str, object] = {"capacity": plenty, "partitions": Partitions(count=32), **more}
    return Table(name="source", items=items, sort_key="sk", **settings)  # type: ignore[arg-type]


def _target(**more: object) -> Table:
    return Table(name="target", sort_key="sk", **more)  # type: ignore[arg-type]


CASES = (
    Case(
        name="flat",
        title="5,000 WCU flat, 8 ms",
        source=_source(400_000),
        target=_target(capacity=_provisioned(5000), partitions=MANY),
        seconds=45,
        least_share=0.97,
        most_throttled=0.02,
    ),
    Case(
        name="large-items",
        title="1,000 WCU flat, items of 8 KB",
        source=_source(20_000, item_bytes=8 * 1024),
        target=_target(capacity=_provisioned(1000), partitions=MANY),
        seconds=90,
        least_share=0.97,
        most_throttled=0.02,
    ),
    Case(
        name="huge-items",
        title="500 WCU flat, items of 300 KB",
        source=_source(600, item_bytes=300 * 1024),
        target=_target(capacity=_provisioned(500), partitions=MANY),
        seconds=240,
        judged_from=30,
        least_share=0.97,
        most_throttled=0.05,
    ),
    Case(
        name="steps",
        title="5,000 → 2,000 → 8,000 WCU in steps",
        source=_source(600_000),
        target=_target(
            capacity=_provisioned(5000),
            partitions=MANY,
            changes=(
                Change(at_seconds=25, write_units=2000),
                Change(at_seconds=45, write_units=8000),
            ),
        ),
        seconds=70,
        least_share=0.95,
        most_throttled=0.04,
    ),
    Case(
        name="on-demand",
        title="on-demand from 4,000 doubling to 32,000",
        source=_source(1_500_000),
        target=_target(capacity=OnDemand(doubling_seconds=15, write_quota=32_000), partitions=MANY),
        seconds=65,
        least_share=0.90,
        most_throttled=0.05,
    ),
    Case(
        name="partitions",
        title="16 partitions of 1,000 WCU, in hash order",
        source=_source(900_000),
        target=_target(capacity=_provisioned(40_000), partitions=Partitions(count=16)),
        seconds=45,
        least_share=0.85,
        most_throttled=0.08,
    ),
    Case(
        name="hot-key",
        title="one partition key holds a third of the data",
        source=_source(300_000, hot_key_share=1 / 3),
        target=_target(capacity=_provisioned(40_000), partitions=Partitions(count=16)),
        seconds=160,
    ),
    Case(
        name="index",
        title="an index at 1,500 WCU under a table of 10,000",
        source=_source(150_000),
        target=_target(
            capacity=_provisioned(10_000),
            partitions=MANY,
            indexes=(Index(name="by-owner", capacity=_provisioned(1500), partitions=MANY),),
        ),
        seconds=45,
        least_share=0.95,
        most_throttled=0.04,
    ),
    Case(
        name="brown-out",
        title="30 s brown-out (all refused), then back",
        source=_source(400_000),
        target=_target(
            capacity=_provisioned(5000),
            partitions=MANY,
            brown_outs=(BrownOut(start_seconds=20, seconds=30),),
        ),
        seconds=70,
    ),
    Case(
        name="two-runs",
        title="two runs share one target of 6,000 WCU",
        source=_source(500_000),
        target=_target(capacity=_provisioned(6000), partitions=MANY),
        seconds=45,
        least_share=0.95,
        most_throttled=0.06,
        runs=2,
    ),
    Case(
        name="production",
        title="source 2,000 RCU, production takes 1,200",
        source=_source(
            600_000,
            capacity=Provisioned(read_units=2000, write_units=10, burst_seconds=1),
            partitions=Partitions(count=8),
            production_read_units=1200,
        ),
        target=_target(capacity=_provisioned(40_000), partitions=MANY),
        seconds=90,
    ),
)
