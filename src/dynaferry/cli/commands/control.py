"""`dynaferry set`, `pause`, `resume`: changes the controls of a run, through its state file.

A copy, a verification or a replay under way polls the file by itself.
"""

import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import replace

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.interrupts import run_async
from dynaferry.control.effective import (
    EffectiveControls,
    effective_controls,
    effective_for_table,
    in_words,
    set_by_hand,
)
from dynaferry.control.named_tables import tables_named
from dynaferry.control.typed_caps import with_set_caps
from dynaferry.errors import PlanError, StateError
from dynaferry.limits import LEAST_CAP_UNITS
from dynaferry.observe.health import is_stalled
from dynaferry.plan.resume_command import (
    RecordedCommand,
    current_directory,
    resume_line,
    resume_lines,
)
from dynaferry.plan.schedule import Units
from dynaferry.report.move_end import MoveEnd, move_end_of
from dynaferry.report.stored_run import State, UnderWay, last_sign_of, state_of, under_way_of
from dynaferry.shared.who import user_name
from dynaferry.state.directory import sole_run
from dynaferry.state.records import (
    Controls,
    ControlsChange,
    RunRecord,
)
from dynaferry.state.sqlite.store import SqliteStore

WORDS: Final[dict[UnderWay, str]] = {
    "copy": "it runs",
    "move": "its move is under way",
    "verification": "its verification is under way",
    "replay": "a replay of its dead letters is under way",
}


class TableControl(Struct, frozen=True, kw_only=True):
    """The controls of one table after a change; they hold beside those of its run."""

    source: str
    target: str
    effective: EffectiveControls = field(name="held")


class ControlRequest(Struct, frozen=True, kw_only=True):
    """The controls of a run after a change, as `--json` prints them.

    `stalled` says that the copy is under way, but has stored nothing for half a minute. `tables`
    are those that were named. `resume_command` is what resumes a run that has stopped, as it is
    typed, and None where it is under way or nobody knows.
    """

    run: str
    status: State
    under_way: UnderWay | None
    effective: EffectiveControls = field(name="held")
    stalled: bool = False
    tables: tuple[TableControl, ...] | UnsetType = UNSET
    resume_command: str | None = None


class Asked(NamedTuple):
    """What was asked for, as it stands now; `command` is the one that began the last attempt,
    `printed` the same with the caps that were set since.
    """

    request: ControlRequest
    change: ControlsChange
    moved: bool
    command: RecordedCommand | None
    printed: RecordedCommand | None = None

    @property
    def may_be_begun(self) -> bool:
        """Whether the run has stopped before its end, and how it was begun is known.

        A move that has ended is refused before anything is asked of it.
        """
        status, is_idle = self.request.status, self.request.under_way is None
        return is_idle and self.command is not None and (self.moved or status not in _DONE)


_DONE: Final = ("complete", "rejected")


def run_set(
    run: str | None,
    state_dir: Path,
    *,
    reads: str | None,
    writes: str | None,
    tables: Sequence[str] = (),
    as_json: bool,
) -> int:
    """Sets caps and returns the exit code; every error is reported."""
    try:
        if reads is None and writes is None:
            raise PlanError(
                "nothing is to be set", hint="give --max-write-units or --max-read-units, or both"
            )
        change = ControlsChange(
            max_read_units=_cap("--max-read-units", reads),
            max_write_units=_cap("--max-write-units", writes),
        )
    except PlanError as error:
        return failure.report(error, as_json=as_json, run=run)
    return run_change(run, state_dir, change, tables=tables, as_json=as_json)


def run_pause(
    run: str | None, state_dir: Path, *, tables: Sequence[str] = (), as_json: bool
) -> int:
    """Pauses a run and returns the exit code; every error is reported."""
    return run_change(run, state_dir, ControlsChange(paused=True), tables=tables, as_json=as_json)


def run_change(
    run: str | None,
    state_dir: Path,
    change: ControlsChange,
    *,
    tables: Sequence[str] = (),
    as_json: bool,
    then: Callable[[Asked], int | None] = lambda _: None,
) -> int:
    """Stores what is asked for, says what holds from now on, and returns the exit code.

    `then` is given what was asked, and returns the exit code where it does something of its own
    instead of saying it.
    """
    try:
        name = sole_run(state_dir, run)
        asked = run_async(partial(_store, state_dir, name, change, tables))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    code = then(asked)
    if code is not None:
        return code
    for line in to_lines(asked):
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(_document(asked)).decode())
    return exit_codes.COMPLETE


def _document(asked: Asked) -> ControlRequest:
    if asked.printed is None:
        return asked.request
    line = resume_line(asked.printed, here=current_directory())
    return replace(asked.request, resume_command=line)


def _cap(flag: str, typed: str | None) -> Units | Literal["plan"] | None:
    if typed is None:
        return None
    word = typed.strip().lower()
    if word == "none":
        return "none"
    if word in ("default", "plan"):
        return "plan"
    try:
        units = float(word)
    except ValueError:
        units = math.nan
    if not (math.isfinite(units) and units >= LEAST_CAP_UNITS):
        raise PlanError(
            f"{flag} cannot be {typed!r}",
            hint=f"it is a number of units a second, {LEAST_CAP_UNITS:g} or more, none or default",
        )
    return units


async def _store(state_dir: Path, run: str, change: ControlsChange, tables: Sequence[str]) -> Asked:
    """What holds from now on."""
    store = await SqliteStore.open_to_control(state_dir, run)
    try:
        record, state = await state_of(store, state_dir, run)
        under_way = await under_way_of(state, state_dir, run)
        moved = record.identity.move is not None
        if under_way is None:
            _check_there_is_something_to_hold(
                record, state, await move_end_of(state_dir, record), moved=moved
            )
        numbers = tables_named(record, tables)
        now = time.time()
        controls = await store.read_controls()
        is_paused = controls.paused_at is not None
        stalled = state == "running" and is_stalled(last_sign_of(record), now, paused=is_paused)
        by = f"{user_name()} on the command line"
        for number in numbers or (None,):
            name = None if number is None else record.settings.tables[number].target_name
            controls = await store.change_controls(replace(change, table=name), now, by)
        command = None if under_way is not None else record.settings.command
        printed = None if command is None else with_set_caps(command, controls)
        request = ControlRequest(
            run=run,
            status=state,
            under_way=under_way,
            effective=effective_controls(
                record.settings, controls, datetime.fromtimestamp(now, UTC)
            ),
            stalled=stalled,
            tables=_of_tables(record, controls, numbers) if numbers else UNSET,
        )
        return Asked(request, change, moved, command, printed)
    finally:
        await store.aclose()


def _of_tables(
    record: RunRecord, controls: Controls, numbers: Sequence[int]
) -> tuple[TableControl, ...]:
    planned = [record.settings.tables[number] for number in numbers]
    return tuple(
        TableControl(
            source=table.source_name,
            target=table.target_name,
            effective=effective_for_table(table, controls.tables.get(table.target_name)),
        )
        for table in planned
    )


def _check_there_is_something_to_hold(
    record: RunRecord, state: State, ended: MoveEnd | None, *, moved: bool
) -> None:
    if ended is not None:
        raise StateError(f"the move of {record.run} is {ended}: there is nothing left to limit")
    if state in _DONE and not moved:
        raise StateError(
            f"the run {record.run} is complete: there is nothing left to limit",
            hint="rejected items are written again by dynaferry dead-letters replay"
            if state == "rejected"
            else None,
        )


def to_lines(asked: Asked) -> list[str]:
    """The lines for people: what holds from now on, and when it begins to."""
    request = asked.request
    lines = [_run_line(request)] if isinstance(request.tables, UnsetType) else _table_lines(request)
    if request.stalled:
        lines.append("it is stalled: this holds once it continues; dynaferry status says more")
        return lines
    if request.under_way is not None:
        lines.append(f"{WORDS[request.under_way]}; this takes effect within 2 s")
        return lines
    return lines + _ended_lines(asked)


def _run_line(request: ControlRequest) -> str:
    effective = (
        request.effective
        if request.under_way in ("copy", "move", None)
        else set_by_hand(request.effective)
    )
    return f"{request.run}: {in_words(effective) or 'no pause and no limits'}"


def _table_lines(request: ControlRequest) -> list[str]:
    tables = () if isinstance(request.tables, UnsetType) else request.tables
    lines = [
        f"{request.run}, {table.source}: {in_words(table.effective) or 'no pause, no limits'}"
        for table in tables
    ]
    of_run = in_words(set_by_hand(request.effective))
    return lines if of_run is None else [*lines, f"for all tables of the run: {of_run}"]


def _ended_lines(asked: Asked) -> list[str]:
    status = asked.request.status
    ended = "was killed or crashed" if status == "killed" else f"is {status}"
    if asked.moved:
        ended = "is not followed by any process"
    if asked.change.paused is not False:
        return [f"it {ended}: this holds from its next attempt on"]
    if asked.printed is None:
        command = "move" if asked.moved else "copy"
        return [f"it {ended}: the same {command} command as before resumes it"]
    return [f"it {ended}", *resume_lines(asked.printed, here=current_directory())]
