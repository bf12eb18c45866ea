"""One cut-back: the steps of a cut-over with the sides exchanged, once the source may be written.

What the target's stream showed since the switch is applied to the source from the moment on that a
cut-back was asked for, so that little is left when the writers stop. Unless it ends with a go, the
move is switched as before: what was written to the source by then are newest states of their keys,
and what waits is kept.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import anyio

from dynaferry.follow.attempt_file import AttemptFile
from dynaferry.follow.back_table import BackTable
from dynaferry.follow.cut_over import (
    ComparedKeys,
    CompareNow,
    CutOverDecision,
    CutOverProgress,
    TableLook,
    after_comparison,
    keeps_writes_held,
)
from dynaferry.follow.cut_over_attempt import CutOverAttempt
from dynaferry.follow.recent_comparison import compare_recent
from dynaferry.run.lifecycle import Say
from dynaferry.state.move_records import (
    Stage,
    TransitionOutcome,
    TransitionRecord,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite.move_file import MoveFile

# Opens the source to be written by the role that a cut-back names, and the tables to be gone back.
OpenBack = Callable[[TransitionRequest], AbstractAsyncContextManager[Sequence[BackTable]]]


class GoingBack(AttemptFile):
    """A move on its way back. A `SwitchingMove`; `enters` is told of each state of the move."""

    def __init__(
        self,
        file: MoveFile,
        tables: Sequence[BackTable],
        say: Say,
        *,
        enters: Callable[[Stage], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(file, clock)
        self._tables = tables
        self._say = say
        self._enters = enters
        self._is_back = False

    async def make(self, transition: TransitionRecord) -> None:
        """Takes a cut-back to its end: the move has returned then, or is switched as before.

        :raises DynaferryError: the source takes nothing, or a side does not respond
        """
        if not await self._file.enter("going-back", "switched", self._clock()):
            return  # it is taken up again in the state that it is in then
        self._enters("going-back")
        self._say("a cut-back was asked for: the source is written from now on")
        try:
            async with anyio.create_task_group() as appliers:
                attempt = CutOverAttempt(self, transition, written="source")
                for table in self._tables:
                    await table.begin()
                    appliers.start_soon(table.run)
                await attempt.make()
                for table in self._tables:
                    await table.end()
                appliers.cancel_scope.cancel()
        finally:
            if not self._is_back:
                stage = await self.as_before("going-back", "switched")
                self._enters(stage)
                if stage == "switched":
                    self._say("nothing was switched: the target stays in use")

    async def looks(self) -> list[TableLook]:
        """How all tables stand now."""
        return [await table.look() for table in self._tables]

    async def act(self, progress: CutOverProgress, decision: CutOverDecision) -> CutOverProgress:
        """Holds or lets go on, and compares where that was decided."""
        for table in self._tables:
            table.hold(keeps_writes_held(decision))
        if not isinstance(decision, CompareNow):
            return progress
        captured = tuple(look.captured for look in await self.looks())
        found = await compare_recent(self._tables, self._say)
        return after_comparison(progress, ComparedKeys(captured, *found), self._clock())

    async def end(self, number: int, outcome: TransitionOutcome, reply: TransitionReply) -> bool:
        """Ends a cut-back: a go is durable with its state when this returns."""
        stage: tuple[Stage, Stage] | None = None
        if outcome == "go":
            stage = ("going-back", "returned")
            for table in self._tables:
                await table.begin_late_writes()
        ended = await self._file.end(number, outcome, self._clock(), reply=reply, stage=stage)
        if outcome == "go" and not ended:
            for table in self._tables:
                await table.end_late_writes()
        if ended and outcome == "go":
            self._is_back = True
            self._enters("returned")
            self._say("go: the source may be used; nothing is applied to it any more")
        return ended
