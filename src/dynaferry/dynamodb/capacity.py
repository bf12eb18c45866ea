"""Capacity units from sizes, as far as they can be known before the service says. Pure.

Sources: [DG:read-write-operations]; a write costs one unit per started KB of each item, and
the units of a batch are the sum. The wire form is longer than the item as the service measures
it, so these are estimates from above; ConsumedCapacity settles them.
"""

from collections.abc import Iterable, Sized
from typing import Annotated

from msgspec import Meta, Struct

from dynaferry.limits import (
    BYTES_PER_READ_UNIT,
    BYTES_PER_WRITE_UNIT,
    EVENTUALLY_CONSISTENT_UNITS_PER_READ_UNIT,
    PAGE_MAX_ITEM_BYTES,
)

# Far above any request: what says more is not one of the service's, and would stop a pace for good.
MOST_UNITS_OF_A_RESPONSE = 1e7


class Consumed(Struct, frozen=True):
    """ConsumedCapacity as a response tells it; None where it is left open."""

    CapacityUnits: Annotated[float, Meta(ge=0, le=MOST_UNITS_OF_A_RESPONSE)] | None = 0.0


def total(parts: Iterable[Consumed]) -> float | None:
    """What they are together; None where one of them is left open."""
    units = [part.CapacityUnits for part in parts]
    known = [each for each in units if each is not None]
    return sum(known) if len(known) == len(units) else None


def write_units(items: Iterable[Sized]) -> int:
    """The write units of putting `items` (wire form), estimated from above, without indexes."""
    return -sum([-len(item) // BYTES_PER_WRITE_UNIT for item in items])


def full_page_read_units(*, consistent_read: bool) -> float:
    """The read units of a Scan page of 1 MB: 128, or 256 when read consistently."""
    units = PAGE_MAX_ITEM_BYTES / BYTES_PER_READ_UNIT
    return units if consistent_read else units * EVENTUALLY_CONSISTENT_UNITS_PER_READ_UNIT
