"""The time of day, as far as nobody sets the clock while it is looked at."""

import time
from typing import Final

# It goes on while the machine sleeps, where there is such a clock: what a stream keeps ages then.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SteadyClock:
    """Seconds since the epoch as they were at the start, and what has gone by since.

    What waits, is quiet or is in doubt is measured by it; across a restart nothing but the time of
    day is left.
    """

    def __init__(self) -> None:
        self._start = time.time() - time.clock_gettime(_CLOCK)

    def __call__(self) -> float:
        return self._start + time.clock_gettime(_CLOCK)
