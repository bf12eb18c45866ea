"""The keys of the live display of a copy: `p` pauses, `+` and `-` change its limit, `q` stops it.

They do what `dynaferry pause`, `resume` and `set` do, and what Ctrl-C does: through the state file,
so that what a key has set holds when the run is resumed.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from dynaferry.cli import screen
from dynaferry.cli.interrupts import ask_to_stop
from dynaferry.errors import DynaferryError
from dynaferry.limits import LEAST_CAP_UNITS
from dynaferry.observe.rates import SlidingRate
from dynaferry.shared.who import user_name
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from dynaferry.cli.keyboard import Keyboard
    from dynaferry.observe.stats import RunStats
    from dynaferry.plan.settings import CopyPlan
    from dynaferry.stop import StopSignal

    Watch = Callable[[RunStats], Awaitable[None]]

KEYS_IN_WORDS: Final = "p pause or resume, + - limit on writes, q stop"
RATE_SECONDS: Final = 10.0
# One step up and one step down are where one was before.
STEP: Final = 1.25
NO_LIMIT: Final = "there is no limit on writes to be raised; - sets one below what is written now"
SCHEDULED: Final = (
    "the schedule limits writes now, and a limit that is set would hold at any hour; to set one: "
    "dynaferry set {run} --max-write-units N"
)
AT_THE_PLANS: Final = "writes are at the limit of the plan; dynaferry set goes beyond it"
NOTHING_WRITTEN: Final = "nothing is written yet that a limit could be taken from"


class RunKeys:
    """What the keys do to one run. `ask_to_stop` is what a signal does; no key raises the limit on
    writes above `most_units`, those of the plan.
    """

    def __init__(
        self,
        state_dir: Path,
        run: str,
        ask_to_stop: Callable[[], None],
        most_units: float | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._run = run
        self._ask_to_stop = ask_to_stop
        self._most_units = most_units
        self._written = SlidingRate(RATE_SECONDS)

    async def follow(self, keyboard: Keyboard, stats: RunStats) -> None:
        """Does what is pressed, until it is cancelled."""
        with keyboard:
            async with anyio.create_task_group() as group:
                group.start_soon(self._measure, stats)
                while True:
                    await self.press(await keyboard.pressed(), stats)

    async def beside(self, keyboard: Keyboard, live: Watch, stats: RunStats) -> None:
        """Shows what `live` shows, and does what is pressed meanwhile."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.follow, keyboard, stats)
            await live(stats)
            group.cancel_scope.cancel()

    async def _measure(self, stats: RunStats) -> None:
        while True:
            self.measure(stats, time.monotonic())
            await anyio.sleep(1.0)

    def measure(self, stats: RunStats, now: float) -> None:
        """Takes a sample of the write units, from which a first limit is taken."""
        self._written.add(now, sum(table.write_units for table in stats.tables))

    async def press(self, key: str, stats: RunStats) -> None:
        """Does what this key is for; another one does nothing."""
        if key == "q":
            self._ask_to_stop()
        elif key == "p":
            await self._change(ControlsChange(paused=not stats.paused))
        elif key in ("+", "-"):
            await self._change_limit(stats, raised=key == "+")

    async def _change_limit(self, stats: RunStats, *, raised: bool) -> None:
        limit = stats.write_cap_units
        if stats.write_cap_is_scheduled:
            screen.say(SCHEDULED.format(run=self._run))
            return
        if raised and limit is not None and self._most_units is not None:
            if limit >= self._most_units:
                screen.say(AT_THE_PLANS)
                return
            limit = min(limit, self._most_units / STEP)
        if limit is None and raised:
            screen.say(NO_LIMIT)
            return
        limit = limit or self._written.per_second
        if not limit:
            screen.say(NOTHING_WRITTEN)
            return
        await self._change(ControlsChange(max_write_units=stepped(limit, raised=raised)))

    async def _change(self, change: ControlsChange) -> None:
        try:
            store = await SqliteStore.open_to_control(self._state_dir, self._run)
            try:
                await store.change_controls(change, time.time(), user_name())
            finally:
                await store.aclose()
        except DynaferryError as error:
            screen.say(error.message)


def keys_of(plan: CopyPlan, stop: StopSignal) -> RunKeys:
    """The keys of the run of this plan."""
    stops = partial(ask_to_stop, stop)
    return RunKeys(plan.state_dir, plan.run_name, stops, plan.max_write_units)


def stepped(limit: float, *, raised: bool) -> float:
    """The next limit up or down, in round figures."""
    next_one = limit * STEP if raised else limit / STEP
    return max(LEAST_CAP_UNITS, float(f"{next_one:.3g}"))
