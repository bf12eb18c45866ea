"""A token bucket in capacity units. Pure: the clock is passed in.

Takers reserve: `take` subtracts at once, into debt if need be, and says how long to wait before
the call. So takers are served in the order they came, and what the service then reports is
settled against what was reserved. The bucket starts empty and holds next to nothing, since a
bucket that saves up is a burst that the user's cap did not allow.
"""

BURST_SECONDS = 0.1


class TokenBucket:
    """Allows `units_per_second` on average, from the first second on."""

    def __init__(self, units_per_second: float, *, now: float) -> None:
        self._rate = units_per_second
        self._tokens = 0.0
        self._filled_at = now

    @property
    def units_per_second(self) -> float:
        """The rate that this bucket allows."""
        return self._rate

    def take(self, units: float, now: float) -> float:
        """Reserves `units` and returns the seconds to wait before they may be used."""
        self._fill(now)
        self._tokens -= units
        return max(0.0, -self._tokens / self._rate)

    def settle(self, taken: float, consumed: float) -> None:
        """Gives back what was taken and not consumed, or takes what was consumed beyond."""
        self._tokens += taken - consumed

    def _fill(self, now: float) -> None:
        elapsed = max(0.0, now - self._filled_at)
        self._filled_at = max(now, self._filled_at)
        self._tokens = min(self._tokens + elapsed * self._rate, self._rate * BURST_SECONDS)
