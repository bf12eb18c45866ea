"""The documents of `status --json` and `runs --json`: names and values are a contract."""

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dynaferry.control.effective import EffectiveControls
from dynaferry.copy.counters import summary_of
from dynaferry.observe.estimator import RunProgress, TableProgress
from dynaferry.observe.formatting import seconds_left
from dynaferry.observe.move_status import MoveStatus, overall
from dynaferry.observe.next_steps import NO_COMMANDS, Commands
from dynaferry.observe.summary import ErrorSummary, RunStatus, RunSummary, TableSummary
from dynaferry.observe.table_state import ShownState
from dynaferry.plan.resume_command import resume_line, typed_again
from dynaferry.report.stored_progress import progress_of
from dynaferry.report.stored_run import (
    State,
    StoredRun,
    StoredTable,
    UnderWay,
    bottleneck,
    items_per_second,
)
from dynaferry.report.stored_states import effective_of, state_of_table
from dynaferry.report.stored_steps import steps_of
from dynaferry.run.outcome import seconds_of_all
from dynaferry.shared.arn import resource_name
from dynaferry.state.json_lines import iso_time

# `copy` never prints this one, so that it is not among its statuses.
RUNNING = cast("RunStatus", "running")

KILLED = ErrorSummary(
    type="StoppedWithoutWord",
    message="killed or crashed",
    hint="the same command resumes",
)


class TableStatus(TableSummary, frozen=True, kw_only=True):
    """The summary of a table, as `copy --json` prints it, and how it stands now.

    `state` says more than `status`, which scripts know longer. `bottleneck` is the resource that
    limits its writes, None where nothing does, or the service named nothing. What is not known is
    null: the ETA of a table that is not copied now, too. `held` is its own pause and caps, beside
    its run's.
    """

    bottleneck: str | None
    state: ShownState
    expected_items: int | None
    progress_ratio: float
    eta_seconds: float | None
    checkpoint_age_seconds: float | None
    effective: EffectiveControls = msgspec.field(name="held")


class TotalStatus(Struct, frozen=True, kw_only=True):
    """All tables of a run together.

    `process` is the one that works on it, null where none does. The caps are those that the tables
    share, in units a second.
    """

    tables: int
    tables_complete: int
    items_done: int
    expected_items: int | None
    progress_ratio: float
    eta_seconds: float | None
    items_per_second: float
    checkpoint_age_seconds: float | None
    process: int | None
    max_read_units: float | None
    max_write_units: float | None


class StatusSummary(RunSummary, frozen=True, kw_only=True):
    """The summary of a run, as `copy --json` prints it, with its state and its controls in force.

    `state` says more than `status`, which scripts know longer: a run under way is `running`, or
    `stalled` where it has stored nothing for half a minute; one that ended without a word is
    `killed`. `resume_command` is what resumes one that has stopped, null where it has not, or
    nobody knows. `move` is there for a run that is moved: how it stands, all tables together.
    """

    state: State
    effective: EffectiveControls = msgspec.field(name="held")
    tables: tuple[TableStatus, ...]
    total: TotalStatus
    resume_command: str | None = None
    move: MoveStatus | msgspec.UnsetType = msgspec.UNSET


class RunLine(Struct, frozen=True, kw_only=True):
    """One run of a state directory; all but its name is null where its file cannot be read."""

    run: str
    state: State | None = None
    under_way: UnderWay | None = None
    paused: bool | None = None
    started_at: float | None = None
    ended_at: float | None = None
    total: TotalStatus | None = None
    resume_command: str | None = None
    error: ErrorSummary | None = None


class RunsDocument(Struct, frozen=True, kw_only=True):
    """The runs of a state directory, by name."""

    state_dir: str
    runs: tuple[RunLine, ...]


def to_summary(
    run: StoredRun, moved: Sequence[MoveStatus] = (), *, here: str | None = None
) -> StatusSummary:
    """The run as `copy --json` would print it; `running` stands for one that is under way.

    `here` is the directory of who reads the commands in it, None where that is not known.
    """
    progress = progress_of(run)
    return StatusSummary(
        state=run.state,
        effective=run.effective,
        run=run.record.run,
        status=run_status_of(run.state),
        error=_error_of(run),
        tables=tuple(
            _table_document(run, table, seen)
            for table, seen in zip(run.tables, progress.tables, strict=True)
        ),
        total=total_of_run(run, progress),
        resume_command=resume_command_of(run, here),
        move=overall(moved) if moved else msgspec.UNSET,
        started_at=iso_time(run.record.created_at),
        ended_at=None if run.record.ended_at is None else iso_time(run.record.ended_at),
        attempts=run.record.attempts,
        next_steps=steps_of(run, commands_of(run, here)),
    )


def to_run_line(run: StoredRun, here: str | None = None) -> RunLine:
    """The run as one of several."""
    return RunLine(
        run=run.record.run,
        state=run.state,
        under_way=run.under_way,
        paused=run.effective.paused_at is not None,
        started_at=run.record.started_at,
        ended_at=None if run.is_under_way else run.record.ended_at,
        total=total_of_run(run, progress_of(run)),
        resume_command=resume_command_of(run, here),
        error=_error_of(run),
    )


def total_of_run(run: StoredRun, progress: RunProgress) -> TotalStatus:
    """All tables of the run together."""
    done = sum(state_of_table(run, table) in ("complete", "rejected") for table in run.tables)
    rates = [items_per_second(run, table) or 0.0 for table in run.tables]
    total = progress.total
    return TotalStatus(
        tables=len(run.tables),
        tables_complete=done,
        items_done=total.items_done,
        expected_items=total.expected_items,
        progress_ratio=_rounded(total.progress_ratio, 4) or 0.0,
        eta_seconds=_rounded(seconds_left(total.eta_seconds), 1),
        items_per_second=round(sum(rates), 1),
        checkpoint_age_seconds=age(run, run.last_checkpoint),
        process=run.process,
        max_read_units=run.effective.read.units_per_second,
        max_write_units=run.effective.write.units_per_second,
    )


def may_be_resumed(run: StoredRun) -> bool:
    """Whether it has stopped before its end; a move has none but that it is finished or aborted."""
    if run.move_end is not None:
        return False
    is_moved = run.record.identity.move is not None
    is_done = run.state in ("complete", "rejected")
    return run.under_way is None and (is_moved or not is_done)


def commands_of(run: StoredRun, here: str | None) -> Commands:
    """The commands of this run for its next steps, as far as they are known."""
    if not may_be_resumed(run):
        return NO_COMMANDS
    return Commands(**typed_again(run.command, here=here))


def resume_command_of(run: StoredRun, here: str | None) -> str | None:
    """The command that resumes the run, where it has stopped and is known."""
    command = run.command
    if command is None or not may_be_resumed(run):
        return None
    return resume_line(command, here=here)


def run_status_of(state: State) -> RunStatus:
    """The older word for a state, which scripts know longer."""
    if state == "running" or state == "stalled":
        return RUNNING
    return "interrupted" if state == "killed" else state


def age(run: StoredRun, moment: float | None) -> float | None:
    """How long ago that was, in seconds."""
    return None if moment is None else round(max(0.0, run.now - moment), 1)


def _error_of(run: StoredRun) -> ErrorSummary | None:
    record = run.record
    if run.state == "killed":
        return KILLED if run.move_end is None else replace(KILLED, hint=None)
    if record.error_type is None:
        return None
    return ErrorSummary(
        type=record.error_type, message=record.error_message or "", hint=record.error_hint
    )


def _table_document(run: StoredRun, table: StoredTable, seen: TableProgress) -> TableStatus:
    summary = table_summary(run, table)
    fields = {name: getattr(summary, name) for name in TableSummary.__struct_fields__}
    return TableStatus(
        **fields,
        bottleneck=bottleneck(run, table),
        state=state_of_table(run, table),
        expected_items=seen.expected_items,
        progress_ratio=_rounded(seen.progress_ratio, 4) or 0.0,
        eta_seconds=_rounded(seconds_left(seen.eta_seconds), 1),
        checkpoint_age_seconds=age(run, table.checkpointed_at),
        effective=effective_of(run, table),
    )


def table_summary(run: StoredRun, table: StoredTable) -> TableSummary:
    """The table as `copy --json` would print it."""
    state = state_of_table(run, table)
    ended = ("complete", "rejected", "failed", "interrupted")
    return summary_of(
        table.totals,
        table.counters,
        table.identity,
        source=resource_name(table.identity.source_arn),
        target=resource_name(table.identity.target_arn),
        status=cast("RunStatus", state) if state in ended else RUNNING,
        segments_total=table.identity.total_segments,
        seconds=run.seconds,
        items_per_second=items_per_second(run, table) or 0.0,
        total_seconds=seconds_of_all(table.attempts, table.number, run.now),
        error=table.error,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
