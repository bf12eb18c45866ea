"""The grid: tables of many shapes at the default settings of a copy, not only those of the cases.

A point says how much a table saves up, how long it takes to answer, how many partitions it has, how
large items are, and whether the partitions or the table's own capacity limit. The capacity is what
so many partitions give, but no more than what can be tried in a few seconds.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal

from msgspec import Struct

from benchmarks.simulator import Latency, OnDemand, Partitions, Provisioned, Table
from benchmarks.throttle.cases import WARM_UP_SECONDS, Case

BURST_SECONDS = (0.2, 1.0, 10.0, 60.0, 300.0)
LATENCY_SECONDS = (0.002, 0.005, 0.02, 0.08)
PARTITIONS = (1, 2, 4, 12, 64)
ITEM_BYTES = (200, 1024, 4096, 10_240)
LIMITS: tuple[Literal["table", "partitions"], ...] = ("table", "partitions")

SECONDS = 25.0
# What was saved up at the start is used up within the seconds that are not judged, or soon after.
SAVED_SECONDS = 5.0
PARTITION_UNITS = 1000.0
# What the table may take of what its partitions could, where it is the table that limits.
TABLE_SHARE = 0.6
# More items a second take too long to be tried; fewer partition units show the same.
MOST_ITEMS_PER_SECOND = 12_000.0

LEAST_SHARE = 0.85
MOST_THROTTLED = 0.05
# No point may be below this, whatever its seed.
WORST_SHARE = 0.70


class Point(Struct, frozen=True, kw_only=True, order=True):
    """One shape of a target."""

    burst_seconds: float
    latency_seconds: float
    partitions: int
    item_bytes: int
    limit: Literal["table", "partitions"]

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return (
            f"{self.partitions} partitions, {self.item_bytes:,} B, {self.burst_seconds:g} s saved, "
            f"{self.latency_seconds * 1000:g} ms, by {self.limit}"
        )


def points() -> Iterator[Point]:
    """The whole grid."""
    for burst, latency, partitions, item_bytes, limit in product(
        BURST_SECONDS, LATENCY_SECONDS, PARTITIONS, ITEM_BYTES, LIMITS
    ):
        yield Point(
            burst_seconds=burst,
            latency_seconds=latency,
            partitions=partitions,
            item_bytes=item_bytes,
            limit=limit,
        )


def sample(number: int, seed: int) -> Sequence[Point]:
    """So many points, by chance."""
    return random.Random(seed).sample(list(points()), number)


def case_of(point: Point) -> Case:
    """The point as a case to try."""
    units_per_item = max(1, -(-point.item_bytes // 1024))
    by_table = point.limit == "table"
    most_units = MOST_ITEMS_PER_SECOND * units_per_item
    offered = PARTITION_UNITS * point.partitions * (TABLE_SHARE if by_table else 1.0)
    capacity = min(offered, most_units)
    saved = min(SAVED_SECONDS, point.burst_seconds)
    items = int((SECONDS + 2 * SAVED_SECONDS) * capacity / units_per_item)
    return Case(
        name="grid",
        title=point.title,
        source=Table(
            name="source",
            sort_key="sk",
            items=items,
            item_bytes=point.item_bytes,
            capacity=OnDemand(read_units=40_000, write_units=10),
            partitions=Partitions(count=32),
            latency=_latency(point),
        ),
        target=Table(
            name="target",
            sort_key="sk",
            capacity=Provisioned(
                write_units=capacity * (1 if by_table else 4),
                read_units=1000,
                burst_seconds=point.burst_seconds,
                saved_seconds=saved,
            ),
            partitions=Partitions(
                count=point.partitions,
                write_units=PARTITION_UNITS if by_table else capacity / point.partitions,
                burst_seconds=max(1.0, point.burst_seconds) if by_table else point.burst_seconds,
                saved_seconds=saved,
            ),
            latency=_latency(point),
        ),
        seconds=SECONDS,
        judged_from=WARM_UP_SECONDS,
        least_share=LEAST_SHARE,
        most_throttled=MOST_THROTTLED,
    )


def _latency(point: Point) -> Latency:
    return Latency(
        write_seconds=point.latency_seconds * 0.8,
        read_seconds=point.latency_seconds * 0.8 + 0.01,
        tail_seconds=point.latency_seconds * 0.2,
        queue_seconds=0.002,
    )
