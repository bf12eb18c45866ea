"""Paces that drive the simulator's tables under a virtual clock, judged by what the tables saw."""

import random
from collections.abc import Callable
from itertools import count

import anyio

from benchmarks.simulator import Index, Provisioned, SimulatedTable, SizedKey, Table, place_of
from benchmarks.virtual_time import now
from dynaferry.errors import ThrottledError
from dynaferry.throttle.cap import CAP_WINDOW_SECONDS, Cap
from dynaferry.throttle.cost_ratio import from_above
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate

PLENTY = Provisioned(write_units=1e6, read_units=1e6, burst_seconds=1)
# A request may take so long to the service: they arrive in another order than they left.
WAY_SECONDS = 0.02
REFUSAL = ThrottledError("slow down", code="ThrottlingException")


class Judged:
    """What tables consumed, request by request, at the time when they consumed it."""

    def __init__(self) -> None:
        self.consumed: list[tuple[float, float]] = []

    def most_in_a_window(self, *, since: float = 0.0, until: float = 1e9) -> float:
        """The most units in any window of five seconds between these times."""
        most, inside, first = 0.0, 0.0, 0
        consumed = [entry for entry in self.consumed if since <= entry[0] <= until]
        for at, units in consumed:
            inside += units
            while consumed[first][0] <= at - CAP_WINDOW_SECONDS:
                inside -= consumed[first][1]
                first += 1
            most = max(most, inside)
        return most

    def total(self, since: float, until: float) -> float:
        """The units between these times."""
        return sum(units for at, units in self.consumed if since <= at < until)


def caps(*units_per_second: float | None) -> list[Cap]:
    """Caps on the virtual clock."""
    return [Cap(units, clock=now) for units in units_per_second]


def plentiful(*indexes: str) -> SimulatedTable:
    """A table that takes everything, with these indexes."""
    return SimulatedTable(
        Table(
            name="orders",
            capacity=PLENTY,
            indexes=tuple(Index(name=name, capacity=PLENTY) for name in indexes),
        )
    )


async def write_for(
    seconds: float,
    table: SimulatedTable,
    limiter: CapLimiter,
    judged: Judged,
    *,
    writers: int = 32,
    item_bytes: Callable[[random.Random], int] = lambda _: 1024,
    batch_items: int = 25,
) -> None:
    """Writers write as fast as the pace lets them; each expects a unit per item's KB."""
    keys, dice = count(), random.Random(1)
    ends_at = now() + seconds

    async def write() -> None:
        while now() < ends_at:
            sizes = [item_bytes(dice) for _ in range(batch_items)]
            items = [SizedKey(place_of(f"key-{next(keys)}"), size) for size in sizes]
            units = float(sum(-(-size // 1024) for size in sizes))
            await limiter.acquire(units)
            await anyio.sleep(dice.uniform(0.0, WAY_SECONDS))
            admission = table.write(items, now())
            judged.consumed.append((now(), admission.units))
            await anyio.sleep(admission.latency_seconds)
            if admission.refusal is None:
                limiter.settle(units, admission.units)
            else:
                limiter.throttled(REFUSAL, units)

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(writers):
                tasks.start_soon(write)


async def read_for(
    seconds: float,
    table: SimulatedTable,
    limiter: CapLimiter,
    judged: Judged,
    *,
    page_bytes: Callable[[random.Random], int],
    readers: int = 8,
) -> None:
    """Readers read pages as fast as the pace lets them, and expect full ones at first."""
    dice, expected = random.Random(1), 128.0
    ends_at = now() + seconds

    async def read() -> None:
        nonlocal expected
        while now() < ends_at:
            units = expected
            await limiter.acquire(units)
            await anyio.sleep(dice.uniform(0.0, WAY_SECONDS))
            admission = table.read(dice.getrandbits(64), page_bytes(dice), now())
            judged.consumed.append((now(), admission.units))
            await anyio.sleep(admission.latency_seconds)
            limiter.settle(units, admission.units)
            expected = from_above(expected, admission.units)

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(readers):
                tasks.start_soon(read)


def paces_sharing(run_cap: Cap, tables: int, gate: PauseGate | None = None) -> list[CapLimiter]:
    """A pace per table of one run, each with a cap of its own that limits nothing."""
    return [CapLimiter([Cap(clock=now), run_cap], gate) for _ in range(tables)]
