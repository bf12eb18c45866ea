"""A cap in capacity units a second that holds over any few seconds, as the service counts.

Two things together make it hold. A token bucket spreads requests evenly, a little below the cap.
And a window remembers what was consumed: a request counts from the moment it is admitted until
`CAP_WINDOW_SECONDS` after its response, with what it is expected to cost first and with what it did
cost then. Whichever window of that length one looks at, all its requests were counted when the
last of them was admitted. A request that alone costs more than a window allows waits until the
bucket has saved up for it, and goes alone.

A cap can be changed and lifted while requests wait. What was consumed before that was under the
old cap, so it is forgotten; what is under way then is counted.
"""

import time
from collections.abc import Awaitable, Callable

import anyio

from dynaferry.throttle.cost_ratio import CostRatio
from dynaferry.throttle.sliding_window import Window
from dynaferry.throttle.token_bucket import TokenBucket

CAP_WINDOW_SECONDS = 5.0
# The rest is for what a request costs beyond what was expected of it.
BUCKET_SHARE = 0.98
# Whoever waits looks again so often whether the cap has changed,
LONGEST_CAP_SLEEP_SECONDS = 0.1
# and so often while requests are under way, whose responses may give something back.
SHORT_SLEEP_SECONDS = 0.02


class Cap:
    """One limit of a run or of a table, `units_per_second`; None is no limit. `set` changes it."""

    def __init__(
        self,
        units_per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self.turn = anyio.Lock(fast_acquire=True)
        self.units_per_second: float | None = None
        self._bucket: TokenBucket | None = None
        self._window = Window(CAP_WINDOW_SECONDS)
        self._reserved = 0.0
        self._shares: list[Share] = []
        self.set(units_per_second)

    def __repr__(self) -> str:
        units = self.units_per_second
        limit = "no limit" if units is None else f"{units:g} units/s"
        return f"<{type(self).__name__} {limit}, {self._reserved:g} reserved>"

    def share(self, cost: CostRatio) -> "Share":
        """The part of one more table, whose requests cost what `cost` has learned."""
        self._shares.append(Share(self, cost))
        return self._shares[-1]

    def set(self, units_per_second: float | None) -> None:
        """Holds another limit from now on, for those who wait already as well."""
        if units_per_second == self.units_per_second:
            return
        self.units_per_second = units_per_second
        self._window = Window(CAP_WINDOW_SECONDS)
        self._bucket = None
        if units_per_second is not None:
            for share in self._shares:
                share.reserve()
            self._bucket = TokenBucket(units_per_second * BUCKET_SHARE, now=self._clock())
            self._bucket.take(self._reserved)

    def wait_seconds(self, units: float) -> float:
        """How long a request that costs `units` has to wait at least; 0 when it may go."""
        if self._bucket is None or self.units_per_second is None:
            return 0.0
        now = self._clock()
        wait_seconds = self._bucket.wait_seconds(units, now)
        room = self.units_per_second * CAP_WINDOW_SECONDS - self._reserved - units
        if room >= 0:
            return max(wait_seconds, self._window.wait_seconds(room, now))
        # What is under way is in the way, or the request is larger than the whole window.
        wait_seconds = max(wait_seconds, self._window.wait_seconds(0.0, now))
        return wait_seconds if self._reserved <= 0 else max(wait_seconds, SHORT_SLEEP_SECONDS)

    async def nap(self, wait_seconds: float) -> None:
        """Sleeps for so long, or until something may have changed."""
        under_way = self._reserved > 0
        longest = SHORT_SLEEP_SECONDS if under_way else LONGEST_CAP_SLEEP_SECONDS
        await self._sleep(min(wait_seconds, longest))

    def reserve(self, units: float) -> None:
        """Counts `units` as under way; a negative takes back what is expected no more."""
        self._reserved += units
        if self._bucket is not None:
            self._bucket.take(units)

    def consumed(self, units: float) -> None:
        """Counts `units` that a response reports; what was reserved for it is taken back apart."""
        if self._bucket is not None:
            self._bucket.take(units)
            self._window.add(units, self._clock())


class Share:
    """One table's part in a cap. Its requests cost what the table has learned that they cost."""

    def __init__(self, cap: Cap, cost: CostRatio) -> None:
        self._cap = cap
        self._cost = cost
        self._requests = 0
        self._in_flight = 0.0
        self._reserved = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether anybody may have to wait."""
        return self._cap.units_per_second is not None

    async def acquire(self, units: float, requests: int = 1) -> None:
        """Returns when requests of about `units` may be sent; those who come first go first."""
        if self.is_limited:
            async with self._cap.turn:
                while (wait_seconds := self._wait_seconds(units)) > 0:
                    await self._cap.nap(wait_seconds)
                self.enter(units, requests)
        else:
            self.enter(units, requests)

    def enter(self, units: float, requests: int = 1) -> None:
        """Counts requests as under way, which are expected to cost `units` together."""
        self._requests += requests
        self._in_flight += units
        if self._cap.units_per_second is not None:
            self.reserve()

    def leave(self, units: float, consumed: float, requests: int = 1) -> None:
        """Requests that were expected to cost `units` have consumed so many."""
        self._requests -= requests
        # Sums of fractions leave a rest, which must not stay for ever.
        self._in_flight = self._in_flight - units if self._requests else 0.0
        if self._cap.units_per_second is not None:
            self._cap.consumed(consumed)
            self.reserve()

    def reserve(self) -> None:
        """Reserves what is under way. A cap without a limit is told of it when it gets one."""
        reserved = self._in_flight * self._cost.value
        self._cap.reserve(reserved - self._reserved)
        self._reserved = reserved

    def _wait_seconds(self, units: float) -> float:
        if self.is_limited and self._requests > 0 and not self._cost.is_known:
            return SHORT_SLEEP_SECONDS  # the first response says what the others will cost
        return self._cap.wait_seconds(units * self._cost.value)
