"""What one item costs: capacity units to read and to write it, and the price of a unit. Pure."""

import math

from msgspec import Struct

from dynaferry import limits
from dynaferry.dynamodb.tables.description import IndexDescription, TableDescription


class IndexCost(Struct, frozen=True, kw_only=True):
    """The cost of one index: units added to each write of an average item that has its key."""

    index: IndexDescription
    units_per_item: int


def average_item_bytes(source: TableDescription) -> float:
    """The size of an average item, as the service counts; 0 where it counts none."""
    return source.size_bytes / source.item_count if source.item_count else 0.0


def is_provisioned(table: TableDescription) -> bool:
    """Whether its capacity is paid by the hour, used or not."""
    return table.billing_mode == "PROVISIONED"


def unit_price(table: TableDescription, price_per_million: float) -> float:
    """US dollars for one more unit of the table: none where its capacity is provisioned."""
    return 0.0 if is_provisioned(table) else price_per_million / 1e6


def units_to_read(size_bytes: int, *, consistent: bool) -> int:
    """The read units for scanning `size_bytes` of items [DG:read-write-operations]."""
    factor = 1.0 if consistent else limits.EVENTUALLY_CONSISTENT_UNITS_PER_READ_UNIT
    return math.ceil(size_bytes / limits.BYTES_PER_READ_UNIT * factor)


def units_to_write(item_bytes: float) -> int:
    """The write units for one item of this size: one per started KB [DG:read-write-operations]."""
    return max(1, math.ceil(item_bytes / limits.BYTES_PER_WRITE_UNIT))


def puts_here(target: TableDescription) -> int:
    """The writes that one put becomes in the table's own Region.

    Version 2017.11.29 of global tables sets its attributes by a second [DG:V2globaltables_upgrade].
    """
    return 2 if target.is_legacy_global else 1


def billed_for_each(target: TableDescription) -> int:
    """The units that are billed, in all Regions, for each that the table's responses count.

    Each replica takes every write once more, at the same price [DG:global-tables-billing].
    """
    return puts_here(target) * (1 + len(target.replicas))


def _index_cost(index: IndexDescription, average: float) -> IndexCost:
    """An entry with all attributes is as long as the item; a smaller one is taken for one unit."""
    whole = index.projection == "ALL"
    return IndexCost(index=index, units_per_item=units_to_write(average) if whole else 1)


def costs_of_indexes(target: TableDescription, average: float) -> tuple[IndexCost, ...]:
    """What each index of the target adds to a write of an item of this size."""
    return tuple(_index_cost(index, average) for index in target.indexes)
