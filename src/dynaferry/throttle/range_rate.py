"""The rate of one key range that is refused. Pure: the clock is passed in.

A range has few requests of its own, and none that measure it: it is one of many, is done after some
seconds, and shares what limits it with its neighbours. So its rate falls by a part with each
refusal and comes back with time alone, along a cubic curve, whether it is used or not: soon to
nearly where it was refused, then hardly, then ever faster. There is always a way back up.
"""

import math
from typing import Final

RATE_FALL_SHARE: Final = 0.12
# Where it was refused it is again after so long; after twice that it is as much above it.
BACK_SECONDS: Final = 2.0
# What is on its way was sent at the old rate.
DEAF_SECONDS: Final = 0.1
# So much more than what was refused, without a refusal: nothing limits it any more.
FORGOTTEN_GROWTH: Final = 2.0
LEAST_UNITS: Final = 25.0
# A request should not take more than so much of a second of it: the range has saved up little.
REQUEST_SECONDS: Final = 0.1


class RangeRate:
    """Units a second of one range, which was first refused at `units_per_second`."""

    def __init__(self, units_per_second: float, now: float) -> None:
        self.refused_rate = max(LEAST_UNITS, units_per_second)
        self._refused_at = now

    @property
    def most_units_at_once(self) -> float:
        """What one request may take of it."""
        return max(LEAST_UNITS, self.refused_rate * REQUEST_SECONDS)

    def at(self, now: float) -> float:
        """The rate now."""
        growth = RATE_FALL_SHARE * ((now - self._refused_at) / BACK_SECONDS - 1) ** 3
        return self.refused_rate * (1 + growth)

    def refused(self, now: float, most: float = math.inf) -> None:
        """Something was refused that was sent at this rate; it is no higher than `most`."""
        if now >= self._refused_at + DEAF_SECONDS:
            self.refused_rate = max(LEAST_UNITS, min(self.at(now), most))
            self._refused_at = now

    def is_over(self, now: float) -> bool:
        """Whether it has not been refused for so long that nothing limits it."""
        return self.at(now) > FORGOTTEN_GROWTH * self.refused_rate
