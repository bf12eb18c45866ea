"""A pace that finds the rate by itself, within the caps that people give.

It keeps the requests at the controller's rate and tells the controller what became of them. A
request that was refused has used its share of the rate all the same: who sends again what was
refused sends at the rate, and not beside it.
"""

import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from dynaferry.errors import ThrottledError
from dynaferry.throttle.limiter import REQUEST_SECONDS, ROW_SECONDS, WriteLimiter
from dynaferry.throttle.rate_controller import (
    LEAST_UNITS,
    RateController,
)

# Requests may come this much closer together than evenly: fewer timers, the same rate.
SPACED_BURST_SECONDS: Final = 0.02
SCATTERED_BURST_SECONDS: Final = 0.25  # what long gaps left over, short ones make up for
# The rest of a long gap is waited for in any case: chance has no more to say in it than this.
LONGEST_SCATTER_SECONDS: Final = 1.0
# So much at once until something was refused: a copy of a few hundred items finds out nothing.
FIRST_UNITS: Final = 250.0
# Below a ceiling, so many seconds of it: a table saves up 300 s of what is provisioned.
FIRST_SECONDS: Final = 60.0
NEXT_TO_NOTHING: Final = 1e-6  # units; what is left of rounding is not waited for
# Twice a batch of small items: what is expected of one is often a little more than its size.
UNCUT_UNITS: Final = 2 * LEAST_UNITS
# The rate may have changed by then.
LONGEST_RATE_SLEEP_SECONDS: Final = 0.25
# Timers are no finer than milliseconds; who sleeps a little longer lets a few go at once then.
LEAST_SLEEP_SECONDS: Final = 0.002


def first_units(ceiling: float) -> float:
    """What may go at once where nobody reads or writes more than `ceiling` units a second."""
    return min(FIRST_UNITS, ceiling * FIRST_SECONDS)


class AdaptiveLimiter:
    """A `Pace` at the rate that `controller` finds, and at most at that of `caps`.

    With `scatter`, requests are not evenly spaced: on average they are. `first_units` may go at
    once, as long as nothing was refused.
    """

    def __init__(
        self,
        controller: RateController,
        caps: WriteLimiter,
        *,
        scatter: bool = False,
        first_units: float = FIRST_UNITS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.controller = controller
        self.caps = caps
        self._scatter = scatter
        self._first_units = first_units
        self._clock = clock
        self._sleep = sleep
        self._turn = anyio.Lock(fast_acquire=True)
        self._tokens = first_units
        self._filled_at = clock()
        self._rate_before = controller.rate

    def __repr__(self) -> str:
        controller, capacity = self.controller, self.controller.capacity
        found = "no limit found" if capacity is None else f"limit found {capacity:.0f}"
        return f"<{type(self).__name__} {controller.rate:.0f} units/s, {found}, {self.caps!r}>"

    @property
    def most_units_at_once(self) -> float:
        """The part of a second that a request may take of the rate, once there is a limit."""
        limit = self.controller.rate * REQUEST_SECONDS if self.controller.is_limited else math.inf
        return min(limit, self.caps.most_units_at_once)

    @property
    def most_units_in_a_batch(self) -> float:
        """The same for a batch, from the start on.

        A low rate is to mean few requests, so batches of small items are not cut for it.
        """
        of_the_rate = max(UNCUT_UNITS, self.controller.rate * REQUEST_SECONDS)
        return min(of_the_rate, self.caps.most_units_in_a_batch)

    @property
    def is_free(self) -> bool:
        """Whether nothing was refused so far, and no cap and no pause holds."""
        return not self.controller.is_limited and self.caps.is_free

    @property
    def most_units_in_a_row(self) -> float:
        """A small part of the rate, as long as it is free."""
        return self.controller.rate * ROW_SECONDS if self.is_free else 0.0

    def lift_holds(self) -> None:
        """The rate that was found is too low: a higher one is looked for from there."""
        self.controller.search_again()

    def acquire_nowait(self, units: float, requests: int = 1) -> bool:
        """Admits where neither the rate nor a cap nor anybody before is to be waited for."""
        if self._turn.locked() or (self._scatter and self.controller.is_limited):
            return False
        if self._tokens <= 0:  # else there is no need to look at the clock
            self.controller.asked(units / requests)
            if self._seconds_to_wait() > 0:
                return False
        if not self.caps.acquire_nowait(units, requests):
            return False
        self._take(units)
        return True

    async def acquire(self, units: float, requests: int = 1) -> None:
        """Waits for the rate first, then for the caps."""
        if self.acquire_nowait(units, requests):
            return
        async with self._turn:
            self.controller.asked(units / requests)
            while (wait_seconds := self._seconds_to_wait()) > 0:
                self.controller.wanted()
                seconds = max(wait_seconds, LEAST_SLEEP_SECONDS)
                await self._sleep(min(seconds, LONGEST_RATE_SLEEP_SECONDS))
            is_early = self.controller.capacity is None and self._tokens >= units
            self._take(units)
            if self._scatter and self.controller.is_limited and not is_early:
                # A second's worth of evenly spaced requests may fit between those of others and
                # push them out unseen; requests at odd moments meet a limit as everybody does.
                longest_seconds = min(2 * units / self.controller.rate, LONGEST_SCATTER_SECONDS)
                await self._sleep(random.uniform(0.0, longest_seconds))  # noqa: S311
        await self.caps.acquire(units, requests)

    def settle(
        self,
        admitted: float,
        consumed: float | None,
        *,
        refused: float = 0.0,
        latency_seconds: float = 0.0,
        requests: int = 1,
    ) -> None:
        """Corrects what was admitted by what was `consumed`; `refused` units were left undone."""
        now = self._clock()
        used = admitted - refused if consumed is None else consumed
        self._tokens += admitted - used - refused
        if consumed is not None or latency_seconds > 0:  # else it failed: nothing is known of it
            self.controller.accepted(used, latency_seconds, now)
        if refused > 0:
            self.controller.refused(refused, now)
        self._advance(now)
        self.caps.settle(admitted, consumed, requests=requests)

    def throttled(self, error: ThrottledError, admitted: float) -> None:
        """A whole request was refused for the rate."""
        now = self._clock()
        self.controller.refused(admitted, now)
        self._advance(now)
        self.caps.throttled(error, admitted)

    def _take(self, units: float) -> None:
        self._tokens -= units

    def _advance(self, now: float) -> float:
        """The rate of now. What may come close together at a higher one is too much at it."""
        self.controller.advance(now)
        rate = self.controller.rate
        if rate < self._rate_before:
            self._tokens = min(self._tokens, 0.0)
        self._rate_before = rate
        return rate

    def _seconds_to_wait(self) -> float:
        now = self._clock()
        rate = self._advance(now)
        gained = max(0.0, now - self._filled_at) * rate
        first = self._first_units if self.controller.capacity is None else 0.0
        burst_seconds = SCATTERED_BURST_SECONDS if self._scatter else SPACED_BURST_SECONDS
        self._tokens = min(self._tokens + gained, max(first, rate * burst_seconds))
        self._filled_at = now
        return -self._tokens / rate if self._tokens < -NEXT_TO_NOTHING else 0.0
