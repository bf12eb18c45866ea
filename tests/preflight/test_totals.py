import math

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import Estimate, estimate_copy
from dynaferry.preflight.totals import side_by_side, totals_of
from tests.worlds.described import described

TABLE = TablePlan("orders", "orders")
PLAN = CopyPlan(tables=(TABLE,))


def estimated(items: int = 1_000_000, plan: CopyPlan = PLAN) -> Estimate:
    source = described(item_count=items, size_bytes=items * 1024)
    return estimate_copy(plan, TABLE, source, source, total_segments=4096)


def test_one_at_a_time_takes_the_sum_and_all_at_once_the_longest() -> None:
    assert side_by_side([3.0, 1.0, 2.0], 1) == 6.0
    assert side_by_side([3.0, 1.0, 2.0], 3) == 3.0
    assert side_by_side([], 4) == 0.0


def test_the_longest_is_begun_first() -> None:
    assert side_by_side([1.0, 1.0, 1.0, 3.0], 2) == 3.0


@given(
    st.lists(st.floats(min_value=0, max_value=1e6), max_size=30),
    st.integers(min_value=1, max_value=64),
)
def test_it_is_never_less_than_the_longest_nor_than_a_fair_share(
    seconds: list[float], at_once: int
) -> None:
    took = side_by_side(seconds, at_once)
    longest, together = max(seconds, default=0.0), sum(seconds)
    assert took >= longest
    assert took >= together / at_once * (1 - 1e-9)
    # List scheduling, the longest first, is within a third of the best order.
    assert took <= max(longest, together / at_once) + longest + 1e-6


def test_a_cap_of_the_run_holds_over_all_tables() -> None:
    tables = tuple(TablePlan(f"table-{number}") for number in range(4))
    plan = CopyPlan(tables=tables, tables_at_once=4, max_write_units=1000.0)
    one = estimated(plan=plan)
    assert totals_of(plan, [one] * 4).seconds == 4 * one.write_units / 1000


def test_what_never_ends_has_no_end_in_total() -> None:
    assert math.isinf(side_by_side([1.0, math.inf], 2))


def test_the_totals_are_sums() -> None:
    one = estimated()
    plan = CopyPlan(tables=(TABLE, TablePlan("events")), tables_at_once=8)
    totals = totals_of(plan, [one, one])
    assert (totals.tables, totals.at_once, totals.items) == (2, 2, 2_000_000)
    assert totals.write_units == 2 * one.write_units
    assert totals.cost == 2 * (one.read_cost + one.write_cost)
