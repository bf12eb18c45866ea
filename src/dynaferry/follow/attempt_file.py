"""What an attempt at a switch reads and stores in the run's file, whichever way it goes.

A go that was stored is one, though the await of it was cancelled or failed: what this process has
heard may be less. So nothing goes on as before until that is stored as well.
"""

from collections.abc import Callable

import anyio

from dynaferry.state.move_records import Stage, TransitionRecord, TransitionReply
from dynaferry.state.sqlite.move_file import MoveFile


class AttemptFile:
    """The file of a move that is switched; `clock` is that of the looks."""

    def __init__(self, file: MoveFile, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock

    async def read(self, number: int) -> TransitionRecord:
        """The transition as it stands in the file."""
        return await self._file.read_transition(number)

    async def tell(self, number: int, reply: TransitionReply) -> None:
        """Says how far it is."""
        await self._file.reply(number, reply)

    def now(self) -> float:
        """The time on the clock of the looks."""
        return self._clock()

    async def as_before(self, under_way: Stage, before: Stage) -> Stage:
        """The state that counts, where no go is known: the one `before`, and stored; or, where it
        has left the one of the attempt already, that which is stored. Also when cancelled.

        :raises StateError: neither could be stored nor read
        """
        stage = before
        with anyio.CancelScope(shield=True):
            if not await self._file.enter(before, under_way, self._clock()):
                move = await self._file.read_move()
                stage = under_way if move is None else move.stage
        return stage

    async def _refuse(self, transition: TransitionRecord, why: str) -> None:
        reply = self._reply("refused", reasons=(why,))
        await self._file.end(transition.number, "refused", self._clock(), reply=reply)

    async def _end_unready(self, transition: TransitionRecord, *reasons: str) -> None:
        reply = self._reply("failed", reasons=reasons)
        await self._file.end(transition.number, "not ready", self._clock(), reply=reply)

    def _reply(
        self, step: str, *, reasons: tuple[str, ...] = (), not_shown: tuple[str, ...] = ()
    ) -> TransitionReply:
        return TransitionReply(step=step, since=self._clock(), reasons=reasons, not_shown=not_shown)
