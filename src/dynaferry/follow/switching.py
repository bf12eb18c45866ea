"""The running move's part of a switch: what others ask through the run's file is done here.

It looks into the file a few times a second. A check is answered at once; a cut-over is taken step
by step as `cut_over` decides, until it is a go, not ready, or withdrawn by who asked; whoever asked
and shows no more to be there has withdrawn it as well. A go is stored together with the state
behind it, and only then told; from the first moment on nothing is applied any more, in this process
or in one after it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import TaskGroup

from dynaferry.errors import DynaferryError
from dynaferry.follow.attempt_file import AttemptFile
from dynaferry.follow.checks import (
    not_looked_at,
    not_provable,
    reasons_against,
    reasons_against_back,
)
from dynaferry.follow.cut_over import (
    CloseStreams,
    ComparedKeys,
    CompareNow,
    CutOverDecision,
    CutOverProgress,
    TableLook,
    after_closing,
    after_comparison,
    captured_of,
    keeps_writes_held,
)
from dynaferry.follow.cut_over_attempt import (
    ABANDONED_SECONDS,
    NO_WAY_BACK,
    POLL_SECONDS,
    CutOverAttempt,
)
from dynaferry.follow.going_back import GoingBack, OpenBack
from dynaferry.follow.late_watch import LateWatch
from dynaferry.follow.move_state import AllowedCommand, RefusedCommand, asked, direction
from dynaferry.follow.recent_comparison import compare_recent
from dynaferry.follow.switch_proof import SwitchProof
from dynaferry.follow.switched_table import SwitchedTable
from dynaferry.follow.ways_back import WaysBack
from dynaferry.run.lifecycle import Say, first_reason
from dynaferry.state.move_records import (
    Stage,
    TransitionOutcome,
    TransitionRecord,
    TransitionReply,
)
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal

_FOLLOWED: Final[tuple[Stage, ...]] = ("replaying", "following", "re-syncing")


class Switching(AttemptFile):
    """Answers what is asked of a move while it follows, and watches behind the switch."""

    def __init__(
        self,
        file: MoveFile,
        tables: Sequence[SwitchedTable],
        stop: StopSignal,
        say: Say,
        *,
        stage_now: Callable[[], Stage],
        refresh: Callable[[], Awaitable[None]],
        proof: SwitchProof,
        opens_back: OpenBack | None = None,
        goes_forward: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`stage_now` is what the tables say of themselves; `refresh` looks at the targets; `proof`
        compares all keys, and disables streams; `opens_back` the source to be written.
        `goes_forward`: it follows again behind a way back.
        """
        super().__init__(file, clock)
        self._tables = tables
        self._stop = stop
        self._say = say
        self._stage_now = stage_now
        self._refresh = refresh
        self._proof = proof
        self._opens_back = opens_back
        self._goes_forward = goes_forward
        self._ways_back = WaysBack(tables)
        self._stage: Stage = "replaying"
        self._late = LateWatch(tables, say, clock)
        self._attempted: int | None = None
        self._is_to_undo = False

    async def begin(self) -> Stage:
        """Takes up the stored state; what was under way when a process before ended was not done.

        Returns the state: where nothing is to be applied any more, nothing is sent.
        """
        move = await self._file.begin_move(
            "replaying", self._clock(), has_way_back=self._ways_back.is_wanted
        )
        for transition in await self._file.read_open():
            reply = self._reply("not ready", reasons=("the move was started over",))
            await self._file.end(transition.number, "not ready", self._clock(), reply=reply)
        after = asked("move", move.stage)
        if not isinstance(after, AllowedCommand):
            after = AllowedCommand(move.stage)  # it is over
        if after.to != move.stage:
            await self._file.enter(after.to, move.stage, self._clock())
        was_going_back, self._stage = move.stage == "going-back", after.to
        if self._goes_forward:
            await self._go_forward()
        self._hold_if_switched()
        has_gone_back = was_going_back or self._stage == "returned"
        if self._stage == "switched" and not was_going_back:
            await self._late.take_up()
        else:
            await self._late.turn(False, forget=not has_gone_back)
        if was_going_back:
            self._late.turn_on_soon()
        if direction(self._stage) == "forward":
            await self._ways_back.begin(has_returned=move.returned_at is not None)
        return self._stage

    async def _go_forward(self) -> None:
        """Follows again behind a way back; says why where it does not."""
        allowed = asked("forward", self._stage)
        if not isinstance(allowed, AllowedCommand):
            self._say(f"it does not go forward: {allowed.why}")
        elif not allowed.is_done_already:
            for table in self._tables:
                await table.go_forward()
            await self._file.enter(allowed.to, self._stage, self._clock())
            self._stage = allowed.to
            self._say("it follows the source again, from where it went back")

    async def run(self) -> None:
        """Does what is asked, until it is cancelled."""
        async with anyio.create_task_group() as attempts:
            while True:
                await anyio.sleep(POLL_SECONDS)
                try:
                    await self._look_into_the_file(attempts)
                except DynaferryError as error:
                    self._say(f"what is asked of this move cannot be done: {error.message}")
                    await anyio.sleep(ABANDONED_SECONDS)

    async def _look_into_the_file(self, attempts: TaskGroup) -> None:
        await self._keep_stage()
        for transition in await self._file.read_open():
            if transition.request.what not in ("cut-over", "cut-back"):
                await self._take(transition)
            elif self._attempted is None:
                self._attempted = transition.number
                attempts.start_soon(self._attempt, transition)
            elif transition.number != self._attempted and (why := self._proof.not_undone()):
                await self._end_unready(transition, *why)
        await self._ways_back.take_over()
        if self._stage in ("switched", "returned"):
            await self._late.tell("source" if self._stage == "switched" else "target")

    # What is asked for --------------------------------------------------------------------------

    async def _take(self, transition: TransitionRecord) -> None:
        match transition.request.what:
            case "check":
                await self._check(transition)
            case "abort":
                await self._end_move(transition, "aborted")
            case "finish":
                await self._end_move(transition, "finished")

    async def _check(self, transition: TransitionRecord) -> None:
        """Asked of a cut-over, or behind the switch of a cut-back."""
        if self._stage in ("switched", "going-back") and self._ways_back.is_wanted:
            reasons = await reasons_against_back(self._ways_back.captures)
        else:
            reasons = await not_looked_at(self._refresh)
            reasons += reasons_against(await self.looks(), self._stage)
            reasons += await not_provable(self._proof, transition.request.proof)
        reply = self._reply("check", reasons=reasons, not_shown=self._never_shown())
        outcome: TransitionOutcome = "not ready" if reasons else "done"
        await self._file.end(transition.number, outcome, self._clock(), reply=reply)

    async def _end_move(self, transition: TransitionRecord, stage: Stage) -> None:
        """Ends the move for good: this process stops, and none goes on."""
        allowed = asked("abort" if stage == "aborted" else "finish", self._stage)
        if not isinstance(allowed, AllowedCommand):
            await self._refuse(transition, allowed.why)
            return
        self._hold(True)
        ends = (self._stage, stage)
        if await self._file.end(transition.number, "done", self._clock(), stage=ends):
            self._stage = stage
            self._say(f"the move is {stage}")
            self._stop.ask()
        elif self._stage in _FOLLOWED:
            self._hold(False)  # it was withdrawn in the same moment, and follows on

    async def _attempt(self, transition: TransitionRecord) -> None:
        """Takes it to its end. What fails ends it, and the move goes on as before."""
        what = transition.request.what
        try:
            if what == "cut-back":
                await self._refuse_or_go_back(transition)
            else:
                await self._refuse_or_switch(transition)
        except* DynaferryError as group:
            why = first_reason(group).message
            self._say(f"the {what} cannot continue: {why}")
            with suppress(DynaferryError):
                await self._end_unready(transition, why)
        finally:
            try:
                # Behind its end: who asked does not wait for what may take long.
                if self._is_to_undo:
                    await self._proof.undo()
            finally:
                self._attempted, self._is_to_undo = None, False

    async def _refuse_or_switch(self, transition: TransitionRecord) -> None:
        allowed = asked("cut-over", self._stage)
        if not isinstance(allowed, AllowedCommand) or allowed.is_done_already:
            why = "it was switched already" if self._stage == "switched" else f"it is {self._stage}"
            await self._refuse(transition, why)
            return
        await self._refresh()
        if refusals := await self._proof.refusals(transition.request.proof):
            await self._refuse(transition, "; ".join(refusals))
            return
        if not await self._file.enter("cutting-over", self._stage, self._clock()):
            return  # it is taken up again in the state that it is in then
        self._stage = "cutting-over"
        self._say("a cut-over was asked for")
        try:
            attempt = CutOverAttempt(self, transition, not_shown=self._never_shown())
            # Behind the moment from which on silence is to count.
            for table in self._tables:
                table.begin_anew()
            await attempt.make()
        finally:
            if self._stage == "cutting-over":
                self._is_to_undo = True
                self._is_to_undo = not await self._go_on_as_before()

    async def _go_on_as_before(self) -> bool:
        """Behind an attempt that was no go, as far as is known here; returns whether it was one."""
        if self._stage == "going-back":
            stage = await self.as_before("going-back", "switched")
            self._enter(stage)
            if stage == "switched":
                self._late.turn_on_soon()
        else:
            self._enter(await self.as_before("cutting-over", "following"))
        if self._stage == "following":
            self._hold(False)
            self._say("nothing was switched: it follows on")
            with anyio.CancelScope(shield=True), suppress(DynaferryError):
                await self._late.turn(False)
        return self._stage == "switched"

    async def _refuse_or_go_back(self, transition: TransitionRecord) -> None:
        allowed = asked("cut-back", self._stage, has_way_back=self._ways_back.is_wanted)
        is_new = isinstance(allowed, AllowedCommand) and not allowed.is_done_already
        if not is_new or self._opens_back is None:
            why = allowed.why if isinstance(allowed, RefusedCommand) else "it went back already"
            await self._refuse(transition, why)
            return
        async with self._opens_back(transition.request) as tables:
            going = GoingBack(self._file, tables, self._say, enters=self._enter, clock=self._clock)
            # What the source's stream shows from now on is ours.
            await self._late.turn(False, forget=False)
            try:
                await going.make(transition)
            finally:
                if self._stage == "switched":
                    self._late.turn_on_soon()

    def _enter(self, stage: Stage) -> None:
        self._stage = stage
        self._hold_if_switched()

    async def looks(self) -> list[TableLook]:
        """How all tables stand now."""
        return [await table.look() for table in self._tables]

    async def act(self, progress: CutOverProgress, decision: CutOverDecision) -> CutOverProgress:
        """Holds or lets go on, and compares where that was decided."""
        self._hold(keeps_writes_held(decision))
        # What comes behind the last look before a go is late.
        await self._late.turn(keeps_writes_held(decision))
        if isinstance(decision, CloseStreams):
            return after_closing(progress, await self._proof.close())
        if not isinstance(decision, CompareNow):
            return progress
        captured = captured_of(await self.looks())
        if decision.what == "full":
            found = await self._proof.compare_all(self.looks)
        else:
            found = await compare_recent(self._tables, self._say)
        if found is None:
            return progress
        return after_comparison(progress, ComparedKeys(captured, *found), self._clock())

    async def end(self, number: int, outcome: TransitionOutcome, reply: TransitionReply) -> bool:
        """Ends a cut-over: a go is durable with its state when this returns."""
        stage: tuple[Stage, Stage] | None = None
        if outcome == "go":
            stage = ("cutting-over", "switched")
            # Before the go is stored: nothing that comes behind it may be passed over.
            await self._ways_back.keep()
        ended = await self._file.end(number, outcome, self._clock(), reply=reply, stage=stage)
        if outcome == "go" and not ended:
            await self._ways_back.pass_over()
        if ended and outcome == "go":
            self._stage = "switched"
            self._hold_if_switched()
            self._say("go: the target may be used; nothing is applied to it any more")
        return ended

    # Within -------------------------------------------------------------------------------------

    def _hold_if_switched(self) -> None:
        if self._stage in ("switched", "going-back", "returned"):
            for table in self._tables:
                table.is_switched(self._stage)

    def _never_shown(self) -> tuple[str, ...]:
        return () if self._ways_back.is_wanted else (NO_WAY_BACK,)

    def _hold(self, is_held: bool) -> None:
        for table in self._tables:
            table.hold(is_held)

    async def _keep_stage(self) -> None:
        """Stores the state that the tables are in; or that of no switch, if that failed before."""
        if self._stage in ("cutting-over", "going-back") and self._attempted is None:
            await self._go_on_as_before()
        now = self._stage_now()
        # A status from before says that it is copied still.
        if now != self._stage and {now, self._stage} <= set(_FOLLOWED):
            await self._file.enter(now, self._stage, self._clock())
            self._stage = now
