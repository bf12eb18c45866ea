from msgspec.structs import replace

from dynaferry.dynamodb.tables.description import Replica, TableDescription, Throughput
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import as_created, estimate_copy
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.lines import estimate_lines, render_estimate, render_total
from tests.worlds.described import BY_EMAIL, described

TABLE = TablePlan("orders", "copy")


def seen(source: TableDescription, target: TableDescription | None) -> TablePreflight:
    estimate = estimate_copy(
        CopyPlan(tables=(TABLE,)), TABLE, source, target or as_created(source), total_segments=4096
    )
    return TablePreflight(
        table=TABLE,
        source=source,
        target=target,
        total_segments=4096,
        estimate=estimate,
        notices=("mind the gap",),
    )


def test_a_large_table_is_estimated_in_units_time_and_money() -> None:
    source = described(item_count=2**30, size_bytes=2**40)
    target = described("copy", account="222222222222", indexes=(BY_EMAIL,))
    assert render_estimate(seen(source, target)) == [
        "orders (123456789012, us-east-1) -> copy (222222222222, us-east-1)",
        "  1,073,741,824 items, 1.0 TB, 1,024 bytes on average, in 4,096 segments",
        "  reads: about 134,217,728 units at 12,000 a second, "
        "what a new on-demand table takes at once (source)",
        "  writes: about 2,147,483,648 units at 4,000 a second, "
        "what a new on-demand table takes at once (target)",
        "    of them GSI by_email (ALL): 1 unit a write; less where items lack its key",
        "  time: about 3d 02h at these rates; set by "
        "what a new on-demand table takes at once (target)",
        "  cost: reads about $16.78, writes about $1,342.18",
        "  prices: $0.625 a million write units, $0.125 a million read units "
        "(us-east-1, on-demand, Standard class, as of 2026-09-29; check yours)",
        "  - mind the gap",
    ]


def test_what_the_replicas_take_has_a_line() -> None:
    source = described(item_count=7, size_bytes=700)
    lines = render_estimate(seen(source, described(replicas=(Replica(region="eu-west-1"),))))
    assert "    and 7 in the Regions of the target's replicas" in lines
    assert not any("replicas" in line for line in render_estimate(seen(source, source)))


def test_a_table_to_be_created_says_so() -> None:
    assert render_estimate(seen(described(), None))[0] == (
        "orders (123456789012, us-east-1) -> copy (to be created)"
    )


def test_provisioned_capacity_is_said_to_cost_nothing_extra() -> None:
    provisioned = described(
        item_count=7, size_bytes=700, billing_mode="PROVISIONED", provisioned=Throughput(5, 5)
    )
    lines = render_estimate(seen(provisioned, provisioned))
    assert "  7 items, 700 bytes, 100 bytes on average, in 4,096 segments" in lines
    assert (
        "  cost: reads nothing extra (provisioned capacity is paid by the hour), "
        "writes nothing extra (provisioned capacity is paid by the hour)"
    ) in lines


def test_half_a_unit_a_second_is_not_none() -> None:
    one_unit = described(
        item_count=7, size_bytes=700, billing_mode="PROVISIONED", provisioned=Throughput(1, 1)
    )
    assert (
        "  reads: about 1 units at 0.5 a second, half of the source's provisioned read units"
        in render_estimate(seen(one_unit, one_unit))
    )


def test_a_table_without_any_units_is_said_never_to_end() -> None:
    source = described(item_count=1, size_bytes=3 * 1024 * 1024)
    target = replace(source, billing_mode="PROVISIONED", provisioned=Throughput(0, 0))
    lines = render_estimate(seen(source, target))
    assert (
        "  time: it will not end: 0 units a second, the target's provisioned write units" in lines
    )
    assert "3.0 MB" in lines[1]


def test_one_segment_is_not_many() -> None:
    source = described()
    one = estimate_copy(CopyPlan(tables=(TABLE,)), TABLE, source, source, total_segments=1)
    assert estimate_lines(one)[0].endswith(" in 1 segment")


def test_several_tables_are_added_up() -> None:
    one = seen(described(item_count=1000, size_bytes=1024 * 1024), None).estimate
    assert render_total([one, one]) == (
        "total: 2 tables, 2,000 items, 2.0 MB, about 256 read and 4,000 write units, $0.00"
    )
