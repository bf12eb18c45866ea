import math
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.dynamodb.tables.description import (
    LEGACY_GLOBAL_TABLES,
    IndexDescription,
    OnDemandLimits,
    Replica,
    TableDescription,
    Throughput,
)
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import (
    SLOWER_SECONDS,
    Estimate,
    as_created,
    estimate_copy,
    segments_for,
)
from dynaferry.preflight.item_cost import units_to_read, units_to_write
from tests.worlds.described import BY_DATE, BY_EMAIL, described

TIB = 2**40
TABLE = TablePlan("orders", "orders")
TEBIBYTE_OF_1_KB_ITEMS = described(item_count=TIB // 1024, size_bytes=TIB)


def estimated(
    source: TableDescription,
    target: TableDescription | None = None,
    *,
    table: TablePlan = TABLE,
    total_segments: int = 256,
    **settings: Any,
) -> Estimate:
    plan = CopyPlan(tables=(table,), **settings)
    return estimate_copy(plan, table, source, target or described(), total_segments=total_segments)


def provisioned(read_units: int, write_units: int, **settings: Any) -> TableDescription:
    return described(
        billing_mode="PROVISIONED", provisioned=Throughput(read_units, write_units), **settings
    )


def test_a_tebibyte_of_1_kb_items_costs_671_dollars_to_write_and_17_to_read() -> None:
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS)
    assert estimate.write_units == 1_073_741_824
    assert estimate.write_cost == pytest.approx(671.09, abs=0.01)
    assert estimate.read_units == 134_217_728
    assert estimate.read_cost == pytest.approx(16.78, abs=0.01)
    assert estimate.average_item_bytes == 1024


def test_consistent_reads_cost_twice_as_much() -> None:
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, consistent_read=True)
    assert estimate.read_units == 268_435_456
    assert estimate.read_cost == pytest.approx(33.55, abs=0.01)


@pytest.mark.parametrize(
    ("item_bytes", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (400 * 1024, 400)]
)
def test_a_write_costs_one_unit_for_each_started_kilobyte(item_bytes: int, units: int) -> None:
    assert units_to_write(item_bytes) == units


@pytest.mark.parametrize(
    ("size_bytes", "consistent", "units"),
    [(0, False, 0), (1, False, 1), (1024 * 1024, False, 128), (1024 * 1024, True, 256)],
)
def test_a_full_page_costs_128_read_units_or_256(
    size_bytes: int, consistent: bool, units: int
) -> None:
    assert units_to_read(size_bytes, consistent=consistent) == units


def test_an_index_with_all_attributes_costs_as_much_as_the_item_and_others_one_unit() -> None:
    source = described(item_count=100, size_bytes=100 * 3000)
    keys_only = replace(BY_EMAIL, name="keys", projection="KEYS_ONLY")
    include = replace(BY_EMAIL, name="some", projection="INCLUDE")
    estimate = estimated(source, described(indexes=(BY_EMAIL, keys_only, include, BY_DATE)))
    assert [(cost.index.name, cost.units_per_item) for cost in estimate.index_costs] == [
        ("by_email", 3),
        ("keys", 1),
        ("some", 1),
        ("by_date", 1),
    ]
    assert estimate.write_units == 100 * (3 + 3 + 1 + 1 + 1)


def test_the_targets_indexes_count_and_the_sources_do_not() -> None:
    source = described(item_count=100, size_bytes=100_000, indexes=(BY_EMAIL,))
    assert estimated(source, described()).write_units == 100


def test_a_new_on_demand_table_is_taken_to_accept_4000_writes_a_second() -> None:
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS)
    assert estimate.write_units_per_second == 4000
    assert estimate.read_units_per_second == 12_000
    assert estimate.seconds == pytest.approx(1_073_741_824 / 4000 + SLOWER_SECONDS)
    assert estimate.bottleneck.reason == "new on-demand target"


def test_warm_throughput_is_taken_where_the_service_gives_it() -> None:
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, described(warm=Throughput(90_000, 30_000)))
    assert estimate.write_units_per_second == 30_000
    assert estimate.bottleneck.reason == "target warm write throughput"


def test_an_on_demand_limit_holds_where_it_is_lower_than_the_warm_throughput() -> None:
    target = described(warm=Throughput(90_000, 30_000), on_demand_limits=OnDemandLimits(None, 1000))
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, target)
    assert estimate.write_units_per_second == 1000
    assert estimate.bottleneck.reason == "target on-demand write limit"


def test_provisioned_units_are_the_rate_and_cost_nothing_extra() -> None:
    source = provisioned(500, 1, item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, provisioned(1, 100, warm=Throughput(12_000, 4000)))
    assert estimate.write_units_per_second == 100
    assert estimate.read_units_per_second == 250, "half of them: others live on the rest"
    assert estimate.seconds == 10 + SLOWER_SECONDS
    assert estimate.bottleneck.reason == "target write capacity"
    assert (estimate.read_cost, estimate.write_cost) == (0, 0)
    assert estimate.source_provisioned
    assert estimate.target_provisioned


def test_a_given_limit_holds_for_table_and_indexes_together() -> None:
    source = described(item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, described(indexes=(BY_EMAIL,)), max_write_units=100)
    assert estimate.write_units == 2000
    assert estimate.seconds == 20 + SLOWER_SECONDS
    assert estimate.bottleneck.reason == "--max-write-units as given"


def test_the_lower_of_the_runs_and_the_tables_limit_holds() -> None:
    table = TablePlan("orders", "orders", max_write_units=50, max_read_units=9)
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, table=table, max_write_units=100, max_read_units=5)
    assert (estimate.write_units_per_second, estimate.read_units_per_second) == (50, 5)


def test_a_given_limit_above_what_the_table_takes_changes_nothing() -> None:
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, max_write_units=1_000_000)
    assert estimate.write_units_per_second == 4000


def test_a_global_index_with_few_units_sets_the_pace() -> None:
    index = replace(BY_EMAIL, provisioned=Throughput(1, 10))
    source = described(item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, provisioned(1, 100, indexes=(index,)))
    assert estimate.seconds == 100 + SLOWER_SECONDS
    assert estimate.bottleneck.reason == "index by_email write capacity"


def test_a_local_index_is_paid_from_the_tables_units() -> None:
    source = described(item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, provisioned(1, 100, indexes=(BY_DATE,)))
    assert estimate.seconds == 20 + SLOWER_SECONDS


def test_a_slow_source_sets_the_time() -> None:
    source = provisioned(1, 1, item_count=1000, size_bytes=8 * 1024 * 1024)
    estimate = estimated(source)
    at_half = (1024 - 30) / 0.5  # all but what is taken at once
    assert estimate.seconds == at_half + SLOWER_SECONDS
    assert estimate.bottleneck.reason == "half of the source's read capacity"
    as_asked = estimated(source, max_read_units=2)
    assert as_asked.seconds == 1024 + SLOWER_SECONDS
    assert as_asked.bottleneck.reason == "source read capacity"


def test_what_is_read_at_once_takes_no_time() -> None:
    for units, items in ((1, 3), (5, 70)):
        source = provisioned(units, units, item_count=items, size_bytes=items * 1000)
        assert estimated(source, source).read_pace.seconds == 0.0


def test_a_segment_writes_no_faster_than_a_partition_takes() -> None:
    one = estimated(TEBIBYTE_OF_1_KB_ITEMS, total_segments=1)
    assert one.write_units_per_second == 1000
    assert one.bottleneck.reason == "1 segment writes to a partition each"
    assert estimated(TEBIBYTE_OF_1_KB_ITEMS, total_segments=4).write_units_per_second == 4000
    slow = estimated(TEBIBYTE_OF_1_KB_ITEMS, provisioned(1, 900), total_segments=1)
    assert slow.bottleneck.reason == "target write capacity"


def segments(
    source: TableDescription, target: TableDescription | None = None, **settings: Any
) -> int:
    return segments_for(CopyPlan(tables=(TABLE,), **settings), TABLE, source, target or described())


SMALL_ITEMS = described(item_count=100_000, size_bytes=100_000 * 200)


def test_a_small_table_has_eight_segments_for_each_partition_of_the_target() -> None:
    assert segments(SMALL_ITEMS) == 8 * 4, "a new on-demand table"
    assert segments(SMALL_ITEMS, described(warm=Throughput(24_000, 12_000))) == 8 * 12
    assert segments(SMALL_ITEMS, provisioned(1, 3000)) == 8 * 3
    assert segments(SMALL_ITEMS, provisioned(1, 10)) == 8


def test_a_small_table_has_no_more_segments_than_bring_something() -> None:
    target = described(warm=Throughput(24_000, 12_000))
    assert segments(described(item_count=500, size_bytes=500 * 200), target) == 5
    assert segments(described(item_count=70, size_bytes=70 * 200), target) == 1
    assert segments(described(item_count=40, size_bytes=40 * 10_000), target) == 4


def test_who_cannot_write_faster_needs_no_segments_for_it() -> None:
    target = described(warm=Throughput(24_000, 12_000))
    slow_index = replace(BY_EMAIL, provisioned=Throughput(1, 10))
    assert segments(SMALL_ITEMS, replace(target, indexes=(slow_index,))) == 8
    slow_source = provisioned(5, 5, item_count=100_000, size_bytes=100_000 * 200)
    assert segments(slow_source, target) == 8
    assert segments(SMALL_ITEMS, target, max_write_units=2000) == 16


def test_an_empty_table_has_no_more_segments_than_its_reads_can_pay() -> None:
    assert segments(described(), readers=32) == 32
    by_units = [segments(provisioned(units, 5), readers=32) for units in (1, 5, 100)]
    assert by_units == [1, 5, 32]


def test_a_number_of_segments_that_is_asked_for_is_taken() -> None:
    assert segments(SMALL_ITEMS, segments=7) == 7


def test_an_index_with_no_units_at_all_takes_for_ever() -> None:
    source = described(item_count=1, size_bytes=1)
    estimate = estimated(source, provisioned(0, 0))
    assert math.isinf(estimate.seconds)


def test_an_empty_table_takes_no_time_and_no_money() -> None:
    estimate = estimated(described())
    assert (estimate.seconds, estimate.read_units, estimate.write_units) == (0, 0, 0)
    assert (estimate.read_cost, estimate.write_cost, estimate.average_item_bytes) == (0, 0, 0)


def test_prices_name_their_source_and_date_unless_the_plan_gives_its_own() -> None:
    listed = estimated(TEBIBYTE_OF_1_KB_ITEMS)
    assert "us-east-1, on-demand, Standard class, as of 2026-09-29" in listed.prices
    given = estimated(
        TEBIBYTE_OF_1_KB_ITEMS, price_per_million_writes=1.0, price_per_million_reads=0.5
    )
    assert given.prices == (
        "$1 a million write units, $0.5 a million read units (as the plan says)"
    )
    assert given.write_cost == pytest.approx(1073.741824)
    assert given.read_cost == pytest.approx(67.108864)


def test_a_table_to_be_created_is_not_warm_and_has_the_sources_indexes() -> None:
    warm_index = IndexDescription(
        name="by_email",
        kind="GSI",
        keys=BY_EMAIL.keys,
        projection="ALL",
        warm=Throughput(90_000, 30_000),
    )
    source = described(
        item_count=1000,
        size_bytes=1000 * 1024,
        warm=Throughput(90_000, 30_000),
        indexes=(warm_index,),
    )
    estimate = estimated(source, as_created(source))
    assert estimate.write_units == 2000
    assert estimate.write_units_per_second == 4000


TWO_OTHERS = (Replica(region="eu-west-1"), Replica(region="eu-north-1"))


def test_each_replica_takes_every_write_again_and_its_index_entries_at_the_same_price() -> None:
    source = described(item_count=1_000_000, size_bytes=1_000_000 * 1024)
    alone = estimated(source, described(indexes=(BY_EMAIL,)))
    global_table = estimated(source, described(indexes=(BY_EMAIL,), replicas=TWO_OTHERS))
    assert (alone.write_units, alone.replicated_write_units) == (2_000_000, 0)
    assert (global_table.write_units, global_table.replicated_write_units) == (2_000_000, 4_000_000)
    assert global_table.write_cost == pytest.approx(3 * alone.write_cost)
    assert global_table.dollars_per_write_unit == pytest.approx(3 * alone.dollars_per_write_unit)
    assert global_table.seconds == alone.seconds  # nobody waits for the other replicas


def test_a_put_of_the_old_version_is_two_writes_in_each_region_and_takes_twice_as_long() -> None:
    source = described(item_count=10_000_000, size_bytes=10_000_000 * 1024)
    legacy = described(
        global_table_version=LEGACY_GLOBAL_TABLES, replicas=TWO_OTHERS, warm=Throughput(9, 1_000)
    )
    today = estimated(source, replace(legacy, global_table_version="2019.11.21"))
    found = estimated(source, legacy)
    assert (found.write_units, found.replicated_write_units) == (20_000_000, 40_000_000)
    assert found.write_pace.seconds == pytest.approx(2 * today.write_pace.seconds)
    assert found.write_cost == pytest.approx(60 * 0.625)
    assert found.dollars_per_write_unit == pytest.approx(6 * 0.625e-6)


def test_a_table_created_like_a_replica_is_none() -> None:
    source = described(replicas=TWO_OTHERS, global_table_version=LEGACY_GLOBAL_TABLES)
    created = as_created(source)
    assert (created.replicas, created.is_legacy_global) == ((), False)


def test_the_replicas_of_a_provisioned_target_cost_nothing_extra_either() -> None:
    source = described(item_count=1_000, size_bytes=1_000 * 1024)
    estimate = estimated(source, provisioned(10, 10, replicas=TWO_OTHERS))
    assert (estimate.replicated_write_units, estimate.write_cost) == (2_000, 0.0)
