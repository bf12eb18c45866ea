"""What others ask of a move without a stream, through the run's file, is answered here.

As beside a stream (`switching`): a check at once, a switch step by step, and its go is stored with
the state behind it before anybody is told.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import TaskGroup

from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow.move_state import AllowedCommand, MoveCommand, asked
from dynaferry.follow.passes.convergence import outage_line, refusals
from dynaferry.follow.passes.last_pass import NOT_SHOWN, POLL_SECONDS, LastPass
from dynaferry.follow.passes.passes import Passes
from dynaferry.follow.passes.watched_keys import WatchedKeys
from dynaferry.observe import formatting
from dynaferry.run.lifecycle import Say, first_reason
from dynaferry.state.move_records import Stage, TransitionRecord, TransitionReply
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.stop import StopSignal

AFTER_AN_ERROR_SECONDS: Final = 5.0

# Whatever the file and the tables say against a switch, besides the state and the passes.
Against = Callable[[], Awaitable[tuple[str, ...]]]


class PassesAnswering:
    """Answers what is asked of one move; `stage` is its state, as it is stored."""

    def __init__(
        self,
        file: PassFile,
        passes: Passes,
        watched: WatchedKeys,
        against: Against,
        stop: StopSignal,
        say: Say,
        stage: Stage,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._passes = passes
        self._watched = watched
        self._against = against
        self._stop = stop
        self._say = say
        self._clock = clock
        self._is_switching = False
        self.stage = stage

    async def note_pass(self, has_converged: bool) -> None:
        """Behind a pass; once they have converged a switch may be asked for."""
        with suppress(StateError):  # somebody verifies just now: the keys of before stay
            await self._watched.choose()
        if has_converged and self.stage == "replaying":
            await self._enter("following")

    async def run(self) -> None:
        """Answers until it is cancelled."""
        async with anyio.create_task_group() as attempts:
            while True:
                await anyio.sleep(POLL_SECONDS)
                try:
                    for transition in await self._file.read_open():
                        await self._answer(transition, attempts)
                except DynaferryError as error:
                    self._say(f"what is asked of this move cannot be answered: {error.message}")
                    await anyio.sleep(AFTER_AN_ERROR_SECONDS)

    async def _answer(self, transition: TransitionRecord, attempts: TaskGroup) -> None:
        what = transition.request.what
        if what == "check":
            await self._check(transition)
        elif what == "cut-over":
            if not self._is_switching:
                self._is_switching = True
                attempts.start_soon(self._cut_over, transition)
        elif what == "cut-back":
            await self._refuse(transition, "without a stream there is no way back")
        else:
            await self._end_move(transition, what)

    async def _check(self, transition: TransitionRecord) -> None:
        reasons = await self._reasons(transition)
        if (left := self._passes.may_land_until - self._clock()) > 0:
            reasons = (
                *reasons,
                f"of a write nobody knows what became of it, for {left:.0f} s more",
            )
        told = self._passes.outage()
        lines: list[str] = []
        if told is not None:
            lines.append(outage_line(told))
            if told.writing_seconds > told.reading_seconds and self._passes.under_way is None:
                self._passes.want_one()
                lines.append("another pass begins now: behind it the outage is shorter")
        reply = TransitionReply(
            step="check",
            since=self._clock(),
            lines=tuple(lines),
            reasons=reasons,
            not_shown=NOT_SHOWN,
            outage_seconds=None if told is None else told.seconds,
        )
        await self._file.end(
            transition.number, "not ready" if reasons else "done", self._clock(), reply=reply
        )

    async def _reasons(self, transition: TransitionRecord) -> tuple[str, ...]:
        """All that speaks against a switch, before anybody stops anything."""
        reasons: list[str] = []
        if self.stage not in ("following", "cutting-over"):
            reasons.append(f"it is {self.stage}: its passes have not converged yet")
        if transition.request.proof == "closed":
            reasons.append("there is no stream that could be closed: leave --proof out")
        told, timeout = self._passes.outage(), transition.request.timeout_seconds
        if told is not None and told.seconds > timeout:
            about = formatting.duration(told.seconds)
            least = f"{1.5 * told.seconds:.0f}"
            reasons.append(
                f"the last pass takes about {about}, and --timeout {timeout:g} is less: "
                f"--timeout {least} leaves room"
            )
        return (*reasons, *refusals(self._passes.made), *await self._against())

    async def _cut_over(self, transition: TransitionRecord) -> None:
        """Takes it to its end. What fails ends it, and the passes go on."""
        try:
            await self._refuse_or_switch(transition)
        except* DynaferryError as group:
            why = first_reason(group).message
            self._say(f"the cut-over cannot continue: {why}")
            with suppress(DynaferryError):
                await self._not_ready(transition, (why,))
        finally:
            self._is_switching = False

    async def _refuse_or_switch(self, transition: TransitionRecord) -> None:
        if not isinstance(asked("cut-over", self.stage), AllowedCommand):
            await self._refuse(transition, f"it is {self.stage}")
            return
        if reasons := await self._reasons(transition):
            await self._not_ready(transition, reasons)
            return
        if not await self._enter("cutting-over"):
            return  # it is taken up again in the state that it is in then
        self._say("a cut-over was asked for")
        last = LastPass(
            self._file, self._passes, self._watched, transition, self._stop, self._clock
        )
        try:
            await last.make()
        finally:
            with anyio.CancelScope(shield=True):
                await self._note_how_it_ended()

    async def _note_how_it_ended(self) -> None:
        """What is stored decides: passes go on only where no go is."""
        if await self._enter("following"):
            self._passes.end(is_over=False)
            self._say("nothing was switched: its passes continue")
        elif (move := await self._file.read_move()) is not None:
            self.stage = move.stage
            if self.stage == "switched":
                self._say("go: the target may be used; nothing is written to it any more")
            self._stop.ask()

    async def _end_move(self, transition: TransitionRecord, what: MoveCommand) -> None:
        """Ends the move for good: this process stops, and none goes on."""
        # As it is stored: a go of a moment ago may not be known here yet.
        move = await self._file.read_move()
        stage = self.stage if move is None else move.stage
        allowed = asked(what, stage)
        if not isinstance(allowed, AllowedCommand):
            await self._refuse(transition, allowed.why)
            return
        stages = (stage, allowed.to)
        if await self._file.end(transition.number, "done", self._clock(), stage=stages):
            self.stage = allowed.to
            self._say(f"the move is {allowed.to}")
            self._stop.ask()

    async def _enter(self, stage: Stage) -> bool:
        is_so = await self._file.enter(stage, self.stage, self._clock())
        if is_so:
            self.stage = stage
        return is_so

    async def _refuse(self, transition: TransitionRecord, why: str) -> None:
        reply = TransitionReply(step="refused", since=self._clock(), reasons=(why,))
        await self._file.end(transition.number, "refused", self._clock(), reply=reply)

    async def _not_ready(self, transition: TransitionRecord, reasons: tuple[str, ...]) -> None:
        reply = TransitionReply(step="not ready", since=self._clock(), reasons=reasons)
        await self._file.end(transition.number, "not ready", self._clock(), reply=reply)
