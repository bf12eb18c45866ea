"""Records the events of a run under way: in its state file, and in its counters for who shows it.

It runs beside the copy and reads its counters a few times a second. What cannot be stored is
missing from the list, and ends nothing: the checkpoint meets the same file, and reports it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import anyio

from dynaferry.errors import StateError, StateWriteError
from dynaferry.observe.event_watch import EventWatch
from dynaferry.observe.events import RunEvent
from dynaferry.observe.stats import RunStats

EVENTS_POLL_SECONDS: Final = 0.5
STORE_SECONDS: Final = 2.0


class EventStore(Protocol):
    """What keeps the events of a run."""

    async def add_events(self, events: Sequence[RunEvent]) -> None:
        """Stores events behind those that are there."""
        ...

    async def read_events(self) -> list[RunEvent]:
        """The events by their time."""
        ...


class EventRecorder:
    """Stores what is new in `stats`, and keeps there what is stored, as `stats.events`."""

    def __init__(
        self,
        store: EventStore,
        stats: RunStats,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._store = store
        self._stats = stats
        self._clock = clock
        self._sleep = sleep
        self._watch = EventWatch(stats)

    async def follow(self) -> None:
        """Records until it is cancelled."""
        await self.record(anew=True)
        while True:
            await self._sleep(EVENTS_POLL_SECONDS)
            await self.record()

    async def record(self, *, anew: bool = False) -> None:
        """Stores what is new by now; `anew` reads the list even where nothing is."""
        news = self._watch.news(self._stats, self._clock())
        if not news and not anew:
            return
        # Seen once, it is no news again: so a copy that ends does not take it away.
        with anyio.move_on_after(STORE_SECONDS, shield=True):
            try:
                await self._store.add_events(news)
                self._stats.events = await self._store.read_events()
            except (StateError, StateWriteError):
                return
