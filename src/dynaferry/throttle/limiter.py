"""How fast may I go: the one question that readers and writers ask before a request.

A `RateLimiter` is asked before, and told after: what was consumed, and when the service throttled.
The limiter here obeys caps and the pause that people give; one that finds the rate by itself stands
behind the same protocol.
"""

import math
from collections.abc import Sequence
from typing import Final, Protocol

import anyio

from dynaferry.errors import ThrottledError
from dynaferry.throttle.cap import Cap, Share
from dynaferry.throttle.cost_ratio import CostRatio
from dynaferry.throttle.pause import PauseGate

# One request should not use more than so many seconds of a rate.
REQUEST_SECONDS: Final = 0.05
# Nor should requests that are admitted together, since each waits for the one before.
ROW_SECONDS: Final = 0.01


class RateLimiter(Protocol):
    """Admits requests of one side, in capacity units. Each one admitted is settled, once.

    `requests` that follow one another may be admitted and settled together; the units are those of
    all of them then.
    """

    @property
    def most_units_at_once(self) -> float:
        """What one request may consume to stay in step with the rate; infinite without one."""
        ...

    def acquire_nowait(self, units: float, requests: int = 1) -> bool:
        """Admits a request that consumes about `units` if nobody has to wait; says whether."""
        ...

    async def acquire(self, units: float, requests: int = 1) -> None:
        """Returns when a request that consumes about `units` may be sent."""
        ...

    def settle(
        self,
        admitted: float,
        consumed: float | None,
        *,
        refused: float = 0.0,
        latency_seconds: float = 0.0,
        requests: int = 1,
    ) -> None:
        """Tells what an admitted request consumed, None where nobody knows, and how long it took.

        `refused` are the units of what the service left undone for its rate.
        """
        ...

    def throttled(self, error: ThrottledError, admitted: float) -> None:
        """Tells that the service refused a whole request for its rate. It is settled by that."""
        ...


class WriteLimiter(RateLimiter, Protocol):
    """A pace that sizes batches as well."""

    @property
    def most_units_in_a_batch(self) -> float:
        """What a batch may consume: a batch of large items is many seconds of a low rate."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether nothing holds anybody back: no limit that was found, no cap and no pause."""
        ...

    @property
    def most_units_in_a_row(self) -> float:
        """What batches that are admitted together may consume; 0 unless it is free."""
        ...

    def lift_holds(self) -> None:
        """Tells that what was left undone until now was not for the rate."""
        ...


class CapLimiter:
    """Holds every cap given, the table's own and the run's, and a pause.

    Without any of them it admits at once.
    """

    def __init__(self, caps: Sequence[Cap], gate: PauseGate | None = None) -> None:
        self._caps = tuple(caps)
        self._cost = CostRatio()
        self._shares = tuple(cap.share(self._cost) for cap in caps)
        self._gate = gate or PauseGate()
        self._turn = anyio.Lock(fast_acquire=True)

    def __repr__(self) -> str:
        limit = self.units_per_second
        cap = "no cap" if limit is None else f"cap {limit:g} units/s"
        return f"<{type(self).__name__} {cap}{'' if self._gate.is_open else ', paused'}>"

    @property
    def most_units_at_once(self) -> float:
        """The part of a second that a request may take of the strictest cap."""
        limit = self.units_per_second
        return math.inf if limit is None else limit * REQUEST_SECONDS

    @property
    def most_units_in_a_batch(self) -> float:
        """The same for a batch."""
        return self.most_units_at_once

    @property
    def is_free(self) -> bool:
        """Whether there is neither a pause nor a cap."""
        if not self._gate.is_open:
            return False
        for share in self._shares:  # noqa: SIM110  # asked with every request: no generator
            if share.is_limited:
                return False
        return True

    @property
    def most_units_in_a_row(self) -> float:
        """Nothing is known of a rate here."""
        return math.inf if self.is_free else 0.0

    def lift_holds(self) -> None:
        """A cap is none the more for it."""

    @property
    def units_per_second(self) -> float | None:
        """The strictest cap that holds now; None where none does."""
        strictest = None
        for cap in self._caps:
            limit = cap.units_per_second
            if limit is not None and (strictest is None or limit < strictest):
                strictest = limit
        return strictest

    def acquire_nowait(self, units: float, requests: int = 1) -> bool:
        """Admits where there is neither a pause nor a cap."""
        if not self.is_free:
            return False
        for share in self._shares:
            share.enter(units, requests)
        return True

    async def acquire(self, units: float, requests: int = 1) -> None:
        """Waits for the pause to end, and for every cap."""
        if self.acquire_nowait(units, requests):
            return
        # One at a time, so that a pause or a low cap never holds a crowd that was half let in.
        async with self._turn:
            await self._admit(units, requests)

    async def _admit(self, units: float, requests: int) -> None:
        entered: list[Share] = []

        async def enter(share: Share) -> None:
            await share.acquire(units, requests)
            entered.append(share)

        try:
            await self._gate.passed()
            limited = [share for share in self._shares if share.is_limited]
            if len(limited) > 1:
                # Side by side: each cap saves up for this request meanwhile.
                async with anyio.create_task_group() as caps:
                    for share in limited:
                        caps.start_soon(enter, share)
            for share in self._shares:
                if share not in entered:
                    await enter(share)
            await self._gate.passed()
        except BaseException:
            # Cancelled: nothing will be sent, so nothing stays reserved.
            for share in entered:
                share.leave(units, 0.0, requests)
            raise

    def settle(
        self,
        admitted: float,
        consumed: float | None,
        *,
        refused: float = 0.0,  # a cap counts what is consumed
        latency_seconds: float = 0.0,
        requests: int = 1,
    ) -> None:
        """Corrects the reservation; where nobody knows what it cost, it cost what was reserved."""
        self._cost.learn(admitted, consumed)
        cost = admitted * self._cost.value if consumed is None else consumed
        for share in self._shares:
            share.leave(admitted, cost, requests)

    def throttled(self, error: ThrottledError, admitted: float) -> None:
        """A cap knows no more after a throttle than before it: nothing was consumed."""
        self.settle(admitted, 0.0)
