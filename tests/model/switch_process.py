"""A move's process and its file: it goes on a tick at a time, and is killed at any of them.

The process is the code's own `Switching` on a real run file; what it switches is one key of two
tables that are numbers (`switch_tables`). It is killed at a tick, or within the transaction of a
go: then nothing that it does afterwards reaches the file or a table.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast
from unittest.mock import patch

import anyio

from dynaferry.errors import StateError
from dynaferry.follow import cut_over_attempt, switching
from dynaferry.follow.asking import check_goes_on
from dynaferry.follow.switch_proof import Looks
from dynaferry.follow.switching import Switching
from dynaferry.run.lifecycle import say_nothing
from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import CutOverProof, Stage, TransitionOutcome, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile, MoveMoment
from dynaferry.stop import StopSignal
from tests.model.switch_tables import RUN, NumberBack, NumberTable, World

TICK: Final = 0.2
_Result = TypeVar("_Result")


class KilledError(Exception):
    """The process is not there any more."""


class MortalFile(MoveFile):
    """A file of a process that may be killed: nothing it does afterwards reaches the disk."""

    dies_at: MoveMoment | None = None
    is_dead = False
    _goes = False

    async def end(self, number: int, outcome: TransitionOutcome, *given: Any, **more: Any) -> bool:
        """See `MoveFile`."""
        self._goes = outcome == "go"
        return await super().end(number, outcome, *given, **more)

    def reached(self, moment: MoveMoment) -> None:
        """Dies there, if it is told to."""
        if self._goes and moment == self.dies_at:
            self.is_dead = True
            raise KilledError

    async def _on_thread(self, step: Callable[[], _Result]) -> _Result:
        if self.is_dead:
            raise KilledError
        return await super()._on_thread(step)


class _Gate:
    """In the place of `anyio` in a module: who sleeps there sleeps until the next tick."""

    def __init__(self) -> None:
        self.asleep = 0
        self._next = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(anyio, name)

    async def sleep(self, _: float) -> None:
        self.asleep += 1
        await self._next.wait()

    def open(self) -> None:
        event, self._next = self._next, anyio.Event()
        self.asleep = 0
        event.set()


class NothingLong:
    """All that takes long is asked for by nobody here. A `SwitchProof`."""

    async def refusals(self, _: CutOverProof) -> tuple[str, ...]:
        return ()

    async def close(self) -> ClosedProof:
        raise AssertionError("no proof was asked for")

    async def undo(self) -> None:
        pass

    def not_undone(self) -> tuple[str, ...]:
        return ()

    async def compare_all(self, _: Looks) -> tuple[int, int] | None:
        raise AssertionError("not all keys were asked for")


class Process:
    """The process of the move, from its start until it ends or is killed."""

    def __init__(
        self, file: MortalFile, table: NumberTable, world: World, gate: _Gate, *, forward: bool
    ) -> None:
        self.file = file
        self.table = table
        self.back: NumberBack | None = None
        self._world = world
        self._gate = gate
        self._stop = StopSignal()
        self._switching = Switching(
            file,
            cast("Any", [table]),
            self._stop,
            say_nothing,
            stage_now=lambda: "replaying" if world.now < table.settled_at else "following",
            refresh=self._nothing,
            proof=NothingLong(),
            opens_back=cast("Any", self._opens_back),
            goes_forward=forward,
            clock=lambda: world.now,
        )
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def started(
        cls, state_dir: Path, world: World, gate: _Gate, *, forward: bool
    ) -> Self | None:
        """A process that goes on with the move; None where the move has ended for good."""
        try:
            await check_goes_on(state_dir, RUN, restart=False)
        except StateError:
            return None
        file = await MortalFile.open(state_dir, RUN)
        process = cls(file, NumberTable(world), world, gate, forward=forward)
        await process._switching.begin()
        process._task = asyncio.get_running_loop().create_task(process._switching.run())
        await process._until_asleep()
        return process

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._task is not None and not self._task.done() and not self.file.is_dead

    async def tick(self) -> None:
        """Does what it does within a tick of time."""
        self.table.step()
        if self.back is not None:
            self.back.step()
        self._gate.open()
        await self._until_asleep()
        if self.file.is_dead or self._stop.asked:
            await self.die()
        elif self._task is not None and self._task.done():
            self._task.result()  # nobody has killed it: what has it died of?

    async def die(self) -> None:
        """Is killed."""
        self.file.is_dead = True
        self.table.die()
        if self.back is not None:
            self.back.die()
        if self._task is not None:
            self._task.cancel()
            with suppress(BaseExceptionGroup, KilledError, asyncio.CancelledError):
                await self._task
        await self.file.aclose()

    async def _until_asleep(self) -> None:
        assert self._task is not None
        while not self._task.done() and not self.file.is_dead:
            await asyncio.sleep(0)
            is_attempted = self._switching._attempted is not None
            if self._gate.asleep >= 1 + is_attempted:
                return
            await asyncio.sleep(0.0005)

    @asynccontextmanager
    async def _opens_back(self, _: TransitionRequest) -> AsyncIterator[list[NumberBack]]:
        """The source, to be written."""
        self.back = NumberBack(self._world)
        yield [self.back]
        if not self.file.is_dead:
            self.back = None

    @staticmethod
    async def _nothing() -> None:
        """The targets are active."""


class Machine:
    """The files, an event loop that goes on only while somebody waits for it, and the gate."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.world = World()
        self._gate = _Gate()
        self._runner = asyncio.Runner()
        self._stack = ExitStack()
        for module in (switching, cut_over_attempt):
            self._stack.enter_context(patch.object(module, "anyio", self._gate))
        self.process: Process | None = None

    def run(self, doing: Coroutine[Any, Any, _Result]) -> _Result:
        """Waits for it."""
        return self._runner.run(doing)

    def start(self, *, forward: bool = False) -> None:
        """Starts the process."""
        starting = Process.started(self.state_dir, self.world, self._gate, forward=forward)
        self.process = self.run(starting)

    def kill(self) -> None:
        """Kills it."""
        if self.process is not None:
            self.run(self.process.die())
            self.process = None

    def tick(self, seconds: float = TICK) -> None:
        """Time goes by, and the process goes on."""
        self.world.pass_by(seconds)
        if self.process is not None:
            self.run(self.process.tick())
            if not self.process.is_alive:
                self.process = None

    def stage(self) -> Stage:
        """As it is stored."""
        return self.run(self._stage())

    async def _stage(self) -> Stage:
        file = await MoveFile.open(self.state_dir, RUN)
        move = await file.read_move()
        await file.aclose()
        assert move is not None
        return move.stage

    def close(self) -> None:
        """Ends everything."""
        self.kill()
        self._stack.close()
        self._runner.close()
