"""The estimate of a copy: capacity units, time and money, from what DescribeTable says of a table.

Everything here follows from DescribeTable's item count and size, which are up to six hours old,
and from the average item: an estimate to plan by. Write units lean to the high side, since an index
costs nothing for the items that lack its key. Pure.
"""

import math
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dynaferry import limits
from dynaferry.dynamodb.tables.description import IndexDescription, TableDescription, Throughput
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.item_cost import (
    IndexCost,
    average_item_bytes,
    billed_for_each,
    costs_of_indexes,
    is_provisioned,
    puts_here,
    unit_price,
    units_to_read,
    units_to_write,
)
from dynaferry.preflight.segment_count import segment_count
from dynaferry.throttle.adaptive_limiter import first_units

PaceKind = Literal["provisioned", "warm", "new", "on-demand limit", "given", "segments"]
# At its beginning a copy finds out what the target takes, and at its end few segments are left,
# each of which writes to one partition. By the simulator (tests/preflight/test_small_tables.py)
# that costs so much, which of a small table is most of the time.
SLOWER_SECONDS = 3.0
SLOWER_SHARE = 2.0
# At most so much of what is provisioned is read unasked: others live on the rest.
POLITE_SHARE = 0.5


class ExpectedRate(Struct, frozen=True, kw_only=True):
    """The rate at which one place takes units: `units` of them, units a second, and the reason.

    `kind` is what sets the rate, and `index` the global index that it is of, None for the table.
    `units_at_once` are not waited for.
    """

    units: int
    units_per_second: float
    reason: str
    kind: PaceKind = "new"
    index: str | None = None
    units_at_once: float = 0.0

    @property
    def seconds(self) -> float:
        """The seconds that they take; infinite, where a table has no units at all."""
        units = max(0.0, self.units - self.units_at_once)
        if units == 0:
            return 0.0
        return units / self.units_per_second if self.units_per_second else math.inf


class Estimate(Struct, frozen=True, kw_only=True):
    """The estimate for one table.

    `write_units` includes what the target's indexes add; `replicated_write_units` is what the
    other replicas of a global table take, each as many, in its own Region. The two paces are those
    of the slowest place on each side, be it the table, an index or a given limit. Costs are US
    dollars for request units; 0 for a side whose capacity is provisioned, and so paid by the hour
    whether it is used or not.
    """

    items: int
    bytes: int
    average_item_bytes: float
    segments: int
    read_units: int
    write_units: int
    replicated_write_units: int = 0
    index_costs: tuple[IndexCost, ...]
    read_pace: ExpectedRate
    write_pace: ExpectedRate
    read_cost: float
    write_cost: float
    dollars_per_read_unit: float
    dollars_per_write_unit: float
    source_provisioned: bool
    target_provisioned: bool
    prices: str

    @property
    def read_units_per_second(self) -> float:
        """The assumed rate of the source."""
        return self.read_pace.units_per_second

    @property
    def write_units_per_second(self) -> float:
        """The assumed rate of the target."""
        return self.write_pace.units_per_second

    @property
    def bottleneck(self) -> ExpectedRate:
        """The slower side; the target's where both take as long."""
        return max(self.write_pace, self.read_pace, key=_seconds)

    @property
    def seconds(self) -> float:
        """The seconds of the copy at the assumed rates, with those in which it is slower."""
        seconds = max(self.read_pace.seconds, self.write_pace.seconds)
        return seconds + min(SLOWER_SECONDS, SLOWER_SHARE * seconds)


def segments_for(
    plan: CopyPlan, table: TablePlan, source: TableDescription, target: TableDescription
) -> int:
    """The number of segments of the table: by its size, and by the partitions of the target
    that it takes to copy as fast as both sides, their indexes and the given limits allow.
    """
    reads = _reads(plan, table, source)
    of_table, *of_indexes = _write_paces(target, source)
    given = _given("--max-write-units", of_table.units, plan.max_write_units, table.max_write_units)
    seconds = max(
        each.units / each.units_per_second if each.units_per_second else math.inf
        for each in (reads, of_table, *of_indexes, *((given,) if given else ()))
    )
    return segment_count(
        size_bytes=source.size_bytes,
        item_count=source.item_count,
        readers=plan.readers,
        requested=table.segments or plan.segments,
        write_units_per_second=of_table.units / seconds if seconds else 0.0,
        read_units_per_second=reads.units_per_second,
    )


def estimate_copy(
    plan: CopyPlan,
    table: TablePlan,
    source: TableDescription,
    target: TableDescription,
    *,
    total_segments: int,
) -> Estimate:
    """The estimate for one table by itself; tables copied at the same time share the run's limits.

    `target` is the table that will be written, or, where it is still to be created, `as_created`.
    """
    average = average_item_bytes(source)
    read_price = unit_price(source, plan.price_per_million_reads)
    write_price = unit_price(target, plan.price_per_million_writes)
    read_pace = _reads(plan, table, source)
    paces = _write_paces(target, source)
    write_units = sum(pace.units for pace in paces)
    replicated = write_units * len(target.replicas)
    paces[0] = _by_segments(paces[0], total_segments)
    given = _given("--max-write-units", write_units, plan.max_write_units, table.max_write_units)
    return Estimate(
        items=source.item_count,
        bytes=source.size_bytes,
        average_item_bytes=average,
        segments=total_segments,
        read_units=read_pace.units,
        write_units=write_units,
        replicated_write_units=replicated,
        index_costs=costs_of_indexes(target, average),
        read_pace=read_pace,
        write_pace=_slowest(paces, given=given),
        read_cost=read_pace.units * read_price,
        write_cost=(write_units + replicated) * write_price,
        dollars_per_read_unit=read_price,
        dollars_per_write_unit=write_price * billed_for_each(target),
        source_provisioned=is_provisioned(source),
        target_provisioned=is_provisioned(target),
        prices=_prices(plan),
    )


def polite_read_units(source: TableDescription) -> float:
    """The read units a second that a copy takes by default: half of what is provisioned.

    No table has 0 units: what says so, as stand-ins do, has not said what it takes.
    """
    units = 0 if source.provisioned is None else source.provisioned.read_units
    return POLITE_SHARE * units if units > 0 else math.inf


def _reads(plan: CopyPlan, table: TablePlan, source: TableDescription) -> ExpectedRate:
    """The reads of the table, at the rate that was asked for or at a polite one."""
    units = units_to_read(source.size_bytes, consistent=plan.consistent_read)
    given = _given("--max-read-units", units, plan.max_read_units, table.max_read_units)
    pace = _read_pace(source, units)
    polite = polite_read_units(source)
    if given is None and polite < math.inf:
        pace = replace(
            pace,
            units_per_second=polite,
            reason="half of the source's read capacity",
            units_at_once=first_units(polite),
        )
    return _slowest([pace], given=given)


def _by_segments(pace: ExpectedRate, segments: int) -> ExpectedRate:
    """Each segment under way writes to one partition of the target at a time."""
    rate = segments * limits.PARTITION_WRITE_UNITS
    if rate >= pace.units_per_second:
        return pace
    several = "1 segment writes" if segments == 1 else f"{segments} segments write"
    return replace(
        pace,
        units_per_second=rate,
        kind="segments",
        reason=f"{several} to a partition each",
    )


def _write_paces(target: TableDescription, source: TableDescription) -> list[ExpectedRate]:
    """The table, which pays for its local indexes too, and each global index by itself.

    One that is short of units slows down the whole table [DG:gsi-throttling].
    """
    items, average = source.item_count, average_item_bytes(source)
    items *= puts_here(target)
    per_item = units_to_write(average)
    paces = []
    for cost in costs_of_indexes(target, average):
        if cost.index.kind == "LSI":
            per_item += cost.units_per_item
            continue
        pace = _write_pace(cost.index, f"index {cost.index.name}", items * cost.units_per_item)
        paces.append(replace(pace, index=cost.index.name))
    return [_write_pace(target, "target", items * per_item), *paces]


def _write_pace(
    described: TableDescription | IndexDescription, what: str, units: int
) -> ExpectedRate:
    limit = described.on_demand_limits
    return _pace(
        units,
        what,
        "write",
        provisioned=_write_side(described.provisioned),
        warm=_write_side(described.warm),
        on_demand_limit=limit.write_units if limit else None,
        fresh=limits.NEW_ON_DEMAND_WRITE_UNITS,
    )


def _write_side(throughput: Throughput | None) -> int | None:
    return throughput.write_units if throughput else None


def _read_pace(source: TableDescription, units: int) -> ExpectedRate:
    limit = source.on_demand_limits
    return _pace(
        units,
        "source",
        "read",
        provisioned=source.provisioned.read_units if source.provisioned else None,
        warm=source.warm.read_units if source.warm else None,
        on_demand_limit=limit.read_units if limit else None,
        fresh=limits.NEW_ON_DEMAND_READ_UNITS,
    )


def _pace(
    units: int,
    what: str,
    unit: str,
    *,
    provisioned: int | None,
    warm: int | None,
    on_demand_limit: int | None,
    fresh: int,
) -> ExpectedRate:
    """The units a second that a table or index takes, and how that is known."""
    kind: PaceKind = "new"
    rate, reason = fresh, f"new on-demand {what}"
    if warm is not None:
        kind, rate, reason = "warm", warm, f"{what} warm {unit} throughput"
    if on_demand_limit is not None and on_demand_limit < rate:
        kind, rate = "on-demand limit", on_demand_limit
        reason = f"{what} on-demand {unit} limit"
    if provisioned is not None:
        kind, rate, reason = "provisioned", provisioned, f"{what} {unit} capacity"
    return ExpectedRate(units=units, units_per_second=rate, reason=reason, kind=kind)


def _given(flag: str, units: int, *given: float | None) -> ExpectedRate | None:
    """The limit that was given, for the run or for the table: the lower one."""
    rates = [rate for rate in given if rate is not None]
    if not rates:
        return None
    return ExpectedRate(
        units=units, units_per_second=min(rates), reason=f"{flag} as given", kind="given"
    )


def _slowest(paces: Iterable[ExpectedRate], *, given: ExpectedRate | None) -> ExpectedRate:
    """The pace that takes longest; a given limit is named first where it ties."""
    candidates = [*paces] if given is None else [given, *paces]
    return max(candidates, key=_seconds)


def _seconds(pace: ExpectedRate) -> float:
    return pace.seconds


def _prices(plan: CopyPlan) -> str:
    writes, reads = plan.price_per_million_writes, plan.price_per_million_reads
    listed = (limits.PRICE_PER_MILLION_WRITES, limits.PRICE_PER_MILLION_READS)
    origin = f"{limits.PRICES_FOR}, as of {limits.PRICES_AS_OF}; check yours"
    if (writes, reads) != listed:
        origin = "as the plan says"
    return f"${writes:g} a million write units, ${reads:g} a million read units ({origin})"


def as_created(source: TableDescription) -> TableDescription:
    """The description of a table created like `source`, as far as an estimate needs it.

    A new on-demand table is not warm, however warm the source is; nor are its indexes.
    """
    return replace(
        source,
        warm=None,
        replicas=(),
        global_table_version=None,
        replicates_at_once=False,
        indexes=tuple(replace(index, warm=None) for index in source.indexes),
    )
