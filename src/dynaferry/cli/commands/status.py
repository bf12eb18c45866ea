"""`dynaferry status`: how far a run is, from its state file alone; while it runs, and after."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import msgspec

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.control import WORDS
from dynaferry.cli.commands.copy_text import equation
from dynaferry.cli.interrupts import run_async
from dynaferry.control.effective import EffectiveControls, in_words, set_by_hand
from dynaferry.copy.counters import summary_of
from dynaferry.follow.enabled_streams import EnabledStream, enabled_streams
from dynaferry.follow.stored_move import read_move
from dynaferry.observe import formatting
from dynaferry.observe.move_status import MoveStatus, overall
from dynaferry.observe.move_words import ending_line, late_line, line_of, losing_line
from dynaferry.observe.next_steps import NO_COMMANDS
from dynaferry.observe.summary import ErrorSummary, RunStatus, RunSummary, TableSummary
from dynaferry.report.stored_run import (
    State,
    StoredRun,
    StoredTable,
    bottleneck,
    items_per_second,
    read_stored_run,
    seconds_left,
)
from dynaferry.report.stored_steps import steps_of
from dynaferry.run.outcome import seconds_of_all
from dynaferry.shared.arn import resource_name
from dynaferry.state.directory import sole_run
from dynaferry.state.json_lines import iso_time

# `copy` never prints this one, so that it is not among its statuses.
RUNNING = cast("RunStatus", "running")

KILLED = ErrorSummary(
    type="StoppedWithoutWord",
    message="stopped without a word (killed or crashed)",
    hint="the same command resumes",
)


def run_status(run: str | None, state_dir: Path, *, as_json: bool) -> int:
    """Prints what is known of the run and returns the exit code."""
    try:
        name = sole_run(state_dir, run)
        stored = run_async(partial(read_stored_run, state_dir, name))
        moved = read_move(state_dir, name, len(stored.record.identity.tables))
        enabled = enabled_streams(state_dir, name)
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    if as_json:
        screen.print_document(msgspec.json.encode(to_summary(stored, moved)).decode())
    else:
        screen.print_lines(to_lines(stored) + move_lines(moved) + enabled_lines(enabled))
    return exit_codes.COMPLETE


class TableStatus(TableSummary, frozen=True, kw_only=True):
    """The summary of a table, as `copy --json` prints it, and the resource that limits its writes.

    `bottleneck` is None where nothing does, or the service named nothing.
    """

    bottleneck: str | None


class StatusSummary(RunSummary, frozen=True, kw_only=True):
    """The summary of a run, as `copy --json` prints it, with its state and its controls in force.

    `state` says more than `status`, which scripts know longer: a run under way is `running`, or
    `stalled` where it has stored nothing for half a minute; one that ended without a word is
    `killed`. `move` is there for a run that is moved: how it stands, all tables together.
    """

    state: State
    effective: EffectiveControls = msgspec.field(name="held")
    tables: tuple[TableStatus, ...]
    move: MoveStatus | msgspec.UnsetType = msgspec.UNSET


def to_summary(run: StoredRun, moved: Sequence[MoveStatus] = ()) -> StatusSummary:
    """The run as `copy --json` would print it; `running` stands for one that is under way."""
    record = run.record
    error = None
    if run.state == "killed":
        error = KILLED
    elif record.error_type is not None:
        error = ErrorSummary(
            type=record.error_type, message=record.error_message or "", hint=record.error_hint
        )
    return StatusSummary(
        state=run.state,
        effective=run.effective,
        run=record.run,
        status=_status(run.state),
        error=error,
        tables=tuple(_table_document(run, table) for table in run.tables),
        move=overall(moved) if moved else msgspec.UNSET,
        started_at=iso_time(record.created_at),
        ended_at=None if record.ended_at is None else iso_time(record.ended_at),
        attempts=record.attempts,
        next_steps=steps_of(run, NO_COMMANDS),
    )


def _status(state: State) -> RunStatus:
    if state == "running" or state == "stalled":
        return RUNNING
    return "interrupted" if state == "killed" else state


def _table_status(run: StoredRun, table: StoredTable) -> RunStatus:
    if table.totals.segments_complete < table.identity.total_segments:
        return _status(run.state)
    return "rejected" if table.totals.items_rejected else "complete"


def _table_document(run: StoredRun, table: StoredTable) -> TableStatus:
    summary = msgspec.structs.asdict(_table_summary(run, table))
    return TableStatus(**summary, bottleneck=bottleneck(run, table))


def _table_summary(run: StoredRun, table: StoredTable) -> TableSummary:
    return summary_of(
        table.totals,
        table.counters,
        table.identity,
        source=resource_name(table.identity.source_arn),
        target=resource_name(table.identity.target_arn),
        status=_table_status(run, table),
        segments_total=table.identity.total_segments,
        seconds=run.seconds,
        items_per_second=items_per_second(run, table) or 0.0,
        total_seconds=seconds_of_all(table.attempts, table.number, run.now),
        error=table.error,
    )


def to_lines(run: StoredRun) -> list[str]:
    """The lines of a run, for people."""
    record = run.record
    lines = [
        f"run         {record.run}",
        f"state       {_state_words(run)}",
        f"attempts    {record.attempts}",
        f"started     {_moment(record.started_at, run.now)}",
    ]
    if record.ended_at is not None and not run.is_under_way:
        lines.append(f"ended       {_moment(record.ended_at, run.now)}")
    lines.append(f"checkpoint  {_moment(run.last_checkpoint, run.now)}")
    limits = _limits_in_words(run)
    if limits is not None:
        lines.append(f"held back   {limits}")
    for table in run.tables:
        lines += _table_lines(run, table)
    if not run.is_under_way and record.error_message is not None:
        lines.append(f"error: {record.error_message}")
        if record.error_hint is not None:
            lines.append(f"hint: {record.error_hint}")
    return lines


def move_lines(tables: Sequence[MoveStatus]) -> list[str]:
    """The lines of a move, for people: how each table stands, which one only falls behind, and by
    which error the last process has ended.
    """
    lines = [line_of(table) for table in tables]
    lines += [line for table in tables if (line := late_line(table)) is not None]
    lines += [losing_line(table) for table in tables if not table.will_catch_up]
    return lines + [line for table in tables if (line := ending_line(table)) is not None]


def enabled_lines(streams: Sequence[EnabledStream]) -> list[str]:
    """The streams that moves of this run have enabled, and how they are switched off."""
    return [
        f"{resource_name(stream.table)}: its stream was enabled by this move; when that is over: "
        f"aws dynamodb update-table --table-name {stream.table} "
        "--stream-specification StreamEnabled=false"
        for stream in streams
    ]


def _limits_in_words(run: StoredRun) -> str | None:
    if run.under_way == "move":
        return in_words(run.effective)
    if run.under_way in ("verification", "replay"):
        return in_words(set_by_hand(run.effective))
    return None if run.state in ("complete", "rejected") else in_words(run.effective)


def _state_words(run: StoredRun) -> str:
    words = _copy_words(run)
    if run.under_way in ("move", "verification", "replay"):
        words = f"{words}; {WORDS[run.under_way]}"
    if run.under_way is not None and run.effective.paused_at is not None:
        words = f"{words}, paused; dynaferry resume {run.record.run} lets it go on"
    return words


def _copy_words(run: StoredRun) -> str:
    if run.state == "killed":
        return f"{KILLED.message}; {KILLED.hint}"
    if run.state == "stalled":
        return _stalled_words(run)
    if run.state in ("interrupted", "failed"):
        return f"{run.state}; the same command resumes"
    return run.state


def _stalled_words(run: StoredRun) -> str:
    since = formatting.duration(run.now - run.last_sign)
    process = "its process" if run.process is None else f"its process ({run.process})"
    return (
        f"stalled: nothing was stored for {since}, though it is still there; end {process},"
        " kill -9 if need be, then the same command resumes"
    )


def _moment(moment: float | None, now: float) -> str:
    if moment is None:
        return formatting.UNKNOWN
    written = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
    return f"{written}, {formatting.duration(max(0.0, now - moment))} ago"


def _table_lines(run: StoredRun, table: StoredTable) -> list[str]:
    identity, totals = table.identity, table.totals
    rate = formatting.count(items_per_second(run, table))
    lines = [
        f"{formatting.place(identity.source_arn)} → {formatting.place(identity.target_arn)}",
        f"  state     {_table_words(run, table)}, "
        f"segments {totals.segments_complete}/{identity.total_segments}",
        f"  items     {equation(_table_summary(run, table))}",
    ]
    if run.state == "running":
        left = formatting.duration(seconds_left(run, table))
        lines.append(f"  rate      {rate} items/s in the last minute, {left} left")
        cause = bottleneck(run, table)
        if cause is not None:
            lines.append(f"  held back by {cause}")
    elif run.state != "stalled":
        lines.append(f"  rate      {rate} items/s in the last attempt")
    return lines


def _table_words(run: StoredRun, table: StoredTable) -> str:
    status = _table_status(run, table)
    return run.state if status == RUNNING else status
