"""The lines of `status` and of `runs`, for people. Pure.

One line for each table and one for all of them, within 80 columns; below them what is worth a line
of its own.
"""

import time
from collections.abc import Sequence
from typing import Final

from dynaferry.cli.commands.control import WORDS
from dynaferry.cli.commands.status_document import (
    KILLED,
    RunLine,
    may_be_resumed,
    total_of_run,
)
from dynaferry.control.effective import in_words, set_by_hand
from dynaferry.follow.enabled_streams import EnabledStream
from dynaferry.observe import formatting
from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.move_words import ending_line, late_line, line_of, losing_line
from dynaferry.observe.table_state import ShownState
from dynaferry.plan.resume_command import resume_lines
from dynaferry.report.stored_progress import progress_of
from dynaferry.report.stored_run import (
    StoredRun,
    StoredTable,
    bottleneck,
    items_done,
    items_per_second,
)
from dynaferry.report.stored_states import effective_of, state_of_run, state_of_table
from dynaferry.run.outcome import seconds_together
from dynaferry.shared.arn import arn_account, arn_region, resource_name

ENDED: Final = ("complete", "rejected", "failed", "interrupted")
_COLUMNS: Final = "{:<25}  {:<11}  {:>4}  {:>13}  {:>9}  {:>8}"
_NAME_WIDTH: Final = 25
_RUN_COLUMNS: Final = "{:<28}  {:<11}  {:>7}  {:>4}  {:>8}  {:<11}"
_RUN_NAME_WIDTH: Final = 28


def to_lines(run: StoredRun, here: str | None = None) -> list[str]:
    """The lines of a run: its head, a line for each table, the total, and what is worth saying.

    `here` is the directory of who reads them, None where that is not known.
    """
    lines = [*_head(run), *_table_rows(run), *_notes(run), *_error_lines(run)]
    return lines + _next_lines(run, here)


def _head(run: StoredRun) -> list[str]:
    record = run.record
    lines = [
        f"run         {record.run}",
        f"state       {_state_words(run)}",
        f"attempts    {record.attempts}",
        f"started     {moment(record.started_at, run.now)}",
    ]
    if record.ended_at is not None and not run.is_under_way:
        lines.append(f"ended       {moment(record.ended_at, run.now)}")
    by = f", process {run.process}" if run.process is not None else ""
    lines.append(f"checkpoint  {moment(run.last_checkpoint, run.now)}{by}")
    limits = _limits_in_words(run)
    if limits is not None:
        lines.append(f"limits      {limits}")
    return [*lines, *_way_lines(run)]


def _way_lines(run: StoredRun) -> list[str]:
    """Between which accounts: of one table its names too; of several what all of them share."""
    if len(run.tables) == 1:
        seen = run.tables[0].identity
        way = formatting.way("", "", seen.source_arn, seen.target_arn)
        return [f"table       {way}"]
    ways = {
        f"{_account(table.identity.source_arn)} → {_account(table.identity.target_arn)}"
        for table in run.tables
    }
    return [f"from, to    {way}" for way in sorted(ways)]


def _account(arn: str) -> str:
    account, region = arn_account(arn), arn_region(arn)
    return f"{account}, {region}" if account is not None else arn


def _table_rows(run: StoredRun) -> list[str]:
    progress = progress_of(run)
    heads = ("table", "state", "done", "items", "items/s", "ETA")
    lines = ["", _row(heads)]
    for table, seen in zip(run.tables, progress.tables, strict=True):
        name = resource_name(table.identity.source_arn)
        rate = _rate(run, [table], state_of_table(run, table), items_per_second(run, table))
        lines.append(_row((name, state_of_table(run, table), *_figures(seen, rate))))
    total = total_of_run(run, progress)
    if total.tables > 1:
        name = f"total, {total.tables_complete} of {total.tables} complete"
        rate = _rate(run, run.tables, state_of_run(run), total.items_per_second)
        lines.append(_row((name, state_of_run(run), *_figures(progress.total, rate))))
    if progress.total.eta_seconds is not None:
        lines.append(f"ends about {clock_time(run.now + progress.total.eta_seconds, run.now)}")
    return lines


def _rate(
    run: StoredRun, tables: Sequence[StoredTable], state: ShownState, now: float | None
) -> float | None:
    """The rate of now while it runs, and that over all attempts once it has ended."""
    if state == "running":
        return now
    if state not in ENDED or (run.is_under_way and len(tables) > 1):
        return None
    attempts = [attempt for table in tables for attempt in table.attempts]
    seconds = seconds_together(attempts, [table.number for table in tables])
    return sum(items_done(table.totals) for table in tables) / seconds if seconds else None


def _row(cells: Sequence[str]) -> str:
    name, *rest = cells
    return _COLUMNS.format(formatting.shortened(name, _NAME_WIDTH), *rest).rstrip()


def _figures(seen: TableProgress, rate: float | None) -> tuple[str, str, str, str]:
    items = formatting.short(seen.items_done)
    if seen.expected_items is not None and seen.expected_items != seen.items_done:
        items = f"{items}/{formatting.short(seen.expected_items)}"
    return (
        formatting.percent(seen.progress_ratio),
        items,
        formatting.count(rate),
        formatting.time_left(seen.eta_seconds),
    )


def _notes(run: StoredRun) -> list[str]:
    """What is worth a line of its own of each table."""
    return [
        f"{resource_name(table.identity.source_arn)}: {note}"
        for table in run.tables
        for note in _notes_of(run, table)
    ]


def _notes_of(run: StoredRun, table: StoredTable) -> list[str]:
    notes = []
    own = in_words(effective_of(run, table))
    if own is not None and state_of_table(run, table) not in ("complete", "rejected"):
        notes.append(own)
    cause = bottleneck(run, table)
    if cause is not None:
        notes.append(f"throttled by {cause}")
    rejected = table.totals.items_rejected
    if rejected:
        noun = "item" if rejected == 1 else "items"
        notes.append(
            f"{formatting.count(rejected)} rejected {noun}: "
            f"dynaferry dead-letters list {run.record.run}"
        )
    if table.error is not None and len(run.tables) > 1:
        notes.append(f"error: {table.error.message}")
        notes += [] if table.error.hint is None else [f"hint: {table.error.hint}"]
    return notes


def _error_lines(run: StoredRun) -> list[str]:
    record = run.record
    if run.is_under_way or record.error_message is None:
        return []
    hint = [] if record.error_hint is None else [f"hint: {record.error_hint}"]
    return [f"error: {record.error_message}", *hint]


def _next_lines(run: StoredRun, here: str | None) -> list[str]:
    """How a run that has stopped is resumed."""
    if not may_be_resumed(run):
        return []
    command = run.command
    if command is None:
        return ["the same command as before resumes it"]
    return resume_lines(command, here=here)


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


def runs_lines(runs: Sequence[RunLine], now: float) -> list[str]:
    """A line for each run of a state directory."""
    lines = [_RUN_COLUMNS.format("run", "state", "tables", "done", "ETA", "started").rstrip()]
    lines += [_run_row(run, now) for run in runs]
    broken = [run for run in runs if run.error is not None and run.total is None]
    return lines + [f"{run.run}: {run.error.message}" for run in broken if run.error is not None]


def _run_row(run: RunLine, now: float) -> str:
    name = formatting.shortened(run.run, _RUN_NAME_WIDTH)
    total = run.total
    if total is None or run.started_at is None:
        return f"{name:<{_RUN_NAME_WIDTH}}  cannot be read"
    return _RUN_COLUMNS.format(
        name,
        _run_state(run),
        f"{total.tables_complete}/{total.tables}",
        formatting.percent(total.progress_ratio),
        formatting.time_left(total.eta_seconds),
        f"{formatting.duration(max(0.0, now - run.started_at))} ago",
    ).rstrip()


def _run_state(run: RunLine) -> str:
    if run.under_way is not None and run.paused:
        return "paused"
    if run.under_way in ("move", "verification", "replay"):
        return {"move": "following", "verification": "verifying", "replay": "replaying"}[
            run.under_way
        ]
    return "interrupted" if run.state == "killed" else str(run.state)


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
        words = f"{words}, paused; dynaferry resume {run.record.run} resumes it"
    return words


def _copy_words(run: StoredRun) -> str:
    if run.state == "killed":
        return f"interrupted: {KILLED.message}"
    return _stalled_words(run) if run.state == "stalled" else run.state


def _stalled_words(run: StoredRun) -> str:
    since = formatting.duration(run.now - run.last_sign)
    process = "its process" if run.process is None else f"its process ({run.process})"
    return (
        f"stalled: nothing was stored for {since}, though it is still there; end {process},"
        " kill -9 if need be, then the same command resumes"
    )


def moment(seconds: float | None, now: float) -> str:
    """A moment of the past: when, and how long ago."""
    if seconds is None:
        return formatting.UNKNOWN
    written = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    return f"{written}, {formatting.duration(max(0.0, now - seconds))} ago"


def clock_time(seconds: float, now: float) -> str:
    """A moment of the future: the time of day, with the date unless it is today."""
    then, today = time.gmtime(seconds), time.gmtime(now)
    is_today = then[:3] == today[:3]
    return time.strftime("%H:%M UTC" if is_today else "%Y-%m-%d %H:%M UTC", then)
