"""The last lines of a copy, for people: what was copied, how it adds up, the next steps. Pure."""

from pathlib import Path

from dynaferry.observe import formatting
from dynaferry.observe.summary import RunStatus, RunSummary, TableSummary
from dynaferry.state.directory import state_path

_HEADLINES: dict[RunStatus, str] = {
    "complete": "complete",
    "rejected": "complete, but the target rejected items",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
    "refused": "refused, nothing was copied",
}


def summary_lines(summary: RunSummary, state_dir: Path, *, restarts: bool = False) -> list[str]:
    """The lines that end a copy. `restarts` says that the command line holds --restart."""
    lines = [f"{summary.run}: {_HEADLINES[summary.status]}"]
    for table in summary.tables:
        lines += table_lines(table)
    if len(summary.tables) > 1:
        lines.append(_total_line(summary.tables))
    return lines + next_steps(summary, state_dir, restarts=restarts)


def table_lines(table: TableSummary) -> list[str]:
    """The lines of one table: source and target, the equation, its cost, its rate."""
    return [
        f"{way_of(table)}: {table.status}, "
        f"segments {table.segments_complete}/{table.segments_total}",
        f"  items     {equation(table)}",
        f"  read      {formatting.megabytes(table.bytes_read)} MB, "
        f"{formatting.count(table.read_units)} RCU; "
        f"wrote {formatting.count(table.write_units)} WCU",
        f"  throttled {formatting.count(table.throttled_requests)} requests, "
        f"retried {formatting.count(table.retried_requests)}, "
        f"unprocessed items sent again {formatting.count(table.unprocessed_items)}",
        f"  time      {formatting.duration(table.seconds)}, "
        f"{formatting.count(table.items_per_second)} items/s (this attempt)",
    ]


def way_of(table: TableSummary) -> str:
    """Source and target, with accounts and Regions."""
    return formatting.way(table.source, table.target, table.source_arn, table.target_arn)


def equation(table: TableSummary) -> str:
    """The equation `read = written + rejected + filtered`, with the numbers."""
    return (
        f"{formatting.count(table.items_read)} read = "
        f"{formatting.count(table.items_written)} written + "
        f"{formatting.count(table.items_rejected)} rejected + "
        f"{formatting.count(table.items_filtered)} filtered"
    )


def _total_line(tables: tuple[TableSummary, ...]) -> str:
    complete = sum(table.status in ("complete", "rejected") for table in tables)
    total = TableSummary(
        source="",
        target="",
        status="complete",
        items_read=sum(table.items_read for table in tables),
        items_written=sum(table.items_written for table in tables),
        items_rejected=sum(table.items_rejected for table in tables),
        items_filtered=sum(table.items_filtered for table in tables),
    )
    return (
        f"total: {complete} of {len(tables)} tables copied, {equation(total)}, "
        f"{formatting.count(sum(table.read_units for table in tables))} RCU, "
        f"{formatting.count(sum(table.write_units for table in tables))} WCU"
    )


def next_steps(summary: RunSummary, state_dir: Path, *, restarts: bool) -> list[str]:
    """The next steps, one line each."""
    lines = []
    rejected = sum(table.items_rejected for table in summary.tables)
    if rejected and summary.run is not None:
        lines += [
            f"{formatting.count(rejected)} rejected items are kept, each with the target's reason, "
            f"in {state_path(state_dir, summary.run)}",
            f"dynaferry dead-letters list {summary.run} says which and why; once the cause is "
            f"repaired, dynaferry dead-letters replay {summary.run} writes them again",
        ]
    if summary.status in ("interrupted", "failed"):
        lines.append(
            "the same command without --restart resumes"
            if restarts
            else "the same command again resumes"
        )
    return lines
