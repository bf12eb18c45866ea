"""How a run ended: its status, its summary, and the error that ended it, where one did."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from dynaferry.copy.counters import summary_of
from dynaferry.errors import (
    DynaferryError,
    NotReadyError,
    RetryableError,
    TablesFailedError,
)
from dynaferry.observe.next_steps import NO_COMMANDS, Commands, next_steps
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import RunStatus, RunSummary, TableSummary
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import error_summary
from dynaferry.shared.left_to_do import LeftToDo
from dynaferry.state.json_lines import iso_time
from dynaferry.state.records import TableAttempt, TableIdentity
from dynaferry.state.store import StateStore

# Who begins again may find that it has passed.
NOT_NOW = (NotReadyError, RetryableError)

EndStatus = Literal["complete", "rejected", "interrupted", "failed"]


class Outcome(Struct, frozen=True):
    """The summary of an attempt, and its error as it was raised."""

    summary: RunSummary
    error: DynaferryError | None = None


def status_of(stats: RunStats, error: DynaferryError | None) -> EndStatus:
    """The status of a run whose tables stand like this."""
    if error is not None:
        return "failed"
    states = {table.state for table in stats.tables}
    if states == {"complete"}:
        return "complete"
    return "rejected" if states <= {"complete", "rejected"} else "interrupted"


def error_of_tables(stats: RunStats, errors: Mapping[int, DynaferryError]) -> DynaferryError | None:
    """The error of a run whose tables ended with these, by their numbers: the one itself, or what
    names the tables that failed where there are several.
    """
    if len(errors) < 2:
        return next(iter(errors.values()), None)
    names = [table.source for table in stats.tables if table.number in errors]
    return TablesFailedError(
        f"{len(errors)} of {len(stats.tables)} tables failed: {', '.join(names)}",
        hint="each table says why; the same command does only what is left",
        errors=tuple(errors.values()),
    )


async def summarize(
    run: str,
    status: RunStatus,
    stats: RunStats,
    store: StateStore,
    error: DynaferryError | None = None,
    left: Sequence[LeftToDo] = (),
    commands: Commands = NO_COMMANDS,
) -> RunSummary:
    """Sums up what is stored, since that is what a later attempt goes on from (invariant 2).

    It is of the tables in `stats`, which may be some of the run's. `left` is what the copy does not
    carry over; `commands` are those of who began it.
    """
    record = await store.read_run()
    attempts = await store.read_table_attempts()
    seen = record.identity.tables
    tables = tuple(
        [await _table_summary(table, seen[table.number], store, attempts) for table in stats.tables]
    )
    numbers = [table.number for table in stats.tables]
    return RunSummary(
        run=run,
        status=status,
        error=error_summary(error),
        tables=tables,
        started_at=iso_time(record.created_at),
        ended_at=None if record.ended_at is None else iso_time(record.ended_at),
        attempts=record.attempts,
        total_seconds=round(seconds_together(attempts, numbers), 3),
        next_steps=next_steps(run, tables, left, commands),
    )


async def _table_summary(
    stats: TableStats,
    seen: TableIdentity,
    store: StateStore,
    attempts: Sequence[TableAttempt],
) -> TableSummary:
    number = stats.number
    totals, counters = await store.read_totals(number), await store.read_counters(number)
    done = totals.items_written + totals.items_rejected + totals.items_filtered
    seconds = (stats.ended_at or 0.0) - (stats.started_at or 0.0)
    rate = (done - stats.items_at_start) / seconds if seconds > 0 else 0.0
    return summary_of(
        totals,
        counters,
        seen,
        source=stats.source,
        target=stats.target,
        status=table_status(stats),
        segments_total=stats.segments_total,
        seconds=seconds,
        items_per_second=rate,
        total_seconds=seconds_of_all(attempts, number),
        error=stats.error,
    )


def seconds_of_all(attempts: Sequence[TableAttempt], table: int, now: float | None = None) -> float:
    """How long a table was worked on in all attempts; one under way counts until `now`."""
    spans = [
        (each.started_at, each.ended_at if each.ended_at is not None else now)
        for each in attempts
        if each.table == table
    ]
    return sum((max(0.0, end - begin) for begin, end in spans if end is not None), 0.0)


def seconds_together(attempts: Sequence[TableAttempt], tables: Sequence[int]) -> float:
    """How long these tables took side by side, all attempts together."""
    spans: dict[int, tuple[float, float]] = {}
    for each in attempts:
        if each.table in tables and each.ended_at is not None:
            first, last = spans.get(each.attempt, (each.started_at, each.ended_at))
            spans[each.attempt] = min(first, each.started_at), max(last, each.ended_at)
    return sum((end - begin for begin, end in spans.values()), 0.0)


def table_status(stats: TableStats) -> EndStatus:
    """A table that was not reached, or not finished, will be by the next attempt."""
    if stats.state == "waiting" or stats.state == "running":
        return "interrupted"
    return stats.state


def without_summary(
    plan: CopyPlan, error: DynaferryError | None, *, begun: bool, resumes: bool = False
) -> Outcome:
    """The outcome of an attempt that has nothing to sum up: as a rule one that has not begun.

    Without an error it was stopped before it began. Whatever happened to one that had begun has
    failed. Before that nothing was written, and it is refused; but a service that did not respond
    a run that `resumes` may do so later, and a table that is not ready will be: these have failed
    as well.
    """
    status: RunStatus = "refused"
    if error is None:
        status = "interrupted"
    elif begun or isinstance(error, NotReadyError if not resumes else NOT_NOW):
        status = "failed"
    tables = tuple(
        TableSummary(source=table.source_name, target=table.target_name, status=status)
        for table in plan.tables
    )
    run = plan.run_name if plan.tables else plan.run
    return Outcome(
        RunSummary(run=run, status=status, error=error_summary(error), tables=tables), error
    )
