"""The end of a copy in a log in JSON."""

from dynaferry.cli.commands.copy_events import summary_events
from dynaferry.observe.logs import FIELDS
from dynaferry.observe.summary import ErrorSummary, NextStep, RunSummary, TableSummary

SUMMARY = RunSummary(
    run="move",
    status="failed",
    error=None,
    attempts=2,
    total_seconds=90.04,
    tables=(
        TableSummary(
            source="orders",
            target="new-orders",
            status="complete",
            items_read=12,
            items_written=11,
            items_rejected=1,
            bytes_read=4096,
            write_units=11.04,
            total_seconds=60.0,
        ),
        TableSummary(
            source="users",
            target="users",
            status="failed",
            error=ErrorSummary(type="StoppedError", message="it is gone", hint="make it again"),
        ),
    ),
    next_steps=(
        NextStep(step="resume", text="resume", tables=("users",), commands=("dynaferry copy",)),
    ),
)


def test_each_table_the_run_and_each_next_step_is_an_event_with_its_numbers() -> None:
    orders, users, run, step = summary_events(SUMMARY)
    assert orders[0] == "orders → new-orders: complete, 12 read = 11 written + 1 rejected"
    assert {name: orders[1][name] for name in ("event", "items_written", "wcu", "seconds")} == {
        "event": "table-summary",
        "items_written": 11,
        "wcu": 11.0,
        "seconds": 60.0,
    }
    assert users[0].startswith("users: failed: it is gone, ")
    assert (users[1]["error"], users[1]["hint"]) == ("it is gone", "make it again")
    assert run[0].startswith("move: failed, 1 of 2 tables copied, 12 read")
    assert (run[1]["tables_complete"], run[1]["items_rejected"]) == (1, 1)
    assert step == (
        "next step: resume",
        {
            "event": "next-step",
            "step": "resume",
            "tables": ("users",),
            "commands": ("dynaferry copy",),
        },
    )


def test_every_field_is_one_that_the_log_lets_through() -> None:
    for _, fields in summary_events(SUMMARY):
        assert fields.keys() <= set(FIELDS)
