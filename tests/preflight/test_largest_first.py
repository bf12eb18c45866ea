"""Which tables are begun first: those that take longest, so that all are done when these are."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import estimate_copy
from dynaferry.preflight.inspection import TablePreflight, largest_first
from dynaferry.verify import preflight as verification
from tests.worlds.described import described

PLAN = CopyPlan(tables=(TablePlan("orders", "orders"),))


def seen(source: TableDescription, target: TableDescription | None = None) -> TablePreflight:
    table = TablePlan(source.name, source.name)
    there = target or described(source.name, account="222222222222")
    return TablePreflight(
        table=table,
        source=source,
        target=there,
        total_segments=64,
        estimate=estimate_copy(PLAN, table, source, there, total_segments=64),
        notices=(),
    )


def filled(name: str, items: int, **settings: Any) -> TableDescription:
    return described(name, item_count=items, size_bytes=items * 300, **settings)


def test_the_table_that_takes_longest_is_begun_first() -> None:
    sizes = {"events": 55_000_000, "empty": 0, "users": 2_000_000, "carts": 900}
    checked = [seen(filled(name, items)) for name, items in sizes.items()]
    begun = [checked[number].table.source_name for number in largest_first(checked)]
    assert begun == ["events", "users", "carts", "empty"]


def test_a_small_table_that_its_target_slows_down_goes_before_a_larger_one() -> None:
    slow = described("slow", account="222222222222", provisioned=Throughput(5, 5))
    checked = [seen(filled("large", 1_000_000)), seen(filled("slow", 100_000), slow)]
    assert largest_first(checked) == [1, 0]


@given(st.lists(st.integers(0, 10**9), max_size=12))
def test_each_is_begun_once_and_equal_ones_in_the_order_of_the_plan(sizes: list[int]) -> None:
    checked = [seen(filled("orders", items)) for items in sizes]
    order = largest_first(checked)
    assert order == sorted(range(len(sizes)), key=lambda number: (-sizes[number], number))


def test_comparisons_begin_with_the_largest_source() -> None:
    pairs = [
        verification.TablePair(
            table=TablePlan("orders", "orders"),
            source=filled("orders", items),
            target=described("orders"),
            total_segments=8,
        )
        for items in (5, 70, 6)
    ]
    assert verification.largest_first(pairs) == [1, 2, 0]
