"""Capacity as a bucket of units. Pure: the clock is passed in.

A bucket is open while it holds anything, and what is then taken may leave it in debt: the service
knows what a Scan costs only after it, and an item larger than a second's capacity must get through
too. So the average is kept exactly, whatever the sizes.
"""

import math

MIN_DEPTH_SECONDS = 0.05  # whatever is set: with none at all nothing would ever be open


class CapacityBucket:
    """Fills at `units_per_second`, and saves up to `depth_seconds` of it."""

    __slots__ = ("_depth_seconds", "_filled_at", "_level", "units_per_second")

    def __init__(
        self,
        units_per_second: float,
        *,
        depth_seconds: float,
        now: float,
        saved_seconds: float | None = None,
    ) -> None:
        self.units_per_second = units_per_second
        self._depth_seconds = max(MIN_DEPTH_SECONDS, depth_seconds)
        saved = self._depth_seconds if saved_seconds is None else saved_seconds
        self._level = units_per_second * min(self._depth_seconds, max(MIN_DEPTH_SECONDS, saved))
        self._filled_at = now

    def is_open(self, now: float) -> bool:
        """Whether anything may be taken."""
        if now > self._filled_at:  # asked for every item of a batch, at one time
            self._fill(now)
        return self._level > 0

    def take(self, units: float) -> None:
        """Takes `units`, into debt if need be."""
        self._level -= units

    def set_rate(self, units_per_second: float, now: float) -> None:
        """Changes the rate from now on; what is saved stays, as far as it still fits."""
        self._fill(now)
        self.units_per_second = units_per_second
        self._level = min(self._level, units_per_second * self._depth_seconds)

    def _fill(self, now: float) -> None:
        if now > self._filled_at:
            gained = (now - self._filled_at) * self.units_per_second
            self._level = min(self._level + gained, self.units_per_second * self._depth_seconds)
            self._filled_at = now


class DecayedRate:
    """Units a second, where what is longer ago weighs less."""

    __slots__ = ("_at", "_rate", "_seconds")

    def __init__(self, *, now: float, seconds: float = 1.0) -> None:
        self._rate = 0.0
        self._at = now
        self._seconds = seconds

    def add(self, units: float, now: float) -> None:
        """Counts units that were used now."""
        self._rate = self.at(now) + units / self._seconds
        self._at = max(self._at, now)

    def at(self, now: float) -> float:
        """The rate now."""
        return self._rate * math.exp(-max(0.0, now - self._at) / self._seconds)
