"""How fast may I go: the one question that readers and writers ask before a request.

A `Pace` is asked before, and told after: what was consumed, and when the service throttled. The
paces here obey caps that people give; one that finds the rate by itself stands behind the same
protocol.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from dynaferry.errors import ThrottledError
from dynaferry.throttle.token_bucket import TokenBucket


class Pace(Protocol):
    """Admits requests of one side, in capacity units."""

    async def admit(self, units: float) -> None:
        """Returns when a request that consumes about `units` may be sent."""
        ...

    def settle(self, admitted: float, consumed: float | None) -> None:
        """Tells what an admitted request consumed; None where nobody knows."""
        ...

    def throttled(self, error: ThrottledError) -> None:
        """Tells that the service refused a request for its rate."""
        ...


class CappedPace:
    """Holds every cap given: the run's, shared by its tables, and the table's own.

    Without a cap it admits at once.
    """

    def __init__(
        self,
        caps: Sequence[TokenBucket],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._caps = tuple(caps)
        self._clock = clock
        self._sleep = sleep

    async def admit(self, units: float) -> None:
        """Reserves in every bucket and waits for the slowest."""
        if not self._caps:
            return
        now = self._clock()
        wait_seconds = max(cap.take(units, now) for cap in self._caps)
        if wait_seconds > 0:
            try:
                await self._sleep(wait_seconds)
            except BaseException:
                # Cancelled: nothing will be sent, so nothing stays reserved.
                self.settle(units, 0.0)
                raise

    def settle(self, admitted: float, consumed: float | None) -> None:
        """Corrects the reservation; one that nobody can correct stands as it is."""
        if consumed is not None:
            for cap in self._caps:
                cap.settle(admitted, consumed)

    def throttled(self, error: ThrottledError) -> None:
        """A cap knows no more after a throttle than before it."""
