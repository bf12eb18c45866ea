"""What a switch moves, small enough that every order of things is tried: one key of two tables.

A table is a number, the version that it holds. Each has a stream, which shows what was written to
it a while after; a request that was sent takes effect within a minute or never.
"""

from typing import Final

import anyio

from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.quiet import LEAST_SECONDS, Quiet
from dynaferry.follow.readiness import Reason, WayBack
from dynaferry.follow.target_capture import SHOWN_WITHIN_SECONDS
from dynaferry.state.move_records import Stage

RUN: Final = "orders"
# A record shows within this; a request that was sent takes effect within a minute or never.
SHOWS_WITHIN: Final = 4.0
LANDS_WITHIN: Final = 60.0


class NumberStream:
    """The stream of a table, its capture, and what waits of it to be applied to the other."""

    def __init__(self, now: float) -> None:
        self.hidden: list[tuple[int, float]] = []
        self.shown: list[int] = []
        self.waiting: int | None = None
        self.captured = 0
        self.record_at = now
        self.keeps = True

    def note(self, version: int, now: float, delay: float) -> None:
        """A write: it shows after `delay`, and not before others."""
        last = max((shows_at for _, shows_at in self.hidden), default=0.0)
        self.hidden.append((version, max(last, now + delay)))

    def show(self, now: float) -> None:
        """What is due shows."""
        while self.hidden and self.hidden[0][1] <= now:
            self.shown.append(self.hidden.pop(0)[0])

    def capture(self, now: float) -> None:
        """Reads what shows, and keeps the newest, if it keeps anything."""
        if not self.shown:
            return
        self.record_at = now
        if self.keeps:
            self.captured += len(self.shown)
            self.waiting = self.shown[-1]
        self.shown.clear()

    def quiet(self, now: float, begun_at: float, *, is_in_flight: bool) -> Quiet:
        """Whether nothing comes any more, and what came is applied."""
        since = max(self.record_at, begun_at)
        waits = self.waiting is not None or is_in_flight or bool(self.shown)
        is_silent = now - since >= LEAST_SECONDS
        return Quiet(is_silent and not waits, ("silence",), LEAST_SECONDS, since)


class World:
    """What is true of both tables and their streams; later versions are larger."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.version = self.source = self.target = 1
        self.forward = NumberStream(self.now)
        self.back = NumberStream(self.now)
        # What of ours may take effect on the target, and on the source, and until when.
        self.late: tuple[int, float] | None = None
        self.late_back: tuple[int, float] | None = None
        self.doubt_until: float | None = None
        self.written_back = 0
        self.compares = True

    def write(self, delay: float) -> None:
        """The source is written by its application."""
        self.version += 1
        self.source = self.version
        self.forward.note(self.version, self.now, delay)

    def use(self, delay: float) -> None:
        """The target is written by its application."""
        self.version += 1
        self.target = self.version
        self.back.note(self.version, self.now, delay)

    def land(self, version: int) -> None:
        """A write of ours takes effect on the target."""
        if self.target != version:
            self.target = version
            self.back.note(version, self.now, 0.5)

    def land_back(self, version: int) -> None:
        """A write of ours takes effect on the source."""
        self.written_back += 1
        if self.source != version:
            self.source = version
            self.forward.note(version, self.now, 0.5)

    def pass_by(self, seconds: float) -> None:
        """Time goes by: what is due shows, and what is too old lands no more."""
        self.now += seconds
        self.forward.show(self.now)
        self.back.show(self.now)
        if self.late is not None and self.late[1] <= self.now:
            self.land_late()
        if self.late_back is not None and self.late_back[1] <= self.now:
            self.land_late()

    def land_late(self) -> None:
        """What nobody waits for takes effect."""
        if self.late is not None:
            (version, _), self.late = self.late, None
            self.land(version)
        if self.late_back is not None:
            (version, _), self.late_back = self.late_back, None
            self.land_back(version)

    def differing(self) -> list[bytes]:
        """Compares the one key, if anything is compared."""
        return [b"key"] if self.compares and self.source != self.target else []


class NumberTarget:
    """The capture of the target, for the way back. A `TargetCapture`."""

    target = RUN

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun_at = world.now
        self._catches_up_to: float | None = None
        self.spool = self  # it says whether it passes over

    async def arm(self) -> None:
        """Nothing is kept before the switch."""
        await self.pass_over()

    async def pass_over(self) -> None:
        """Keeps nothing, and forgets what it has kept."""
        self._world.back.keeps, self._world.back.waiting = False, None

    async def keep(self) -> None:
        """Keeps what is read from now on."""
        self._world.back.keeps = True

    def way_back(self) -> WayBack:
        """How it stands before the switch."""
        since = max(self._world.back.record_at, self._begun_at)
        return WayBack(quiet_seconds=self._world.now - since)

    @property
    def passes_over(self) -> bool:
        """Whether nothing is kept."""
        return not self._world.back.keeps

    def begin_to_catch_up(self) -> None:
        """Goes on keeping until all is seen that was written before now."""
        self._catches_up_to = self._world.now + SHOWN_WITHIN_SECONDS

    @property
    def is_catching_up(self) -> bool:
        """Whether it has to, or what it has kept is not taken over yet."""
        return self._catches_up_to is not None

    @property
    def has_caught_up(self) -> bool:
        """Whether all of that is kept: it is read up to now."""
        until = self._catches_up_to
        return until is not None and self._world.now >= until

    async def end_catching_up(self) -> None:
        """It is taken over."""
        await self.pass_over()
        self._catches_up_to = None

    async def counts(self) -> None:
        """What it holds."""

    def reasons(self, _: None) -> tuple[Reason, ...]:
        """Nothing speaks against going back."""
        return ()


class NumberBack:
    """The table on its way back. A `BackTable`."""

    source = RUN

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun_at = world.now
        self._holds = True
        self._settled_at = 0.0
        self.in_flight: int | None = None

    @property
    def may_send(self) -> bool:
        """Whether it writes to the source."""
        return not self._holds

    async def begin(self) -> None:
        """What an earlier attempt has left on its way is waited for."""
        late = self._world.late_back
        self._settled_at = self._world.now if late is None else late[1]
        self._begun_at = self._world.now
        self.hold(False)

    async def run(self) -> None:
        """It is applied by `step`."""
        await anyio.sleep_forever()

    async def end(self) -> None:
        """Sends nothing more; what was sent is there."""
        self.hold(True)
        self._land()

    async def begin_late_writes(self) -> None:
        """What comes waits."""

    async def end_late_writes(self) -> None:
        """What comes waits."""

    def hold(self, is_held: bool) -> None:
        """Sends nothing new, or goes on."""
        self._holds = is_held

    async def differing(self) -> tuple[int, list[bytes]]:
        """Compares the one key."""
        return 1, self._world.differing()

    async def look(self) -> TableLook:
        """How it stands."""
        now, back = self._world.now, self._world.back
        is_in_flight = self.in_flight is not None
        return TableLook(
            table=RUN,
            quiet=back.quiet(now, self._begun_at, is_in_flight=is_in_flight),
            captured=back.captured,
            last_change_at=back.record_at,
            doubts=int(now < self._settled_at),
            is_held=self._holds and not is_in_flight,
        )

    def step(self) -> None:
        """Sends what waits; what was sent is there."""
        self._land()
        back = self._world.back
        if self.may_send and self._world.now >= self._settled_at and back.waiting is not None:
            self.in_flight = back.waiting

    def die(self) -> None:
        """Its process is killed: what was in flight lands or not."""
        if self.in_flight is not None:
            self._world.late_back = (self.in_flight, self._world.now + LANDS_WITHIN)
        self.in_flight = None

    def _land(self) -> None:
        if self.in_flight is None:
            return
        self._world.land_back(self.in_flight)
        if self._world.back.waiting == self.in_flight:
            self._world.back.waiting = None
        self.in_flight = None


class NumberTable:
    """The table as a switch sees it, in one process. A `SwitchedTable`."""

    source = target = RUN
    target_status = "ACTIVE"
    last_status = None

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun_at = world.now
        self._holds = False
        self.way_back = NumberTarget(world)
        self.has_switched = False
        self.notes_late: bool | None = None
        self.in_flight: int | None = None
        # A process before may have sent what lands yet.
        self.settled_at = world.now if world.late is None else world.late[1]

    @property
    def may_send(self) -> bool:
        """Whether it applies what waits."""
        return not self._holds and not self.has_switched

    def hold(self, is_held: bool) -> None:
        """Sends nothing new, or goes on, unless the target is not all seen."""
        self._holds = is_held or self.way_back.is_catching_up

    async def take_over_target(self) -> None:
        """What was written to the target behind the return is read again from the source."""
        if self._world.back.waiting is not None:
            self._world.forward.waiting = self._world.source
        await self.way_back.end_catching_up()

    def is_switched(self, _: Stage) -> None:
        """Sends nothing any more."""
        self._holds = self.has_switched = True

    async def go_forward(self) -> None:
        """The source is what counts again."""
        self._world.forward.waiting = self._world.source

    async def begin_late_writes(self, *, takes_waiting: bool) -> None:
        """What comes from now on is late."""
        self.notes_late = True

    async def end_late_writes(self, *, forget: bool = True) -> None:
        """What comes from now on is not."""
        self.notes_late = False

    async def has_ended_late_writes(self) -> bool:
        """Whether nothing that comes is late, behind a switch."""
        return self.notes_late is False

    def begin_anew(self) -> None:
        """Silence counts from now on."""
        self._begun_at = self._world.now

    async def differing(self) -> tuple[int, list[bytes]]:
        """Compares the one key."""
        return 1, self._world.differing()

    async def late_writes(self) -> int:
        """What waits behind the switch."""
        return int(self._world.forward.waiting is not None)

    async def look(self) -> TableLook:
        """How it stands."""
        world, forward = self._world, self._world.forward
        is_in_flight = self.in_flight is not None
        return TableLook(
            table=RUN,
            quiet=forward.quiet(world.now, self._begun_at, is_in_flight=is_in_flight),
            captured=forward.captured,
            last_change_at=forward.record_at,
            doubts=int(world.doubt_until is not None or world.now < self.settled_at),
            is_held=self._holds and not is_in_flight,
            way_back=self.way_back.way_back(),
        )

    def step(self) -> None:
        """Captures what shows, settles doubts, sends what waits; what was sent is there."""
        world = self._world
        world.forward.capture(world.now)
        world.back.capture(world.now)
        if self.in_flight is not None:
            world.land(self.in_flight)
            if world.forward.waiting == self.in_flight:
                world.forward.waiting = None
            self.in_flight = None
        if world.now < self.settled_at:
            return
        if world.doubt_until is not None and world.doubt_until <= world.now:
            world.doubt_until, world.forward.waiting = None, world.source
        if self.may_send and world.forward.waiting is not None:
            self.in_flight = world.forward.waiting

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
            self._world.land(self.in_flight)
        self.in_flight = None
