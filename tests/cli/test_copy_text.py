"""The lines that end a copy: whole, in a terminal of 80 columns."""

# ruff: noqa: E501  # commands are never cut

import pytest
from msgspec.structs import replace

from dynaferry.cli.commands.copy_text import summary_lines
from dynaferry.observe.next_steps import Commands, next_steps
from dynaferry.observe.summary import ErrorSummary, RunStatus, RunSummary, TableSummary
from dynaferry.shared.left_to_do import LeftToDo

ARN = "arn:aws:dynamodb:us-east-1:{}:table/{}".format


def _table(
    name: str = "orders",
    items: int = 1_000_000,
    seconds: float = 245.2,
    *,
    status: RunStatus = "complete",
    rejected: int = 0,
    filtered: int = 0,
) -> TableSummary:
    return TableSummary(
        source=name,
        target=name,
        status=status,
        items_read=items + rejected + filtered,
        items_written=items,
        items_rejected=rejected,
        items_filtered=filtered,
        bytes_read=items * 900,
        read_units=items / 8,
        write_units=float(items),
        throttled_requests=12,
        retried_requests=15,
        unprocessed_items=250,
        segments_total=64,
        segments_complete=64 if status in ("complete", "rejected") else 31,
        seconds=seconds / 2,
        total_seconds=seconds,
        source_arn=ARN("111111111111", name),
        target_arn=ARN("222222222222", name),
    )


def _summary(
    status: RunStatus, *tables: TableSummary, left: tuple[LeftToDo, ...] = ()
) -> RunSummary:
    return RunSummary(
        run="move",
        status=status,
        error=None,
        tables=tables,
        started_at="2026-11-28T23:58:00Z",
        ended_at="2026-11-29T02:31:07Z",
        attempts=2,
        total_seconds=9_000.0,
        next_steps=next_steps(
            "move", tables, left, Commands(verify="dynaferry verify --plan move.toml")
        ),
    )


def _lines(status: RunStatus, *tables: TableSummary) -> list[str]:
    return summary_lines(_summary(status, *tables), width=80)


def eight() -> tuple[TableSummary, ...]:
    refused = ErrorSummary(
        type="AccessDeniedError",
        message="no permission for dynamodb:BatchWriteItem on prod-audit",
        hint="add it to the role",
    )
    return (
        _table("prod-orders", 55_000_000, 8_950.0),
        _table("prod-customers", 1_200_000, 200.0, status="rejected", rejected=2),
        _table("prod-events", 870_850, 145.0),
        replace(_table("prod-audit", 12_345, 6.0, status="failed"), error=refused),
        _table("prod-sessions", 9_000, 2.0),
        _table("prod-carts", 400, 0.4),
        _table("prod-stock", 3, 0.1),
        _table("prod-prices", 0, 0.0),
    )


def left_of_eight() -> tuple[LeftToDo, ...]:
    there = ARN("222222222222", "any")
    return (
        LeftToDo(
            source="prod-orders",
            target="prod-orders",
            target_arn=there,
            point_in_time_recovery=True,
        ),
        LeftToDo(
            source="prod-sessions",
            target="prod-sessions",
            target_arn=there,
            ttl_attribute="expires",
        ),
    )


def test_eight_tables_of_which_one_failed() -> None:
    lines = summary_lines(_summary("failed", *eight(), left=left_of_eight()), width=80)
    assert (
        "\n".join(lines)
        == """\
move: 7 of 8 tables copied, 1 failed
111111111111 us-east-1 → 222222222222 us-east-1
table                items      size    time  items/s  rejected  state
prod-orders     55,000,000   46.1 GB  2h 29m    6,145         0  complete
prod-customers   1,200,002    1.0 GB  3m 20s    6,000         2  rejected
prod-events        870,850  747.5 MB  2m 25s    6,006         0  complete
prod-audit          12,345   10.6 MB      6s    2,058         0  failed
prod-sessions        9,000    7.7 MB      2s    4,500         0  complete
prod-carts             400  351.6 KB     <1s    1,000         0  complete
prod-stock               3    2.6 KB     <1s       30         0  complete
prod-prices              0   0 bytes       -        -         0  complete
total           57,092,600   47.9 GB  2h 30m    6,344         2  7 of 8
  prod-audit failed: no permission for dynamodb:BatchWriteItem on prod-audit;
    add it to the role
  items     57,092,600 read = 57,092,598 written + 2 rejected
  units     7,136,575 RCU read, 57,092,598 WCU written
  throttled 96 requests, retried 120, unprocessed items sent again 2,000
  segments  479 of 512 complete
  time      2026-11-28 23:58:00 to 2026-11-29 02:31:07 UTC, in 2 attempts
next steps
  1. the same command again resumes prod-audit
  2. see why 2 items were rejected (kept as dead letters), fix the cause, write
     again:
       dynaferry dead-letters list move
       dynaferry dead-letters replay move
  3. prod-orders: enable point-in-time recovery, which the source has:
       aws dynamodb update-continuous-backups --table-name prod-orders --region us-east-1 --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true
  4. prod-sessions: enable time to live after the cut-over (it deletes expired
     items at once):
       aws dynamodb update-time-to-live --table-name prod-sessions --region us-east-1 --time-to-live-specification Enabled=true,AttributeName=expires"""
    )


def test_a_table_is_shown_with_all_its_figures() -> None:
    assert (
        "\n".join(_lines("complete", _table()))
        == """\
move: complete
111111111111 us-east-1 → 222222222222 us-east-1
table       items      size    time  items/s  rejected  state
orders  1,000,000  858.3 MB  4m 05s    4,078         0  complete
  items     1,000,000 read = 1,000,000 written + 0 rejected
  units     125,000 RCU read, 1,000,000 WCU written
  throttled 12 requests, retried 15, unprocessed items sent again 250
  time      2026-11-28 23:58:00 to 2026-11-29 02:31:07 UTC, in 2 attempts
next steps
  1. compare both tables, once nobody writes to the source:
       dynaferry verify --plan move.toml"""
    )


def test_what_was_filtered_is_shown_where_there_is_any() -> None:
    assert "  items     1,000,003 read = 1,000,000 written + 0 rejected + 3 filtered" in _lines(
        "complete", _table(filtered=3)
    )
    assert not any("filtered" in line for line in _lines("complete", _table()))


def test_one_table_has_no_total() -> None:
    assert not any(line.startswith("total") for line in _lines("complete", _table()))


def test_the_rate_is_that_of_all_attempts() -> None:
    row = _lines("complete", _table(items=1000, seconds=100.0))[3]
    assert row.split() == ["orders", "1,000", "878.9", "KB", "1m", "40s", "10", "0", "complete"]


def test_of_a_table_that_was_never_copied_neither_time_nor_rate_is_known() -> None:
    waiting = _table(items=0, seconds=0.0, status="interrupted")
    assert _lines("interrupted", waiting)[3].split() == (
        ["orders", "0", "0", "bytes", "-", "-", "0", "interrupted"]
    )


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_what_is_not_complete_says_how_far_it_is_and_that_it_resumes(status: RunStatus) -> None:
    lines = _lines(status, _table(status=status))
    assert "  segments  31 of 64 complete" in lines
    assert lines[-1] == "  1. the same command again resumes"


def test_rejected_items_are_counted_in_the_headline() -> None:
    assert _lines("rejected", _table(status="rejected", rejected=1))[0] == (
        "move: complete, but 1 item was rejected"
    )
    assert _lines("rejected", _table(status="rejected", rejected=2000))[0] == (
        "move: complete, but 2,000 items were rejected"
    )


def test_another_name_of_the_target_is_shown() -> None:
    table = replace(_table(), target="orders-new")
    assert _lines("complete", table)[3].startswith("orders → orders-new  ")


def test_no_line_but_a_command_is_wider_than_the_terminal() -> None:
    long = replace(_table("a" * 200), target="b" * 200)
    for line in _lines("failed", *eight(), long):
        assert len(line) <= 80 or line.lstrip().startswith(("aws", "dynaferry"))


def test_tables_between_several_accounts_are_each_named_with_theirs() -> None:
    other = replace(_table("events"), target_arn=ARN("333333333333", "events"))
    lines = _lines("complete", _table(), other)
    assert "events (111111111111, us-east-1) → events (333333333333, us-east-1)" in lines
