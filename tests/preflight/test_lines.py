"""What people read of a dry run: whole, in a terminal of 80 columns."""

from msgspec.structs import replace

from dynaferry.dynamodb.tables.description import Replica, TableDescription, Throughput
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import as_created, estimate_copy
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.lines import dry_run_lines, opening_lines, seen_tables
from dynaferry.preflight.notice import Notice, after, note, warning
from dynaferry.preflight.notices import WRITES_DURING_COPY
from dynaferry.preflight.totals import totals_of
from tests.worlds.described import BY_EMAIL, described

TABLE = TablePlan("orders", "copy")


def seen(
    source: TableDescription,
    target: TableDescription | None,
    *notices: Notice,
    table: TablePlan = TABLE,
) -> TablePreflight:
    estimate = estimate_copy(
        CopyPlan(tables=(table,)), table, source, target or as_created(source), total_segments=4096
    )
    return TablePreflight(
        table=table,
        source=source,
        target=target,
        total_segments=4096,
        estimate=estimate,
        notices=notices,
    )


def lines_of(*tables: TablePreflight, width: int | None = 80, at_once: int = 4) -> list[str]:
    plan = CopyPlan(tables=tuple(each.table for each in tables), tables_at_once=at_once)
    totals = totals_of(plan, [each.estimate for each in tables])
    return dry_run_lines(seen_tables(tables), totals, width=width)


def test_a_large_table_is_estimated_in_units_time_and_money() -> None:
    source = described(item_count=2**30, size_bytes=2**40)
    target = described("copy", account="222222222222", indexes=(BY_EMAIL,))
    lines = lines_of(seen(source, target, warning("mind the gap")))
    assert (
        "\n".join(lines)
        == """\
123456789012 us-east-1 → 222222222222 us-east-1
table                 items    size    time       cost  bottleneck     verdict
or…rs → copy  1,073,741,824  1.0 TB  3d 02h  $1,358.95  target…ughput  1 warning
  segments  4,096, of items of 1,024 bytes on average
  reads     about 134,217,728 RCU at 12,000 RCU/s: new on-demand source
  writes    about 2,147,483,648 WCU at 4,000 WCU/s: new on-demand target
            of them GSI by_email (ALL): 1 unit a write; less where items lack
            its key
warnings
  - mind the gap
prices: $0.625 a million write units, $0.125 a million read units (us-east-1,
  on-demand, Standard class, as of 2026-09-29; check yours)
cost: about $1,358.95
time: about 3d 02h, at these rates
ready; the same command without --dry-run begins"""
    )


def test_eight_tables_fit_into_a_screen_of_80_columns() -> None:
    assert (
        "\n".join(lines_of(*eight()))
        == """\
123456789012 us-east-1 → 222222222222 us-east-1
table                items      size    time   cost  bottleneck       verdict
prod-orders     55,000,000   46.1 GB  2h 32m  $0.76  target capacity  ready
prod-customers   1,200,000    1.0 GB  3m 23s  $0.02  target capacity  1 warning
prod-events        870,850  747.5 MB  2m 28s  $0.01  target capacity  ready
prod-audit          30,000   25.7 MB      8s  $0.00  target capacity  ready
prod-sessions        9,000    7.7 MB      4s  $0.00  target capacity  ready
prod-carts             400  351.6 KB     <1s  $0.00  target capacity  ready
prod-stock               3    2.6 KB     <1s  $0.00  target capacity  ready
prod-prices              0   0 bytes      0s  $0.00  target capacity  ready
total           57,110,253   47.9 GB  2h 32m  $0.78                   8 tables
warnings
  - changes made during the copy may be missed: stop the writers first, or
    verify afterwards
  - prod-customers: the target's GSI by_date asks for date (N), which no key of
    the source promises: items where it is of another type, or empty, will be
    rejected
notes
  - prod-carts: the target is UPDATING
after the copy (its summary prints the commands)
  - the source has point-in-time recovery
prices: $0.625 a million write units, $0.125 a million read units (us-east-1,
  on-demand, Standard class, as of 2026-09-29; check yours)
cost: about $0.78 (provisioned capacity is paid by the hour)
time: about 2h 32m for all, 4 at once, at these rates
ready: 8 tables; the same command without --dry-run begins"""
    )


def eight() -> list[TablePreflight]:
    shared = (warning(WRITES_DURING_COPY), after("the source has point-in-time recovery"))
    names = ("orders", "customers", "events", "audit", "sessions", "carts", "stock", "prices")
    sizes = (55_000_000, 1_200_000, 870_850, 30_000, 9_000, 400, 3, 0)
    tables = []
    for name, items in zip(names, sizes, strict=True):
        source = described(f"prod-{name}", item_count=items, size_bytes=items * 900)
        target = described(
            f"prod-{name}",
            account="222222222222",
            billing_mode="PROVISIONED",
            provisioned=Throughput(6000, 6000),
        )
        own = (note("the target is UPDATING"),) if name == "carts" else ()
        if name == "customers":
            own = (
                warning(
                    "the target's GSI by_date asks for date (N), which no key of the source"
                    " promises: items where it is of another type, or empty, will be rejected"
                ),
            )
        table = TablePlan(source.name, target.name)
        tables.append(seen(source, target, *own, *shared, table=table))
    return tables


def test_what_the_replicas_take_has_a_line() -> None:
    source = described(item_count=7, size_bytes=700)
    lines = lines_of(seen(source, described(replicas=(Replica(region="eu-west-1"),))))
    assert "            and 7 in the Regions of the target's replicas" in lines
    assert not any("replicas" in line for line in lines_of(seen(source, source)))


def test_a_table_to_be_created_says_so() -> None:
    assert lines_of(seen(described(), None))[0] == ("123456789012 us-east-1 → (to be created)")


def test_provisioned_capacity_is_said_to_cost_nothing_extra() -> None:
    provisioned = described(
        item_count=7, size_bytes=700, billing_mode="PROVISIONED", provisioned=Throughput(5, 5)
    )
    lines = lines_of(seen(provisioned, provisioned))
    assert "cost: nothing extra (provisioned capacity is paid by the hour)" in lines


def test_half_a_unit_a_second_is_not_none() -> None:
    one_unit = described(
        item_count=7, size_bytes=700, billing_mode="PROVISIONED", provisioned=Throughput(1, 1)
    )
    assert "  reads     about 1 RCU at 0.5 RCU/s: half of the source's read capacity" in lines_of(
        seen(one_unit, one_unit)
    )


def test_a_table_without_any_units_is_not_ready() -> None:
    source = described(item_count=1, size_bytes=3 * 1024 * 1024)
    target = replace(source, billing_mode="PROVISIONED", provisioned=Throughput(0, 0))
    lines = lines_of(seen(source, target))
    assert lines[-2:] == [
        "time: no end: a table takes 0 units a second",
        "not ready: orders → copy would never be done",
    ]


def test_tables_of_several_accounts_say_where_each_is() -> None:
    here, there = described(), described("copy", account="222222222222")
    other = seen(described("audit"), described("audit"), table=TablePlan("audit"))
    assert lines_of(seen(here, there), other)[:2] == [
        "orders → copy: 123456789012 us-east-1 → 222222222222 us-east-1",
        "audit: 123456789012 us-east-1 → 123456789012 us-east-1",
    ]


def test_a_notice_on_all_tables_is_said_once_and_without_their_names() -> None:
    mine, ours = warning("only mine"), warning("of all")
    tables = [
        seen(described(name), described(name), *notices, table=TablePlan(name, name))
        for name, notices in (("audit", (ours, mine)), ("books", (ours,)))
    ]
    lines = lines_of(*tables)
    assert [line for line in lines if "of all" in line] == ["  - of all"]
    assert [line for line in lines if "only mine" in line] == ["  - audit: only mine"]


def test_no_line_but_a_command_is_wider_than_the_terminal() -> None:
    for width in (80, 100, 200):
        for line in lines_of(*eight(), width=width):
            assert len(line) <= width or "aws dynamodb" in line


def test_without_a_terminal_nothing_is_cut_or_wrapped() -> None:
    lines = lines_of(*eight(), width=None)
    assert any(line.startswith("  - prod-customers: the target's GSI") for line in lines)
    assert any(line.endswith("will be rejected") for line in lines)


def test_a_copy_opens_with_its_warnings_and_says_where_the_rest_is() -> None:
    opening = opening_lines(
        [("a", (warning("beware"), note("by the way"))), ("b", (warning("beware"), after("later")))]
    )
    assert opening == ["beware", "2 more notices: --dry-run shows all"]
    assert opening_lines([("a", (warning("beware"),))]) == ["beware"]
