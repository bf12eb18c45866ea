"""A run under way does what people ask of it: a few times a second it looks what holds now.

What is asked stands in the state file, where another process puts it, so that it survives this
one. The schedule is looked up at the same time. A copy follows it, and so do the verification and
the replay of its dead letters.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import anyio

from dynaferry.control.effective import EffectiveControls, Planned, effective_controls, in_words
from dynaferry.control.run_limits import RunCaps
from dynaferry.errors import StateError
from dynaferry.observe.stats import Held
from dynaferry.state.records import Controls

CONTROLS_POLL_SECONDS = 0.5


class ControlSource(Protocol):
    """Where it stands what was asked."""

    async def read_controls(self) -> Controls:
        """What was asked of the run while it was under way."""
        ...


class ControlFollower:
    """Applies the controls of one run to caps and pause, to all of `caps` the same."""

    def __init__(
        self,
        planned: Planned,
        asked: ControlSource,
        caps: Sequence[RunCaps],
        stats: Held,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._planned = planned
        self._asked = asked
        self._caps = caps
        self._stats = stats
        self._clock = clock
        self._sleep = sleep

    async def follow(self) -> None:
        """Looks until it is cancelled."""
        while True:
            await self._sleep(CONTROLS_POLL_SECONDS)
            try:
                await self.look()
            except StateError:
                # The checkpoint meets the same file, and tells; until then what held holds.
                continue

    async def look(self) -> Controls:
        """Applies what holds now, and returns what was asked.

        :raises StateError: the state file cannot be read
        """
        controls = await self._asked.read_controls()
        held = effective_controls(
            self._planned, controls, datetime.fromtimestamp(self._clock(), UTC)
        )
        self._apply(held)
        return controls

    async def begin(self) -> list[str]:
        """Applies what holds before the first request, and returns what people should know of it.

        :raises StateError: the state file cannot be read
        """
        controls = await self.look()
        run = self._stats.run
        if self._stats.held_back is None:
            return []
        lines = [f"{run}: {self._stats.held_back}"]
        if self._stats.paused:
            lines.append(f"it waits for: dynaferry resume {run}")
        if (controls.max_read_units, controls.max_write_units) != (None, None):
            lines.append(
                "what was set holds, whatever the plan or a flag says, until it is set otherwise: "
                f"dynaferry set {run} --max-write-units plan --max-read-units plan"
            )
        return lines

    def _apply(self, held: EffectiveControls) -> None:
        for caps in self._caps:
            caps.read.set(held.read.units_per_second)
            caps.write.set(held.write.units_per_second)
            if held.paused_at is None:
                caps.gate.open()
            else:
                caps.gate.close()
        self._stats.paused = held.paused_at is not None
        self._stats.held_back = in_words(held)
        self._stats.read_cap_units = held.read.units_per_second
        self._stats.write_cap_units = held.write.units_per_second
