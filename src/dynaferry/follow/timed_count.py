"""A count that takes long where there is much to count, and is not made all the time then."""

import time
from collections.abc import Callable
from typing import Final

# Counting may take this share of the time of whoever counts.
MOST_SHARE: Final = 0.02


class TimedCount:
    """What `count` returns: counted anew, or as it was counted last if that took long."""

    def __init__(
        self, count: Callable[[], int], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._clock = clock
        self._last = 0
        self._due_at = -1.0

    def value(self) -> int:
        """The count: exact where there is little to count, else of a while ago."""
        began = self._clock()
        if began >= self._due_at:
            self._last = self._count()
            took = self._clock() - began
            self._due_at = began + took / MOST_SHARE if took > _LITTLE_SECONDS else -1.0
        return self._last


# What takes less is counted each time.
_LITTLE_SECONDS: Final = 0.005
