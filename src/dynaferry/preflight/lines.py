"""The lines of a preflight for people: the tables, the estimate, the notices."""

import math
from collections.abc import Sequence

from msgspec.structs import replace

from dynaferry.observe.formatting import count, duration, place
from dynaferry.preflight.bottleneck import per_second
from dynaferry.preflight.estimate import Estimate, ExpectedRate
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.item_cost import IndexCost


def render_estimate(preflight: TablePreflight) -> list[str]:
    """One table's lines: a heading, the estimate, then the notices, each marked by a dash."""
    there = preflight.target
    target = place(there.arn) if there else f"{preflight.table.target} (to be created)"
    return [
        f"{place(preflight.source.arn)} -> {target}",
        *(f"  {line}" for line in estimate_lines(preflight.estimate)),
        *(f"  - {notice}" for notice in preflight.notices),
    ]


def render_move(
    preflight: TablePreflight, following: Sequence[str], notices: Sequence[str]
) -> list[str]:
    """The same for a table that is moved, with what following it takes."""
    heading, *rest = render_estimate(replace(preflight, notices=()))
    return [
        heading,
        *rest,
        *(f"  {line}" for line in following),
        *(f"  - {notice}" for notice in notices),
    ]


def render_total(estimates: Sequence[Estimate]) -> str:
    """The line below several tables: what all of them take together."""
    items, size, reads, writes = (
        sum(getattr(estimate, name) for estimate in estimates)
        for name in ("items", "bytes", "read_units", "write_units")
    )
    cost = sum(estimate.read_cost + estimate.write_cost for estimate in estimates)
    return (
        f"total: {len(estimates)} tables, {count(items)} items, {_size(size)}, about "
        f"{count(reads)} read and {count(writes)} write units, ${cost:,.2f}"
    )


def estimate_lines(estimate: Estimate) -> list[str]:
    """The estimate as plain lines for people."""
    return [
        f"{count(estimate.items)} items, {_size(estimate.bytes)}, "
        f"{count(estimate.average_item_bytes)} bytes on average, in "
        f"{count(estimate.segments)} segment{'' if estimate.segments == 1 else 's'}",
        _side_line("reads", estimate.read_pace, estimate.read_units),
        _side_line("writes", estimate.write_pace, estimate.write_units),
        *(_index_line(cost) for cost in estimate.index_costs),
        *_replica_lines(estimate),
        f"time: {_time(estimate)}",
        f"cost: {_cost(estimate)}",
        f"prices: {estimate.prices}",
    ]


def _side_line(what: str, pace: ExpectedRate, units: int) -> str:
    line = f"{what}: about {count(units)} units at {per_second(pace)} a second"
    return f"{line}, {pace.reason}"


def _index_line(cost: IndexCost) -> str:
    index = cost.index
    units = "unit" if cost.units_per_item == 1 else "units"
    return (
        f"  of them {index.kind} {index.name} ({index.projection}): {cost.units_per_item} {units} "
        "a write; less where items lack its key"
    )


def _replica_lines(estimate: Estimate) -> list[str]:
    units = estimate.replicated_write_units
    return [f"  and {count(units)} in the Regions of the target's replicas"] if units else []


def _time(estimate: Estimate) -> str:
    if math.isinf(estimate.seconds):
        return f"it will not end: 0 units a second, {estimate.rate_reason}"
    return f"about {duration(estimate.seconds)} at these rates; set by {estimate.rate_reason}"


def _cost(estimate: Estimate) -> str:
    reads = _side_cost(estimate.read_cost, provisioned=estimate.source_provisioned)
    writes = _side_cost(estimate.write_cost, provisioned=estimate.target_provisioned)
    return f"reads {reads}, writes {writes}"


def _side_cost(cost: float, *, provisioned: bool) -> str:
    if provisioned:
        return "nothing extra (provisioned capacity is paid by the hour)"
    return f"about ${cost:,.2f}"


def _size(size_bytes: int) -> str:
    """Bytes in the unit that keeps the number short, as the service counts: 1 KB is 1,024."""
    size = float(size_bytes)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:,.0f} bytes" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TB"
