"""Applies pause and caps to a run under way; the state file is polled a few times a second.

What is asked stands in the state file, where another process puts it, so that it survives this
one. The schedule is read at the same time. A copy follows it, and so do the verification and
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
from dynaferry.observe.stats import ControlledStats
from dynaferry.state.records import Controls

CONTROLS_POLL_SECONDS = 0.5


class ControlSource(Protocol):
    """The store of what was asked of a run."""

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
        stats: ControlledStats,
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
        """Polls and applies until it is cancelled."""
        while True:
            await self._sleep(CONTROLS_POLL_SECONDS)
            try:
                await self.refresh()
            except StateError:
                # The checkpoint meets the same file, and reports it; until then what held holds.
                continue

    async def refresh(self) -> Controls:
        """Applies what holds now, and returns what was asked.

        :raises StateError: the state file cannot be read
        """
        controls = await self._asked.read_controls()
        effective = effective_controls(
            self._planned, controls, datetime.fromtimestamp(self._clock(), UTC)
        )
        self._apply(effective)
        return controls

    async def begin(self) -> list[str]:
        """Applies what holds before the first request, and returns what people should know of it.

        :raises StateError: the state file cannot be read
        """
        controls = await self.refresh()
        run = self._stats.run
        if self._stats.limits_in_words is None:
            return []
        lines = [f"{run}: {self._stats.limits_in_words}"]
        if self._stats.paused:
            lines.append(f"it waits for: dynaferry resume {run}")
        if (controls.max_read_units, controls.max_write_units) != (None, None):
            lines.append(
                "what was set holds, whatever the plan or a flag says, until it is set otherwise: "
                f"dynaferry set {run} --max-write-units plan --max-read-units plan"
            )
        return lines

    def _apply(self, effective: EffectiveControls) -> None:
        for caps in self._caps:
            caps.read.set(effective.read.units_per_second)
            caps.write.set(effective.write.units_per_second)
            if effective.paused_at is None:
                caps.gate.open()
            else:
                caps.gate.close()
        self._stats.paused = effective.paused_at is not None
        self._stats.limits_in_words = in_words(effective)
        self._stats.read_cap_units = effective.read.units_per_second
        self._stats.write_cap_units = effective.write.units_per_second
