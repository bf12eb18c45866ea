"""A move's process, its files and what it moves, small enough that every order of things is tried.

The process is the code's own `Switching` on a real run file; what it switches is one key of two
tables that are numbers. It goes on a tick at a time, and is killed at any of them, or within the
transaction of a go: then nothing that it does afterwards reaches the file or the target.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast
from unittest.mock import patch

import anyio

from dynaferry.errors import StateError
from dynaferry.follow import cut_over_attempt, switching
from dynaferry.follow.asking import check_goes_on
from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.quiet import LEAST_SECONDS, Quiet
from dynaferry.follow.switch_proof import Looks
from dynaferry.follow.switching import Switching
from dynaferry.run.lifecycle import say_nothing
from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import CutOverProof, Stage, TransitionOutcome
from dynaferry.state.sqlite.move_file import MoveFile, MoveMoment
from dynaferry.stop import StopSignal

RUN: Final = "orders"
TICK: Final = 0.2
# A record shows within this; a request that was sent takes effect within a minute or never.
SHOWS_WITHIN: Final = 4.0
LANDS_WITHIN: Final = 60.0
_Result = TypeVar("_Result")


class KilledError(Exception):
    """The process is not there any more."""


class World:
    """What is true of both tables and the stream; versions are numbers, later ones are larger."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.version = self.source = self.target = 1
        self.hidden: list[tuple[int, float]] = []
        self.shown: list[int] = []
        self.waiting: int | None = None
        self.captured = 0
        self.record_at = self.now
        self.late: tuple[int, float] | None = None
        self.doubt_until: float | None = None

    def write(self, delay: float) -> None:
        """The source is written; the record shows after `delay`, and not before others."""
        self.version += 1
        self.source = self.version
        last = max((shows_at for _, shows_at in self.hidden), default=0.0)
        self.hidden.append((self.version, max(last, self.now + delay)))

    def pass_by(self, seconds: float) -> None:
        """Time goes by: what is due shows, and what is too old lands no more."""
        self.now += seconds
        while self.hidden and self.hidden[0][1] <= self.now:
            self.shown.append(self.hidden.pop(0)[0])
        if self.late is not None and self.late[1] <= self.now:
            self.land_late()

    def land_late(self) -> None:
        """A write that nobody waits for takes effect."""
        if self.late is not None:
            self.target, self.late = self.late[0], None


class NumberTable:
    """The table as a switch sees it, in one process. A `SwitchedTable`."""

    source = target = RUN
    target_status = "ACTIVE"
    last_status = None
    way_back = None

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun_at = world.now
        self._holds = False
        self.has_switched = False
        self.in_flight: int | None = None
        # A process before may have sent what lands yet.
        self.settled_at = world.now if world.late is None else world.late[1]

    @property
    def may_send(self) -> bool:
        """Whether it applies what waits."""
        return not self._holds and not self.has_switched

    def hold(self, is_held: bool) -> None:
        """Sends nothing new, or goes on."""
        self._holds = is_held

    def is_switched(self, _: Stage) -> None:
        """Sends nothing any more."""
        self._holds = self.has_switched = True

    async def begin_late_writes(self, *, takes_waiting: bool) -> None:
        """What waits is counted as it is."""

    async def end_late_writes(self, *, forget: bool = True) -> None:
        """What waits is counted as it is."""

    def begin_anew(self) -> None:
        """Silence counts from now on."""
        self._begun_at = self._world.now

    async def differing(self) -> tuple[int, list[bytes]]:
        """Compares the one key."""
        return 1, [] if self._world.source == self._world.target else [b"key"]

    async def late_writes(self) -> int:
        """What waits behind the switch."""
        return int(self._world.waiting is not None)

    async def look(self) -> TableLook:
        """How it stands."""
        world = self._world
        since = max(world.record_at, self._begun_at)
        waits = world.waiting is not None or self.in_flight is not None or bool(world.shown)
        silent = world.now - since >= LEAST_SECONDS
        return TableLook(
            table=RUN,
            quiet=Quiet(silent and not waits, ("silence",), LEAST_SECONDS, since),
            captured=world.captured,
            last_change_at=world.record_at,
            doubts=int(world.doubt_until is not None or world.now < self.settled_at),
            is_held=self._holds and self.in_flight is None,
        )

    def step(self) -> None:
        """Captures what shows, settles doubts, sends what waits; what was sent is there."""
        world = self._world
        if world.shown:
            world.captured += len(world.shown)
            world.waiting, world.record_at = world.shown[-1], world.now
            world.shown.clear()
        if self.in_flight is not None:
            world.target = self.in_flight
            if world.waiting == self.in_flight:
                world.waiting = None
            self.in_flight = None
        if world.now < self.settled_at:
            return
        if world.doubt_until is not None and world.doubt_until <= world.now:
            world.doubt_until, world.waiting = None, world.source
        if self.may_send and world.waiting is not None:
            self.in_flight = world.waiting

    def give_up(self) -> None:
        """Nobody knows what became of what is in flight: it may take effect for a while."""
        world = self._world
        if self.in_flight is not None and world.late is None:
            world.late = (self.in_flight, world.now + LANDS_WITHIN)
            world.doubt_until = world.now + LANDS_WITHIN
            self.in_flight = None

    def die(self) -> None:
        """Its process is killed: what was in flight lands or not."""
        if self.in_flight is not None and self._world.late is None:
            self._world.late = (self.in_flight, self._world.now + LANDS_WITHIN)
        elif self.in_flight is not None:
            self._world.target = self.in_flight
        self.in_flight = None


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

    async def compare_all(self, _: Looks) -> tuple[int, int] | None:
        raise AssertionError("not all keys were asked for")


class Process:
    """The process of the move, from its start until it ends or is killed."""

    def __init__(self, file: MortalFile, table: NumberTable, world: World, gate: _Gate) -> None:
        self.file = file
        self.table = table
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
            clock=lambda: world.now,
        )
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def started(cls, state_dir: Path, world: World, gate: _Gate) -> Self | None:
        """A process that goes on with the move; None where the move has ended for good."""
        try:
            await check_goes_on(state_dir, RUN, restart=False)
        except StateError:
            return None
        file = await MortalFile.open(state_dir, RUN)
        process = cls(file, NumberTable(world), world, gate)
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
        self._gate.open()
        await self._until_asleep()
        if self.file.is_dead or self._stop.asked:
            await self.die()

    async def die(self) -> None:
        """Is killed."""
        self.file.is_dead = True
        self.table.die()
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

    def start(self) -> None:
        """Starts the process."""
        self.process = self.run(Process.started(self.state_dir, self.world, self._gate))

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
