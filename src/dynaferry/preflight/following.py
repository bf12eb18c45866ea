"""The cost of following a table, a day at a given rate of changes. Pure.

Each change is written to the target, deletes included, at the price of an item of average size and
of its entries in the indexes; each shard is read some times a second; and with a view that holds no
new images each item is read again from the source. Changes of one key that wait together become one
write, so that hot keys cost less than is said here.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dynaferry import limits
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.observe.formatting import count
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.estimate import Estimate
from dynaferry.preflight.item_cost import (
    average_item_bytes,
    costs_of_indexes,
    puts_here,
    unit_price,
    units_to_read,
    units_to_write,
)

DAY_SECONDS: Final = 86_400.0
# How often a shard is read in which something has changed in the last ten seconds, and else.
BUSY_READS_PER_SECOND: Final = 5.0
IDLE_READS_PER_SECOND: Final = 1.0
IDLE_AFTER_SECONDS: Final = 10.0
# What a target cannot grow beyond by itself.
_FIRM: Final = ("given", "provisioned", "on-demand limit")
_PARTS: Final = (
    ("writes to the target", "target_writes"),
    ("reads of the stream", "stream_reads"),
    ("items read again from the source", "reads_again"),
)


class FollowingCost(Struct, frozen=True, kw_only=True):
    """What following costs a day, in US dollars, at so many changes a second.

    A side whose capacity is provisioned costs nothing more.
    """

    changes_per_second: float
    write_units_per_change: int
    target_writes: float
    stream_reads: float
    reads_again: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.target_writes + self.stream_reads + self.reads_again


def following_cost(
    plan: CopyPlan,
    source: TableDescription,
    target: TableDescription,
    *,
    changes_per_second: float,
    shards: int,
    item_bytes: float | None = None,
) -> FollowingCost:
    """The cost of following `source` at this rate, spread evenly over so many open shards.

    The units of a change are those of the target's own Region; what the other replicas of a global
    table take is in the cost. An item that changes is as large as the average one, unless its
    `item_bytes` are given.
    """
    size = average_item_bytes(source) if item_bytes is None else item_bytes
    indexes = costs_of_indexes(target, size)
    units = units_to_write(size) + sum(cost.units_per_item for cost in indexes)
    units *= puts_here(target)
    changes_a_day = changes_per_second * DAY_SECONDS
    write_price = unit_price(target, plan.price_per_million_writes)
    read_price = unit_price(source, plan.price_per_million_reads)
    again = 0 if has_new_images(source) else units_to_read_again(size)
    return FollowingCost(
        changes_per_second=changes_per_second,
        write_units_per_change=units,
        target_writes=changes_a_day * units * write_price * (1 + len(target.replicas)),
        stream_reads=_stream_reads_a_day(changes_per_second, shards)
        * limits.PRICE_PER_MILLION_STREAM_READS
        / 1e6,
        reads_again=changes_a_day * again * read_price,
    )


def has_new_images(source: TableDescription) -> bool:
    """Whether the records of its stream hold the items as they have become."""
    return (source.stream_view_type or "NEW_IMAGE").startswith("NEW_")


def units_to_read_again(item_bytes: float) -> int:
    """The read units for one item that is read consistently."""
    return max(1, units_to_read(math.ceil(item_bytes), consistent=True))


def _stream_reads_a_day(changes_per_second: float, shards: int) -> float:
    """Changes come independently of each other, so that a shard of few is idle now and then."""
    if shards <= 0:
        return 0.0
    busy = 1.0 - math.exp(-changes_per_second / shards * IDLE_AFTER_SECONDS)
    reads = IDLE_READS_PER_SECOND + (BUSY_READS_PER_SECOND - IDLE_READS_PER_SECOND) * busy
    return reads * shards * DAY_SECONDS


def keeps_up(cost: FollowingCost, estimate: Estimate) -> Iterator[str]:
    """A notice where the changes alone take more than the target is given."""
    pace = estimate.write_pace
    needed = cost.changes_per_second * cost.write_units_per_change
    if pace.kind in _FIRM and needed > pace.units_per_second:
        yield (
            f"the changes take {count(needed)} write units a second and the target takes "
            f"{count(pace.units_per_second)} ({pace.reason}): it will not catch up; raise that, "
            "or lower what is written to the source"
        )


def cost_line(costs: Sequence[FollowingCost]) -> str:
    """What a move of these tables costs a day, in one line."""
    rate = sum(cost.changes_per_second for cost in costs)
    parts = [
        f"{what} ${dollars:,.2f}"
        for what, name in _PARTS
        if (dollars := sum(getattr(cost, name) for cost in costs)) or name == "target_writes"
    ]
    total = sum(cost.total for cost in costs)
    changes = "1 change" if rate == 1 else f"{_rate(rate)} changes"
    return f"at {changes} a second about ${total:,.2f} a day ({', '.join(parts)})"


def _rate(rate: float) -> str:
    return count(rate) if rate >= 10 else f"{rate:.1f}".removesuffix(".0")
