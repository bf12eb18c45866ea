import math
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.dynamodb.descriptions import (
    IndexDescription,
    OnDemandLimits,
    TableDescription,
    Throughput,
)
from dynaferry.estimate import Estimate, as_created, estimate_copy, units_to_read, units_to_write
from dynaferry.plan import CopyPlan, TablePlan
from tests.described import BY_DATE, BY_EMAIL, described

TIB = 2**40
TABLE = TablePlan("orders", "orders")
TEBIBYTE_OF_1_KB_ITEMS = described(item_count=TIB // 1024, size_bytes=TIB)


def estimated(
    source: TableDescription,
    target: TableDescription | None = None,
    *,
    table: TablePlan = TABLE,
    **settings: Any,
) -> Estimate:
    plan = CopyPlan(tables=(table,), **settings)
    return estimate_copy(plan, table, source, target or described(), total_segments=8)


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
    assert estimate.seconds == pytest.approx(1_073_741_824 / 4000)
    assert estimate.rate_reason == "what a new on-demand table takes at once (target)"


def test_warm_throughput_is_taken_where_the_service_tells_it() -> None:
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, described(warm=Throughput(90_000, 30_000)))
    assert estimate.write_units_per_second == 30_000
    assert estimate.rate_reason == "the target's warm write throughput"


def test_an_on_demand_limit_holds_where_it_is_lower_than_the_warm_throughput() -> None:
    target = described(warm=Throughput(90_000, 30_000), on_demand_limits=OnDemandLimits(None, 1000))
    estimate = estimated(TEBIBYTE_OF_1_KB_ITEMS, target)
    assert estimate.write_units_per_second == 1000
    assert estimate.rate_reason == "the target's on-demand write limit"


def test_provisioned_units_are_the_rate_and_cost_nothing_extra() -> None:
    source = provisioned(500, 1, item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, provisioned(1, 100, warm=Throughput(12_000, 4000)))
    assert estimate.write_units_per_second == 100
    assert estimate.read_units_per_second == 500
    assert estimate.seconds == 10
    assert estimate.rate_reason == "the target's provisioned write units"
    assert (estimate.read_cost, estimate.write_cost) == (0, 0)
    assert estimate.source_provisioned
    assert estimate.target_provisioned


def test_a_given_limit_holds_for_table_and_indexes_together() -> None:
    source = described(item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, described(indexes=(BY_EMAIL,)), max_write_units=100)
    assert estimate.write_units == 2000
    assert estimate.seconds == 20
    assert estimate.rate_reason == "--max-write-units as given"


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
    assert estimate.seconds == 100
    assert estimate.rate_reason == "the index by_email's provisioned write units"


def test_a_local_index_is_paid_from_the_tables_units() -> None:
    source = described(item_count=1000, size_bytes=1000 * 1024)
    estimate = estimated(source, provisioned(1, 100, indexes=(BY_DATE,)))
    assert estimate.seconds == 20


def test_a_slow_source_sets_the_time() -> None:
    source = provisioned(1, 1, item_count=1000, size_bytes=8 * 1024 * 1024)
    estimate = estimated(source)
    assert estimate.seconds == 1024
    assert estimate.rate_reason == "the source's provisioned read units"


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
