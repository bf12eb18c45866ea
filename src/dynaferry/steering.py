"""A run under way does what people ask of it: a few times a second it looks what holds now.

What is asked stands in the state file, where another process puts it, so that it survives this
one. The schedule is looked up at the same time.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio

from dynaferry.assembly import RunCaps
from dynaferry.controls import InForce, in_force, in_words
from dynaferry.errors import StateError
from dynaferry.observe.stats import RunStats
from dynaferry.plan import CopyPlan
from dynaferry.state.store import StateStore

LOOK_SECONDS = 0.5


class Steering:
    """Applies the controls of one run to its caps, its pause, and what is shown of them."""

    def __init__(
        self,
        plan: CopyPlan,
        store: StateStore,
        caps: RunCaps,
        stats: RunStats,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._plan = plan
        self._store = store
        self._caps = caps
        self._stats = stats
        self._clock = clock
        self._sleep = sleep

    async def follow(self) -> None:
        """Looks until it is cancelled."""
        while True:
            await self._sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StateError:
                # The checkpoint meets the same file, and tells; until then what held holds.
                continue

    async def look(self) -> None:
        """Applies what holds now.

        :raises StateError: the state file cannot be read
        """
        controls = await self._store.read_controls()
        held = in_force(self._plan, controls, datetime.fromtimestamp(self._clock(), UTC))
        self._apply(held)

    def _apply(self, held: InForce) -> None:
        self._caps.read.set(held.read.units_per_second)
        self._caps.write.set(held.write.units_per_second)
        if held.paused_at is None:
            self._caps.gate.open()
        else:
            self._caps.gate.close()
        self._stats.paused = held.paused_at is not None
        self._stats.held_back = in_words(held)
