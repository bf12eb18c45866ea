"""A token bucket in capacity units. Pure: the clock is passed in.

Whoever takes pays first: a request waits until the bucket holds what it is expected to cost, and
what the service then reports is settled, into debt if need be. The bucket starts empty and saves
up next to nothing while nobody waits, since a bucket that saves up is a burst that the user's cap
did not allow. What is given back was allowed once, so it stays, but not for long.
"""

BUCKET_BURST_SECONDS = 0.1
# With nobody asking for so long, what was given back is not needed.
IDLE_SECONDS = 1.0
# Sums of fractions leave a rest, for which nobody has to wait.
_ENOUGH = 1 - 1e-9


class TokenBucket:
    """Allows `units_per_second` on average, from the first second on."""

    def __init__(self, units_per_second: float, *, now: float) -> None:
        self._rate = units_per_second
        self._tokens = 0.0
        self._waited_for = 0.0
        self._filled_at = now

    @property
    def units_per_second(self) -> float:
        """The rate that this bucket allows."""
        return self._rate

    def wait_seconds(self, units: float, now: float) -> float:
        """How long until `units` may be taken; while somebody waits for them they are saved up."""
        self._fill(now)
        self._waited_for = units
        if self._tokens >= units * _ENOUGH:
            return 0.0
        return (units - self._tokens) / self._rate

    def take(self, units: float) -> None:
        """Takes `units`; those that were taken and not needed are given back as a negative."""
        self._tokens -= units
        self._waited_for = 0.0

    def _fill(self, now: float) -> None:
        elapsed = max(0.0, now - self._filled_at)
        self._filled_at = max(now, self._filled_at)
        most = max(self._waited_for, self._rate * BUCKET_BURST_SECONDS)
        if self._tokens < most:
            self._tokens = min(self._tokens + elapsed * self._rate, most)
        elif elapsed > IDLE_SECONDS:
            self._tokens = most
