"""What all tables of a plan take together, several side by side. Pure."""

import heapq
import math
from collections.abc import Sequence

from msgspec import Struct

from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.estimate import Estimate


class Totals(Struct, frozen=True, kw_only=True):
    """The sums over all tables, and the seconds that all of them take; infinite without an end."""

    tables: int
    at_once: int
    items: int
    bytes: int
    read_units: int
    write_units: int
    seconds: float
    cost: float


def totals_of(plan: CopyPlan, estimates: Sequence[Estimate]) -> Totals:
    """The totals of these tables, copied as the plan says."""
    at_once = min(plan.tables_at_once, len(estimates))
    read_units = sum(estimate.read_units for estimate in estimates)
    write_units = sum(estimate.write_units for estimate in estimates)
    return Totals(
        tables=len(estimates),
        at_once=at_once,
        items=sum(estimate.items for estimate in estimates),
        bytes=sum(estimate.bytes for estimate in estimates),
        read_units=read_units,
        write_units=write_units,
        seconds=max(
            side_by_side([estimate.seconds for estimate in estimates], at_once),
            _under_cap(read_units, plan.max_read_units),
            _under_cap(write_units, plan.max_write_units),
        ),
        cost=sum(estimate.read_cost + estimate.write_cost for estimate in estimates),
    )


def side_by_side(seconds: Sequence[float], at_once: int) -> float:
    """How long it takes when so many are under way at once, the longest begun first."""
    free_at = [0.0] * max(1, at_once)
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + each)
    return max(free_at)


def _under_cap(units: int, cap: float | None) -> float:
    """A cap of the run holds over all tables, however many are copied at once."""
    if cap is None or not units:
        return 0.0
    return units / cap if cap else math.inf
