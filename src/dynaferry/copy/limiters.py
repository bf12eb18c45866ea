"""The two limiters of one table's copy, and the rates that they hold it to."""

import math
from typing import NamedTuple

from dynaferry.observe.stats import TableStats
from dynaferry.throttle.adaptive_limiter import AdaptiveLimiter
from dynaferry.throttle.limiter import REQUEST_SECONDS


class Limiters(NamedTuple):
    """What the reads and the writes of one table are held to."""

    read: AdaptiveLimiter
    write: AdaptiveLimiter

    def note_rates(self, stats: TableStats) -> None:
        """Notes the units a second that both allow by now; None where nothing limits them."""
        stats.read_rate_limit_units = _finite(_rate_of(self.read))
        stats.write_rate_limit_units = _finite(_rate_of(self.write))


def cap_of(limiter: AdaptiveLimiter) -> float:
    """The units a second that one request after the other may consume; infinite without a limit."""
    return limiter.most_units_at_once / REQUEST_SECONDS


def _rate_of(limiter: AdaptiveLimiter) -> float:
    return min(limiter.controller.rate, cap_of(limiter))


def _finite(rate: float) -> float | None:
    """A rate to be shown: None without one, and 8,000 rather than 8,000.000000000001."""
    return None if rate == math.inf else round(rate, 6)
