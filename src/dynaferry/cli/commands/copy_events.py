"""The end of a copy as events for a log in JSON: what was copied, and the next steps. Pure."""

from collections.abc import Iterator

from dynaferry.cli.commands.copy_text import equation, name_of
from dynaferry.observe.progress_events import Event
from dynaferry.observe.summary import NextStep, RunSummary, TableSummary
from dynaferry.shared.arn import resource_name


def summary_events(summary: RunSummary) -> Iterator[Event]:
    """The events that end a copy: one for each table, one for all, one for each next step."""
    for table in summary.tables:
        yield _of_table(table)
    yield _of_run(summary)
    for step in summary.next_steps:
        yield _of_step(step)


def _of_table(table: TableSummary) -> Event:
    seconds = table.total_seconds or table.seconds
    error = table.error
    fields = {
        "event": "table-summary",
        "table": resource_name(table.source),
        "source": table.source,
        "target": table.target,
        "status": table.status,
        "items_read": table.items_read,
        "items_written": table.items_written,
        "items_rejected": table.items_rejected,
        "items_filtered": table.items_filtered,
        "bytes": table.bytes_read,
        "rcu": round(table.read_units, 1),
        "wcu": round(table.write_units, 1),
        "throttled_requests": table.throttled_requests,
        "retried_requests": table.retried_requests,
        "segments_complete": table.segments_complete,
        "segments_total": table.segments_total,
        "seconds": round(seconds, 1),
        "error": None if error is None else error.message,
        "hint": None if error is None else error.hint,
    }
    because = "" if error is None else f": {error.message}"
    return f"{name_of(table)}: {table.status}{because}, {equation(table)}", fields


def _of_run(summary: RunSummary) -> Event:
    tables = summary.tables
    copied = sum(table.status in ("complete", "rejected") for table in tables)
    fields = {
        "event": "run-summary",
        "status": summary.status,
        "attempt": summary.attempts,
        "items_read": sum(table.items_read for table in tables),
        "items_written": sum(table.items_written for table in tables),
        "items_rejected": sum(table.items_rejected for table in tables),
        "bytes": sum(table.bytes_read for table in tables),
        "throttled_requests": sum(table.throttled_requests for table in tables),
        "tables_complete": copied,
        "tables_total": len(tables),
        "seconds": round(summary.total_seconds, 1) or None,
    }
    of_all = f"{copied} of {len(tables)} tables copied"
    return f"{summary.run}: {summary.status}, {of_all}, {equation(*tables)}", fields


def _of_step(step: NextStep) -> Event:
    fields = {"event": "next-step", "step": step.step, "tables": step.tables}
    return f"next step: {step.text}", fields | {"commands": step.commands}
