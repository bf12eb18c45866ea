"""How an on-demand table grows. Pure: the clock is passed in.

The service takes up to twice the previous peak at once, and may throttle what doubles again within
30 minutes [DG:on-demand-capacity-mode]. It does not say what makes a peak. Here it is the average
over a whole window of `doubling_seconds`, one window after the other: use that stays at the limit
for a window doubles it, use at three quarters of the limit makes it half as large again, and use
below half changes nothing. A peak is never forgotten.
"""


class Doubling:
    """What one direction of an on-demand table sustains."""

    __slots__ = ("_allowed", "_quota", "_used", "_window_ends_at", "_window_seconds")

    def __init__(
        self, units_per_second: float, *, quota: float, window_seconds: float, now: float
    ) -> None:
        self._allowed = units_per_second
        self._quota = quota
        self._window_seconds = window_seconds
        self._window_ends_at = now + window_seconds
        self._used = 0.0

    @property
    def allowed(self) -> float:
        """Units a second that are taken now."""
        return min(self._allowed, self._quota)

    @property
    def is_at_quota(self) -> bool:
        """Whether it is the account's quota that limits."""
        return self._allowed >= self._quota

    def use(self, units: float) -> None:
        """Counts units that were used in this window."""
        self._used += units

    def beat(self, now: float) -> bool:
        """Closes the windows that are over; says whether more is allowed than before."""
        before = self.allowed
        while now >= self._window_ends_at:
            # What was saved up can carry the average above the limit: no peak comes of that.
            peak = min(self.allowed, self._used / self._window_seconds)
            self._allowed = max(self._allowed, 2 * peak)
            self._used = 0.0
            self._window_ends_at += self._window_seconds
        return self.allowed > before

    def set_allowed(self, units_per_second: float) -> None:
        """Sustains this much from now on, as after raising the warm throughput."""
        self._allowed = units_per_second
