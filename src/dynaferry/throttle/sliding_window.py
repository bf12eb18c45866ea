"""What was consumed in the last seconds. Pure: the clock is passed in.

Consumption is kept in short slots, each dated by its end, so that it leaves the window rather too
late than too early.
"""

from collections import deque

SLOT_SECONDS = 0.05


class Window:
    """The sum of what was added in the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slots: deque[list[float]] = deque()  # [end, units]
        self._total = 0.0

    def add(self, units: float, now: float) -> None:
        """Counts `units` from now on."""
        self._drop(now)
        self._total += units
        if self._slots and now < self._slots[-1][0]:
            self._slots[-1][1] += units
        else:
            self._slots.append([now + SLOT_SECONDS, units])

    def total(self, now: float) -> float:
        """What is in the window now."""
        self._drop(now)
        return self._total

    def wait_seconds(self, most: float, now: float) -> float:
        """How long until the window holds at most `most`, if nothing is added; 0 when it does."""
        self._drop(now)
        left = self._total
        leaves_at = now
        for end, units in self._slots:
            if left <= most:
                break
            left -= units
            leaves_at = end + self._seconds
        return leaves_at - now

    def _drop(self, now: float) -> None:
        while self._slots and self._slots[0][0] + self._seconds <= now:
            self._total -= self._slots.popleft()[1]
        if not self._slots:
            self._total = 0.0  # sums of fractions leave a rest
