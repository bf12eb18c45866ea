"""Applies pause and caps to a run under way; the state file is polled a few times a second.

What is asked stands in the state file, where another process puts it, so that it survives this
one. The schedule is read at the same time. A copy follows it, and so do the verification and
the replay of its dead letters.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import anyio

from dynaferry.control.effective import (
    EffectiveControls,
    Planned,
    effective_controls,
    effective_for_table,
    in_words,
    tables_in_words,
)
from dynaferry.control.run_limits import RunCaps
from dynaferry.errors import StateError
from dynaferry.observe.stats import ControlledStats
from dynaferry.state.records import Controls
from dynaferry.throttle.pause import PauseGate

CONTROLS_POLL_SECONDS = 0.5


class ControlSource(Protocol):
    """The store of what was asked of a run."""

    async def read_controls(self) -> Controls:
        """What was asked of the run while it was under way."""
        ...


class ControlFollower:
    """Applies the controls of one run and of its tables to caps and pauses.

    Those of `caps` are held the same; they are of the same plan.
    """

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
        of_tables = {
            name: effective_for_table(table.planned, controls.tables.get(name))
            for caps in self._caps
            for name, table in caps.tables.items()
        }
        for name, of_table in of_tables.items():
            self._apply_to_table(name, of_table)
        self._note(effective, of_tables)
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
        paused = [name for name, table in controls.tables.items() if table.paused_at is not None]
        lines += [f"{name} waits for: dynaferry resume {run} --table {name}" for name in paused]
        if (controls.max_read_units, controls.max_write_units) != (None, None):
            lines.append(
                "what was set holds, whatever the plan says, until it is set otherwise or a flag "
                f"says: dynaferry set {run} --max-write-units plan --max-read-units plan"
            )
        return lines

    def _apply(self, effective: EffectiveControls) -> None:
        for caps in self._caps:
            caps.read.set(effective.read.units_per_second)
            caps.write.set(effective.write.units_per_second)
            _hold(caps.gate, is_paused=effective.paused_at is not None)

    def _apply_to_table(self, name: str, of_table: EffectiveControls) -> None:
        for caps in self._caps:
            if (table := caps.tables.get(name)) is not None:
                table.read.set(of_table.read.units_per_second)
                table.write.set(of_table.write.units_per_second)
                _hold(table.gate, is_paused=of_table.paused_at is not None)

    def _note(
        self, effective: EffectiveControls, of_tables: Mapping[str, EffectiveControls]
    ) -> None:
        """Leaves in the counters what holds now, for all who show it."""
        stats = self._stats
        stats.paused = effective.paused_at is not None
        words = (in_words(effective), tables_in_words(of_tables))
        stats.limits_in_words = "; ".join(each for each in words if each) or None
        stats.read_cap_units = effective.read.units_per_second
        stats.write_cap_units = effective.write.units_per_second
        stats.write_cap_is_scheduled = effective.write.origin == "schedule"
        for table in stats.tables:
            own = of_tables.get(table.target)
            if own is not None:
                table.paused = stats.paused or own.paused_at is not None
                table.read_cap_units = own.read.units_per_second
                table.write_cap_units = own.write.units_per_second


def _hold(gate: PauseGate, *, is_paused: bool) -> None:
    if is_paused:
        gate.close()
    else:
        gate.open()
