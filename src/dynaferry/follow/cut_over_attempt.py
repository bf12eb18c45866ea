"""One cut-over, from when it was asked for to its end: looks, decisions, and what is said of them.

Whoever asked shows to be there still; silent for too long, it has withdrawn.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import anyio
from msgspec.structs import replace

from dynaferry.follow.cut_over import (
    CloseStreams,
    CompareNow,
    CutOverDecision,
    CutOverProgress,
    CutOverRequest,
    Go,
    HoldWrites,
    KeepWaiting,
    NotReady,
    TableLook,
    decide,
)
from dynaferry.follow.move_state import Side
from dynaferry.state.move_records import TransitionOutcome, TransitionRecord, TransitionReply

POLL_SECONDS: Final = 0.2
# Whoever asked shows to be there twice a second; silent for so long, nobody waits any more.
ABANDONED_SECONDS: Final = 5.0
NO_WAY_BACK: Final = "a way back: what is written to the target from now on is not captured"
_MOST_LINES: Final = 200


class SwitchingMove(Protocol):
    """The move that is switched, and the file in which it is asked."""

    async def looks(self) -> Sequence[TableLook]:
        """How all tables stand now."""
        ...

    async def act(self, progress: CutOverProgress, decision: CutOverDecision) -> CutOverProgress:
        """Holds or lets go on, and compares where that was decided."""
        ...

    async def end(self, number: int, outcome: TransitionOutcome, reply: TransitionReply) -> bool:
        """Ends the transition: a go is durable with its state when this returns."""
        ...

    async def read(self, number: int) -> TransitionRecord:
        """The transition as it stands in the file."""
        ...

    async def tell(self, number: int, reply: TransitionReply) -> None:
        """Says how far it is."""
        ...

    def now(self) -> float:
        """The time on the clock of the looks."""
        ...


class CutOverAttempt:
    """One cut-over, from when it was asked for to its end."""

    def __init__(
        self,
        switching: SwitchingMove,
        transition: TransitionRecord,
        *,
        written: Side = "target",
        not_shown: tuple[str, ...] = (),
    ) -> None:
        """`written` is the side that is to be used; `not_shown` what no go of this move shows."""
        self._switching = switching
        self._written = written
        self._not_shown = not_shown
        self._number = transition.number
        now = switching.now()
        self._request = CutOverRequest(
            begun_at=now,
            stopped_at=now,
            timeout_seconds=transition.request.timeout_seconds,
            proof=transition.request.proof,
            verify=transition.request.verify,
        )
        self._beats = transition.beats
        self._beaten_at = now
        self._reply = TransitionReply(step="writers", since=now)

    async def make(self) -> None:
        """Takes step after step until it has an end."""
        progress = CutOverProgress()
        while True:
            if await self._is_withdrawn():
                return
            looks = await self._switching.looks()
            decision = decide(self._request, progress, looks, self._switching.now())
            if isinstance(decision, Go | NotReady):
                await self._end(decision)
                return
            await self._tell(decision)
            progress = await self._acted(progress, decision)
            if not isinstance(decision, CompareNow):
                await anyio.sleep(POLL_SECONDS)

    async def _acted(self, progress: CutOverProgress, decision: CutOverDecision) -> CutOverProgress:
        """What takes long is left where nobody waits for it any more, or its time is over: with the
        next look it ends for that reason.
        """
        if not (isinstance(decision, CloseStreams) or decision == CompareNow("full")):
            return await self._switching.act(progress, decision)
        async with anyio.create_task_group() as group:
            group.start_soon(self._leave_once_over, group.cancel_scope)
            progress = await self._switching.act(progress, decision)
            group.cancel_scope.cancel()
        return progress

    async def _leave_once_over(self, acting: anyio.CancelScope) -> None:
        request = self._request
        while self._switching.now() - request.begun_at < request.timeout_seconds:
            await anyio.sleep(POLL_SECONDS)
            if await self._is_withdrawn():
                break
        acting.cancel()

    async def _is_withdrawn(self) -> bool:
        now = self._switching.now()
        transition = await self._switching.read(self._number)
        if transition.outcome is not None:
            return True
        if transition.beats != self._beats:
            self._beats, self._beaten_at = transition.beats, now
        elif now - self._beaten_at > ABANDONED_SECONDS:
            reply = replace(self._reply, reasons=("who asked for it is not there any more",))
            await self._switching.end(self._number, "withdrawn", reply)
            return True
        return False

    async def _tell(self, decision: CutOverDecision) -> None:
        """A step that is new is a line more."""
        match decision:
            case KeepWaiting(step=step, told=told):
                pass
            case HoldWrites():
                step, told = "hold", f"writes to the {self._written} are held: one look more"
            case CloseStreams():
                step, told = "stream", "disables the streams, so that each shard has an end"
            case _:
                is_full = self._request.verify == "full"
                whole = "all keys" if is_full else "the keys that changed last"
                step, told = "compare", f"compares {whole} on both sides"
        reply = self._reply
        lines = reply.lines
        if step != reply.step or not lines:
            after = self._switching.now() - self._request.begun_at
            lines = (*lines[-_MOST_LINES:], f"{after:5.1f} s  {told}")
            reply = replace(reply, since=self._switching.now())
        self._reply = replace(reply, step=step, lines=lines)
        await self._switching.tell(self._number, self._reply)

    async def _end(self, decision: Go | NotReady) -> None:
        if isinstance(decision, NotReady):
            reply = replace(self._reply, reasons=decision.reasons)
            await self._switching.end(self._number, "not ready", reply)
            return
        reply = replace(
            self._reply,
            step="go",
            since=self._switching.now(),
            shown=decision.shown,
            not_shown=(*decision.not_shown, *self._not_shown),
            proven=decision.proven,
            not_proven=decision.not_proven,
            seconds=decision.seconds,
        )
        await self._switching.end(self._number, "go", reply)
