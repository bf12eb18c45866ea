"""What following costs a day, by the service's prices."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.tables.description import (
    LEGACY_GLOBAL_TABLES,
    Replica,
    TableDescription,
    Throughput,
)
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import estimate_copy
from dynaferry.preflight.following import (
    FollowingCost,
    cost_line,
    following_cost,
    has_new_images,
    keeps_up,
)
from tests.worlds.described import BY_DATE, BY_EMAIL, described

PLAN = CopyPlan(tables=(TablePlan("orders", "orders"),))
PROVISIONED: dict[str, Any] = {"billing_mode": "PROVISIONED", "provisioned": Throughput(100, 100)}


def of_items(size: int, **settings: Any) -> TableDescription:
    return described(item_count=10, size_bytes=10 * size, **settings)


def cost(
    source: TableDescription | None = None,
    target: TableDescription | None = None,
    *,
    changes: float = 2_000,
    shards: int = 16,
    plan: CopyPlan = PLAN,
) -> FollowingCost:
    source = source or of_items(1024)
    return following_cost(plan, source, target or source, changes_per_second=changes, shards=shards)


def test_2000_changes_a_second_of_1_kb_cost_108_dollars_a_day_in_writes() -> None:
    found = cost()
    assert found.target_writes == pytest.approx(108.0)
    assert found.write_units_per_change == 1
    assert found.reads_again == 0.0


def test_16_busy_shards_are_read_for_under_two_dollars_a_day_and_idle_ones_for_a_fifth() -> None:
    assert cost().stream_reads == pytest.approx(16 * 5 * 86_400 * 0.2e-6, rel=1e-3)
    assert cost(changes=0).stream_reads == pytest.approx(16 * 86_400 * 0.2e-6)
    assert cost(changes=0).target_writes == 0.0


def test_indexes_and_large_items_take_more_units_for_each_change() -> None:
    large = of_items(2_500, indexes=(BY_EMAIL, BY_DATE))
    found = cost(large, large)
    assert found.write_units_per_change == 3 + 3 + 1  # the item, an index of all, one of keys
    assert found.target_writes == pytest.approx(7 * 108.0)


def test_each_change_is_written_in_every_region_and_twice_there_by_the_old_version() -> None:
    source, replicas = of_items(1024), (Replica(region="eu-west-1"), Replica(region="us-west-2"))
    found = cost(source, of_items(1024, replicas=replicas))
    assert found.target_writes == pytest.approx(3 * 108.0)
    assert found.write_units_per_change == 1  # in the target's own Region
    legacy = of_items(1024, replicas=replicas, global_table_version=LEGACY_GLOBAL_TABLES)
    found = cost(source, legacy)
    assert found.target_writes == pytest.approx(6 * 108.0)
    assert found.write_units_per_change == 2


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_without_new_images_each_change_is_read_again_consistently(view: str) -> None:
    found = cost(of_items(5_000, stream_view_type=view))
    assert found.reads_again == pytest.approx(2_000 * 86_400 * 2 * 0.125e-6)
    assert not has_new_images(of_items(1, stream_view_type=view))
    assert has_new_images(of_items(1, stream_view_type="NEW_AND_OLD_IMAGES"))
    assert has_new_images(of_items(1))  # that of a stream which is still to be enabled


def test_what_is_provisioned_costs_nothing_more() -> None:
    table = of_items(1024, stream_view_type="KEYS_ONLY", **PROVISIONED)
    found = cost(table, table)
    assert (found.target_writes, found.reads_again) == (0.0, 0.0)
    assert found.total == found.stream_reads > 0


def test_the_plans_prices_are_used() -> None:
    plan = CopyPlan(tables=PLAN.tables, price_per_million_writes=1.25)
    assert cost(plan=plan).target_writes == pytest.approx(216.0)


@given(
    changes=st.floats(0, 1e5),
    more=st.floats(0, 1e5),
    shards=st.integers(1, 1_000),
    size=st.integers(0, 400_000),
)
def test_more_changes_never_cost_less(changes: float, more: float, shards: int, size: int) -> None:
    table = of_items(size, stream_view_type="KEYS_ONLY")
    few = cost(table, changes=changes, shards=shards)
    many = cost(table, changes=changes + more, shards=shards)
    for name in ("target_writes", "stream_reads", "reads_again"):
        assert 0 <= getattr(few, name) <= getattr(many, name) * (1 + 1e-9)
    per_shard = few.stream_reads / shards / 86_400 / 0.2e-6
    assert 1 - 1e-9 <= per_shard <= 5 + 1e-9


def test_the_line_says_the_rate_the_sum_and_what_it_is_made_of() -> None:
    assert cost_line([cost()]) == (
        "at 2,000 changes a second about $109.38 a day (writes to the target $108.00, reads of "
        "the stream $1.38)"
    )
    again = cost_line([cost(of_items(5_000, stream_view_type="KEYS_ONLY"))])
    assert "items read again from the source $43.20" in again
    assert cost_line([cost(), cost()]).startswith("at 4,000 changes a second about $218.76")
    assert cost_line([cost(changes=1)]).startswith("at 1 change a second")
    assert cost_line([cost(changes=0.25)]).startswith("at 0.2 changes a second")


def test_changes_that_alone_are_more_than_a_cap_are_announced_beforehand() -> None:
    table = of_items(1024, table_class="STANDARD")
    capped = CopyPlan(tables=PLAN.tables, max_write_units=500.0)
    estimate = estimate_copy(capped, capped.tables[0], table, table, total_segments=64)
    (notice,) = keeps_up(cost(changes=501), estimate)
    assert "501 write units a second" in notice
    assert "--max-write-units as given" in notice
    assert "will not catch up" in notice
    assert list(keeps_up(cost(changes=500), estimate)) == []


def test_a_target_that_grows_by_itself_is_no_reason_to_warn() -> None:
    table = of_items(1024)
    estimate = estimate_copy(PLAN, PLAN.tables[0], table, table, total_segments=64)
    assert list(keeps_up(cost(changes=9_000), estimate)) == []
