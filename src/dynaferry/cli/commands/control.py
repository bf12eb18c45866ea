"""`dynaferry set`, `pause`, `resume`: changes the controls of a run, through its state file.

A copy, a verification or a replay under way polls the file by itself.
"""

import math
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.interrupts import run_async
from dynaferry.control.effective import EffectiveControls, effective_controls, in_words, set_by_hand
from dynaferry.errors import PlanError, StateError
from dynaferry.limits import LEAST_CAP_UNITS
from dynaferry.observe.health import is_stalled
from dynaferry.plan.schedule import Units
from dynaferry.report.stored_run import State, UnderWay, last_sign_of, state_of, under_way_of
from dynaferry.shared.who import user_name
from dynaferry.state.directory import sole_run
from dynaferry.state.records import (
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


class ControlRequest(Struct, frozen=True, kw_only=True):
    """The controls of a run after a change, as `--json` prints them.

    `stalled` says that the copy is under way, but has stored nothing for half a minute.
    """

    run: str
    status: State
    under_way: UnderWay | None
    effective: EffectiveControls = field(name="held")
    stalled: bool = False


def run_set(
    run: str | None, state_dir: Path, *, reads: str | None, writes: str | None, as_json: bool
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
    return _ask(run, state_dir, change, as_json=as_json)


def run_pause(run: str | None, state_dir: Path, *, paused: bool, as_json: bool) -> int:
    """Pauses a run or lets it go on, and returns the exit code; every error is reported."""
    return _ask(run, state_dir, ControlsChange(paused=paused), as_json=as_json)


def _cap(flag: str, typed: str | None) -> Units | Literal["plan"] | None:
    if typed is None:
        return None
    word = typed.strip().lower()
    if word == "none":
        return "none"
    if word == "plan":
        return "plan"
    try:
        units = float(word)
    except ValueError:
        units = math.nan
    if not (math.isfinite(units) and units >= LEAST_CAP_UNITS):
        raise PlanError(
            f"{flag} cannot be {typed!r}",
            hint=f"it is a number of units a second, {LEAST_CAP_UNITS:g} at least, none, or plan",
        )
    return units


def _ask(run: str | None, state_dir: Path, change: ControlsChange, *, as_json: bool) -> int:
    try:
        name = sole_run(state_dir, run)
        asked, moved = run_async(partial(_store, state_dir, name, change))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    for line in to_lines(asked, change, moved=moved):
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(asked).decode())
    return exit_codes.COMPLETE


async def _store(state_dir: Path, run: str, change: ControlsChange) -> tuple[ControlRequest, bool]:
    """What holds from now on, and whether the run is a move."""
    store = await SqliteStore.open_to_control(state_dir, run)
    try:
        record, state = await state_of(store, state_dir, run)
        under_way = await under_way_of(state, state_dir, run)
        moved = record.identity.move is not None
        _check_there_is_something_to_hold(record, state, under_way, moved=moved)
        now = time.time()
        is_paused = (await store.read_controls()).paused_at is not None
        stalled = state == "running" and is_stalled(last_sign_of(record), now, paused=is_paused)
        controls = await store.change_controls(change, now, f"{user_name()} on the command line")
        effective = effective_controls(record.settings, controls, datetime.fromtimestamp(now, UTC))
        asked = ControlRequest(
            run=run, status=state, under_way=under_way, effective=effective, stalled=stalled
        )
        return asked, moved
    finally:
        await store.aclose()


def _check_there_is_something_to_hold(
    record: RunRecord, state: State, under_way: UnderWay | None, *, moved: bool
) -> None:
    if state in ("complete", "rejected") and under_way is None and not moved:
        raise StateError(
            f"the run {record.run} is complete: there is nothing left to hold back",
            hint="rejected items are written again by dynaferry dead-letters replay"
            if state == "rejected"
            else None,
        )


def to_lines(asked: ControlRequest, change: ControlsChange, *, moved: bool = False) -> list[str]:
    """The lines for people: what holds from now on, and when it begins to."""
    effective = (
        asked.effective
        if asked.under_way in ("copy", "move", None)
        else set_by_hand(asked.effective)
    )
    lines = [f"{asked.run}: {in_words(effective) or 'nothing holds it back'}"]
    if asked.stalled:
        lines.append("it is stalled: it does so once it goes on; dynaferry status says more")
        return lines
    if asked.under_way is not None:
        lines.append(f"{WORDS[asked.under_way]}, and does so within two seconds")
        return lines
    ended = "was killed or crashed" if asked.status == "killed" else f"is {asked.status}"
    if moved:
        ended = "is not followed by any process"
    if change.paused is False:
        command = "move" if moved else "copy"
        lines.append(f"it {ended}: the same {command} command as before lets it go on")
    else:
        lines.append(f"it {ended}: this holds from its next attempt on")
    return lines
