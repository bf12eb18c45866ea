"""The lines that end a copy."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from dynaferry.cli.commands.copy_text import summary_lines
from dynaferry.observe.summary import RunStatus, RunSummary, TableSummary

STATE = Path(".dynaferry")


def _table(status: RunStatus = "complete", rejected: int = 0) -> TableSummary:
    return TableSummary(
        source="orders",
        target="orders-copy",
        status=status,
        items_read=1_000_003 + rejected,
        items_written=1_000_000,
        items_rejected=rejected,
        items_filtered=3,
        bytes_read=123_456_789,
        read_units=15_070.5,
        write_units=1_000_000.0,
        throttled_requests=12,
        retried_requests=15,
        unprocessed_items=250,
        segments_total=64,
        segments_complete=64,
        seconds=245.2,
        items_per_second=4_078.3,
    )


def _lines(status: RunStatus, *tables: TableSummary, restarts: bool = False) -> list[str]:
    summary = RunSummary(run="orders", status=status, error=None, tables=tables)
    return summary_lines(summary, STATE, restarts=restarts)


def test_a_table_that_was_seen_is_shown_with_its_account_and_region() -> None:
    arn = "arn:aws:dynamodb:{}:{}:table/{}".format
    table = replace(
        _table(),
        source_arn=arn("us-east-1", "111111111111", "orders"),
        target_arn=arn("eu-west-1", "222222222222", "orders-copy"),
    )
    assert _lines("complete", table)[1] == (
        "orders (111111111111, us-east-1) → orders-copy (222222222222, eu-west-1): complete, "
        "segments 64/64"
    )


def test_a_table_is_shown_with_all_its_figures() -> None:
    assert _lines("complete", _table()) == [
        "orders: complete",
        "orders → orders-copy: complete, segments 64/64",
        "  items     1,000,003 read = 1,000,000 written + 0 rejected + 3 filtered",
        "  read      123.5 MB, 15,070 RCU; wrote 1,000,000 WCU",
        "  throttled 12 requests, retried 15, unprocessed items sent again 250",
        "  time      4m 05s, 4,078 items/s (this attempt)",
    ]


def test_several_tables_have_a_total_that_adds_up() -> None:
    lines = _lines("rejected", _table(), _table("rejected", rejected=2), _table("interrupted"))
    (total,) = [line for line in lines if line.startswith("total:")]
    assert total == (
        "total: 2 of 3 tables copied, 3,000,011 read = 3,000,000 written + 2 rejected + "
        "9 filtered, 45,212 RCU, 3,000,000 WCU"
    )


def test_one_table_has_no_total() -> None:
    assert not any("total" in line for line in _lines("complete", _table()))


def test_rejected_items_are_said_to_be_kept_and_where() -> None:
    lines = _lines("rejected", _table("rejected", rejected=2))
    assert lines[-2] == (
        "2 rejected items are kept, each with the target's reason, in .dynaferry/orders.sqlite"
    )
    assert "dynaferry dead-letters list orders" in lines[-1]
    assert "dynaferry dead-letters replay orders" in lines[-1]


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_what_can_be_resumed_says_how(status: RunStatus) -> None:
    assert _lines(status, _table(status))[-1] == "the same command again resumes"


def test_a_command_that_restarts_is_not_the_one_that_resumes() -> None:
    lines = _lines("interrupted", _table("interrupted"), restarts=True)
    assert lines[-1] == "the same command without --restart resumes"
