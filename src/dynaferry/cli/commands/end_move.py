"""`dynaferry abort` and `dynaferry finish`: end a move for good, and say what is left."""

from __future__ import annotations

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
)
from dynaferry.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

    from dynaferry.follow.asking import MoveAsker
    from dynaferry.state.move_records import MoveRecord
    from dynaferry.state.records import RunRecord
    from dynaferry.stop import StopSignal

# The process of the move ends what is on its way first.
ENDS_WITHIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2


class EndOfMove(Struct, frozen=True, kw_only=True):
    """The end of a move, as `--json` prints it.

    `late_writes` are keys that were written to the source behind the switch; `kept` are the files
    that hold them. `expired` counts deletes by time to live, which are none. `after_go` is what the
    comparison behind the go has found, null where it has not ended. `left` says what is to be done
    by hand.
    """

    run: str
    state: str
    late_writes: int = 0
    expired: int = 0
    after_go: str | None = None
    kept: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def run_end(command: EndCommand, run: str | None, state_dir: Path, *, as_json: bool) -> int:
    """Ends the move, and returns the exit code; every error is reported, none raised."""
    from dynaferry.cli.interrupts import run_async, run_until_stopped
    from dynaferry.state.directory import sole_run

    try:
        name = sole_run(state_dir, run)
        ending = partial(run_until_stopped, partial(_end, command, state_dir, name))
        ended: EndOfMove = run_async(ending)
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    screen.say(f"{ended.run}: the move is {ended.state}")
    for line in ended.left:
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(ended).decode())
    is_wrong = ended.late_writes or ended.after_go == "different"
    return exit_codes.DIFFERENT if is_wrong else exit_codes.COMPLETE


async def _end(command: EndCommand, state_dir: Path, run: str, stop: StopSignal) -> EndOfMove:
    from dynaferry.follow.asking import MoveAsker, check_is_move, end_alone
    from dynaferry.run.lifecycle import closing
    from dynaferry.state.move_records import MoveRecord
    from dynaferry.state.sqlite.move_file import MoveFile
    from dynaferry.state.sqlite.store import SqliteStore

    stage: Literal["aborted", "finished"] = "aborted" if command == "abort" else "finished"
    await check_is_move(state_dir, run, _OF_A_COPY)
    file = await MoveFile.open(state_dir, run)
    async with closing(file):
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
    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        record = await store.read_run()
    return _ended(command, state_dir, record, move or MoveRecord(stage=stage, since=0.0))


def _ended(command: EndCommand, state_dir: Path, record: RunRecord, move: MoveRecord) -> EndOfMove:
    """Removes what is not needed any more, and says what is left."""
    from dynaferry.follow.after_go_certificate import read_after_go
    from dynaferry.follow.enabled_streams import created_streams, enabled_streams
    from dynaferry.follow.late_writes import late_writes_of
    from dynaferry.follow.spools_left import remove_spools, remove_ways_back

    run, tables = record.run, record.identity.tables
    known = [
        late_writes_of(state_dir, run, number, side)
        for side in ("source", "target")
        for number in range(len(tables))
    ]
    keeps = command == "finish"
    late, kept = remove_spools(state_dir, run, len(tables), keep_late_writes=keeps)
    late_back, kept_back = remove_ways_back(state_dir, run, len(tables), keep_late_writes=keeps)
    lost = [why for each in known for why in each.lost]
    found = read_after_go(state_dir, run) if keeps else None
    is_of_this_go = found is not None and found.go == move.switched_at
    streams = enabled_streams(state_dir, run), created_streams(state_dir, run)
    left = left_of(command, move, tables, *streams)
    return EndOfMove(
        run=run,
        state=move.stage,
        late_writes=late + late_back,
        expired=sum(each.expired for each in known),
        after_go=found.status if found is not None and is_of_this_go else None,
        kept=tuple(str(path) for path in (*kept, *kept_back)),
        left=(
            *(late_lines(run, late, kept, lost) if keeps else ()),
            *(compared_lines(move, found) if keeps else ()),
            *late_lines_of_targets(late_back, kept_back),
            *left,
        ),
    )


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
