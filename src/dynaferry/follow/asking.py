"""Asks something of a running move through its run's file, and waits for what becomes of it.

Where the move's process is gone, or whoever asks stops, the transition is withdrawn; but what it
has become meanwhile stands: a go that was stored a moment before is a go.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from msgspec import Struct

from dynaferry.errors import StateError
from dynaferry.follow.move_state import (
    AllowedCommand,
    MoveCommand,
    RefusedCommand,
    asked,
    is_over,
)
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import has_state, lock_path, move_name, spool_path
from dynaferry.state.lock import is_locked
from dynaferry.state.move_records import (
    MoveRecord,
    Stage,
    TransitionOutcome,
    TransitionRecord,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal

POLL_SECONDS: Final = 0.2
CHECK_POLL_SECONDS: Final = 0.05
BEAT_SECONDS: Final = 0.5
# A move that follows looks several times a second; a check describes the targets as well.
CHECK_SECONDS: Final = 10.0
# Another transition of somebody who is not there any more is ended by the move within this.
OTHERS_SECONDS: Final = 7.0
# Beyond the time that was given the move has ended it, or is not there.
GRACE_SECONDS: Final = 10.0
# What is refused in these states may be done a moment later.
_EARLY: Final[tuple[Stage, ...]] = (
    "capturing",
    "copying",
    "replaying",
    "re-syncing",
    "cutting-over",
    "going-back",
)
NOT_RUNNING: Final = "no process moves it now: the same move command resumes it"


class Answer(Struct, frozen=True, kw_only=True):
    """What became of what was asked, and the move as it stands then; None before it follows."""

    outcome: TransitionOutcome
    reply: TransitionReply
    move: MoveRecord | None = None
    is_done_already: bool = False


class MoveAsker:
    """Asks the move of one run; `say` is told each step of it."""

    def __init__(
        self,
        file: MoveFile,
        state_dir: Path,
        run: str,
        stop: StopSignal,
        say: Callable[[str], None],
    ) -> None:
        self._file = file
        self._state_dir = state_dir
        self._run = run
        self._stop = stop
        self._say = say
        self._said = 0

    async def ask(self, command: MoveCommand, request: TransitionRequest) -> Answer:
        """Asks and waits. What the state of the move refuses is not asked.

        :raises StateError: the run is no move
        """
        move = await self._file.read_move()
        if move is None:
            return await self._answer_without_move()
        allowed = asked(command, move.stage, has_way_back=move.has_way_back)
        if isinstance(allowed, RefusedCommand) and not _is_asked(command, request, move.stage):
            return self._refused(move, allowed)
        if isinstance(allowed, AllowedCommand) and allowed.is_done_already:
            return Answer(outcome="done", reply=_reply(), move=move, is_done_already=True)
        if not await self.is_running():
            return Answer(outcome="not ready", reply=_reply(NOT_RUNNING), move=move)
        transition = await self._asked(request)
        if transition is None:
            why = "something else that was asked of it is under way"
            return Answer(outcome="not ready", reply=_reply(why), move=move)
        return _unless_done(command, await self._until_ended(transition))

    async def is_running(self) -> bool:
        """Whether a process moves the run's tables."""
        return await to_thread.run_sync(is_locked, self._state_dir, move_name(self._run))

    async def withdraw_another(self) -> None:
        """Whatever else was asked and has no end is withdrawn."""
        for transition in await self._file.read_open():
            if transition.request.what != "check":
                await self._file.end(transition.number, "withdrawn", time.time())

    async def _answer_without_move(self) -> Answer:
        if await self.is_running():
            why = "its tables are being copied"
            return Answer(outcome="not ready", reply=_reply(why))
        raise StateError(
            f"the run {self._run} is no move, or has not followed yet",
            hint="dynaferry move captures what changes while a table is copied, and follows it",
        )

    def _refused(self, move: MoveRecord, refused: RefusedCommand) -> Answer:
        told = refused.why if refused.hint is None else f"{refused.why} ({refused.hint})"
        is_early = move.stage in _EARLY
        outcome: TransitionOutcome = "not ready" if is_early else "refused"
        return Answer(outcome=outcome, reply=_reply(told), move=move)

    async def _asked(self, request: TransitionRequest) -> TransitionRecord | None:
        """The transition, once no other one is open; None where another one stays."""
        with anyio.move_on_after(OTHERS_SECONDS):
            while not self._stop.asked:
                now = time.time()
                found = await self._file.ask(request, now)
                if found.asked_at == now and found.request == request:
                    return found
                await anyio.sleep(POLL_SECONDS)
        return None

    async def _until_ended(self, transition: TransitionRecord) -> Answer:
        request, number = transition.request, transition.number
        seconds, poll_seconds = request.timeout_seconds, POLL_SECONDS
        if request.what == "check":
            seconds, poll_seconds = CHECK_SECONDS, CHECK_POLL_SECONDS
        until = anyio.current_time() + seconds + GRACE_SECONDS
        beaten_at = 0.0
        try:
            while transition.outcome is None:
                if self._stop.asked:
                    return await self._withdrawn(number, "interrupted")
                if not await self.is_running():
                    return await self._withdrawn(number, NOT_RUNNING)
                if anyio.current_time() > until:
                    return await self._withdrawn(number, "the move does not respond")
                if anyio.current_time() - beaten_at >= BEAT_SECONDS:
                    beaten_at = anyio.current_time()
                    transition = await self._file.beat(number)
                else:
                    transition = await self._file.read_transition(number)
                self._tell(transition)
                with anyio.move_on_after(poll_seconds):
                    await self._stop.finish.wait()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._file.end(number, "withdrawn", time.time())
            raise
        return await self._answer(transition)

    async def _withdrawn(self, number: int, why: str) -> Answer:
        """Withdraws it, unless it has an end: that one counts."""
        if await self._file.end(number, "withdrawn", time.time()):
            return Answer(outcome="withdrawn", reply=_reply(why), move=await self._file.read_move())
        return await self._answer(await self._file.read_transition(number))

    async def _answer(self, transition: TransitionRecord) -> Answer:
        self._tell(transition)
        return Answer(
            outcome=transition.outcome or "withdrawn",
            reply=transition.reply or _reply(),
            move=await self._file.read_move(),
        )

    def _tell(self, transition: TransitionRecord) -> None:
        lines = () if transition.reply is None else transition.reply.lines
        for line in lines[self._said :]:
            self._say(line)
        self._said = len(lines)


def _unless_done(command: MoveCommand, answer: Answer) -> Answer:
    """What was refused because it was done meanwhile, as somebody else had asked, was done."""
    if answer.outcome != "refused" or answer.move is None:
        return answer
    now = asked(command, answer.move.stage, has_way_back=answer.move.has_way_back)
    if isinstance(now, AllowedCommand) and now.is_done_already:
        return Answer(outcome="done", reply=_reply(), move=answer.move, is_done_already=True)
    return answer


def _is_asked(command: MoveCommand, request: TransitionRequest, stage: Stage) -> bool:
    """Whether it is asked all the same where the state refuses it.

    What is under way may be over in a moment, as where who asked for it was killed. A check is
    answered for the way that is open: of the other one it would say nothing.
    """
    if request.what == "check":
        return not is_over(stage) and (command == "cut-back") == (stage == "going-back")
    return stage in ("cutting-over", "going-back")


async def end_alone(file: MoveFile, stage: Stage) -> bool:
    """Ends a move that no process moves: returns whether it was in a state to be ended from."""
    move = await file.begin_move("capturing", time.time(), has_way_back=False)
    allowed = asked("abort" if stage == "aborted" else "finish", move.stage)
    if not isinstance(allowed, AllowedCommand):
        return False
    return allowed.is_done_already or await file.enter(stage, move.stage, time.time())


async def check_goes_on(state_dir: Path, run: str, *, restart: bool) -> MoveRecord | None:
    """The move of a run that goes on, None where one begins: not where it has ended for good. One
    that was switched does not begin anew either: its target is in use.

    :raises StateError: it may not go on, or its file cannot be read
    """
    if not await to_thread.run_sync(has_state, state_dir, run):
        return None
    file = await MoveFile.open(state_dir, run)
    async with closing(file):
        move = await file.read_move()
    if move is None or (restart and move.switched_at is None):
        return None
    if restart:
        raise StateError(
            f"the move {run} was switched: its target is in use, and is not copied over",
            hint="begin another move with --run",
        )
    allowed = asked("move", move.stage)
    if isinstance(allowed, RefusedCommand):
        raise StateError(allowed.why, hint=allowed.hint)
    return move


async def check_is_move(state_dir: Path, run: str, hint: str) -> None:
    """Returns if the run is a move, whether it has followed yet or has ended.

    :raises StateError: it is a copy, or cannot be read
    """
    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        is_move = (await store.read_run()).identity.move is not None
    file = await MoveFile.open_for_reading(state_dir, run)
    async with closing(file):
        is_move = is_move or await file.read_move() is not None
    if not (is_move or await to_thread.run_sync(_has_traces, state_dir, run)):
        raise StateError(f"the run {run} is a copy, and no move", hint=hint)


def _has_traces(state_dir: Path, run: str) -> bool:
    """Whether there are files of a move. One without a stream that is still copied has no more than
    that of its lock, which stays where it is.
    """
    return any(
        path.exists()
        for path in (spool_path(state_dir, run, 0), lock_path(state_dir, move_name(run)))
    )


def _reply(*reasons: str) -> TransitionReply:
    return TransitionReply(step="", since=time.time(), reasons=reasons)
