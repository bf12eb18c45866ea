"""`dynaferry abort` and `dynaferry finish`: end a move for good, and say what is left."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.end_move_text import (
    EndCommand,
    compared_lines,
    late_lines,
    late_lines_of_targets,
    left_of,
    pending_lines,
)
from dynaferry.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

    from dynaferry.follow.asking import MoveAsker
    from dynaferry.follow.enabled_streams import EnabledStream
    from dynaferry.follow.late_writes import LateWritesOfTable
    from dynaferry.state.move_records import MoveRecord
    from dynaferry.state.records import RunRecord
    from dynaferry.state.sqlite.move_file import MoveFile
    from dynaferry.stop import StopSignal

# The process of the move ends what is on its way first.
ENDS_WITHIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
_ENDED: Final = ("finished", "aborted")


class EndOfMove(Struct, frozen=True, kw_only=True):
    """The end of a move, as `--json` prints it.

    `late_writes` are keys that were written to the source behind the switch; `kept` are the files
    that hold them. `expired` counts deletes by time to live, which are none. `after_go` is what the
    comparison behind the go has found, null where it has not ended. `left` says what is to be done
    by hand; or, where the move has not ended, why, and `state` is that it stands at.
    """

    run: str
    state: str
    late_writes: int = 0
    expired: int = 0
    after_go: str | None = None
    kept: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def run_end(
    command: EndCommand,
    run: str | None,
    state_dir: Path,
    *,
    as_json: bool,
    without_comparison: bool = False,
) -> int:
    """Ends the move, and returns the exit code; every error is reported, none raised. It finishes
    none whose comparison behind the go has not ended, unless `without_comparison`.
    """
    from dynaferry.cli.interrupts import run_async, run_until_stopped
    from dynaferry.state.directory import sole_run

    try:
        name = sole_run(state_dir, run)
        wants_it = command == "finish" and not without_comparison
        end = partial(_end, command, state_dir, name, wants_it)
        ended: EndOfMove = run_async(partial(run_until_stopped, end))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    screen.say(f"{ended.run}: the move is {ended.state}")
    for line in ended.left:
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(ended).decode())
    if ended.state not in _ENDED:
        return exit_codes.NOT_READY
    is_wrong = ended.late_writes or ended.after_go == "different"
    return exit_codes.DIFFERENT if is_wrong else exit_codes.COMPLETE


async def _end(
    command: EndCommand, state_dir: Path, run: str, wants_comparison: bool, stop: StopSignal
) -> EndOfMove:
    from dynaferry.follow.asking import MoveAsker, check_is_move, end_alone
    from dynaferry.run.lifecycle import closing
    from dynaferry.state.move_records import MoveRecord
    from dynaferry.state.sqlite.move_file import MoveFile
    from dynaferry.state.sqlite.store import SqliteStore

    stage: Literal["aborted", "finished"] = "aborted" if command == "abort" else "finished"
    await check_is_move(state_dir, run, _OF_A_COPY)
    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        record = await store.read_run()
    file = await MoveFile.open(state_dir, run)
    async with closing(file):
        if wants_comparison and (found := await _not_ready(file, state_dir, record)) is not None:
            return found
        asker = MoveAsker(file, state_dir, run, stop, screen.say)
        if await asker.is_running():
            await _ask_the_process(command, asker, stop)
        elif not await end_alone(file, stage):
            move = await file.read_move()
            raise StateError(f"the move is {move.stage if move else 'not there'}: {_WHY[command]}")
        if not await _has_ended(asker):
            raise StateError(
                "the move's process does not end",
                hint="stop it, then run the same command again",
            )
        move = await file.read_move()
    return _ended(command, state_dir, record, move or MoveRecord(stage=stage, since=0.0))


async def _not_ready(file: MoveFile, state_dir: Path, record: RunRecord) -> EndOfMove | None:
    """How it stands where what compares it behind its go has not ended; None where it may end."""
    from anyio import to_thread

    from dynaferry.follow.after_go_pending import pending_comparison

    if (move := await file.read_move()) is None:
        return None
    look = partial(pending_comparison, state_dir, record, move, time.time())
    if (pending := await to_thread.run_sync(look)) is None:
        return None
    known = await to_thread.run_sync(_late_writes, state_dir, record)
    return EndOfMove(
        run=record.run,
        state=move.stage,
        late_writes=sum(each.keys for each in known),
        expired=sum(each.expired for each in known),
        left=tuple(pending_lines(record.run, pending)),
    )


def _late_writes(state_dir: Path, record: RunRecord) -> list[LateWritesOfTable]:
    """What is known of them, of both sides of all tables. It blocks."""
    from dynaferry.follow.late_writes import late_writes_of

    return [
        late_writes_of(state_dir, record.run, number, side)
        for side in ("source", "target")
        for number in range(len(record.identity.tables))
    ]


def _ended(command: EndCommand, state_dir: Path, record: RunRecord, move: MoveRecord) -> EndOfMove:
    """Removes what is not needed any more, and says what is left."""
    from dynaferry.follow.after_go_certificate import read_after_go
    from dynaferry.follow.enabled_streams import created_streams
    from dynaferry.follow.spools_left import remove_spools, remove_ways_back
    from dynaferry.state.directory import after_go_path

    run, tables = record.run, record.identity.tables
    known = _late_writes(state_dir, record)
    keeps = command == "finish"
    late, kept = remove_spools(state_dir, run, len(tables), keep_late_writes=keeps)
    late_back, kept_back = remove_ways_back(state_dir, run, len(tables), keep_late_writes=keeps)
    lost = [why for each in known for why in each.lost]
    found = read_after_go(state_dir, run) if keeps else None
    is_of_this_go = found is not None and found.go == move.switched_at
    enabled = _enabled_streams(command, state_dir, run)
    left = left_of(command, move, tables, enabled, created_streams(state_dir, run))
    return EndOfMove(
        run=run,
        state=move.stage,
        late_writes=late + late_back,
        expired=sum(each.expired for each in known),
        after_go=found.status if found is not None and is_of_this_go else None,
        kept=tuple(str(path) for path in (*kept, *kept_back)),
        left=(
            *(late_lines(run, late, kept, lost) if keeps else ()),
            *(compared_lines(move, found, after_go_path(state_dir, run)) if keeps else ()),
            *late_lines_of_targets(late_back, kept_back),
            *left,
        ),
    )


def _enabled_streams(command: EndCommand, state_dir: Path, run: str) -> list[EnabledStream]:
    from dynaferry.follow.enabled_streams import closed_streams, enabled_streams

    enabled = enabled_streams(state_dir, run)
    if command == "abort":
        # Noted before the call that disables it: a process that ended there has not made it.
        enabled += closed_streams(state_dir, run)
    return enabled


_OF_A_COPY: Final = (
    "a copy is stopped by Ctrl-C, and there is no more to end; the tables are as they are"
)
_WHY: Final[dict[EndCommand, str]] = {
    "abort": "only a move that was not switched can be aborted",
    "finish": "only a move that was switched can be finished; dynaferry abort ends it before",
}


async def _ask_the_process(command: EndCommand, asker: MoveAsker, stop: StopSignal) -> None:
    from dynaferry.state.move_records import TransitionRequest

    if command == "abort":
        await asker.withdraw_another()
    answer = await asker.ask(command, TransitionRequest(what=command, timeout_seconds=30.0))
    if answer.outcome != "done":
        hint = None
        if answer.move is None:
            hint = "stop it (Ctrl-C), then run the same command again"
        raise StateError("; ".join(answer.reply.reasons), hint=hint)


async def _has_ended(asker: MoveAsker) -> bool:
    """Whether the process of the move has let go of it."""
    import anyio

    for _ in range(round(ENDS_WITHIN_SECONDS / _POLL_SECONDS)):
        if not await asker.is_running():
            return True
        await anyio.sleep(_POLL_SECONDS)
    return False
