"""A histogram of durations, in fixed buckets.

Noting a time costs next to nothing, the memory does not grow, and a percentile never needs the
single times.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

# Seconds. DynamoDB responds in single-digit milliseconds when nothing is in its way, and time-outs
# are tens of seconds: fine steps where requests should be, coarse ones where they should not.
BOUNDS: Final = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0,
)  # fmt: skip


@dataclass(slots=True)
class Histogram:
    """A distribution of durations, in seconds.

    `buckets[i]` counts those that took at most `bounds[i]`, and longer than the bound before; the
    last bucket those that took longer than every bound. `seconds` is their sum.
    """

    bounds: Sequence[float] = BOUNDS
    buckets: list[int] = field(init=False)
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.buckets = [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Counts one duration."""
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def add_all(self, seconds: Sequence[float]) -> None:
        """Counts durations."""
        bounds, buckets = self.bounds, self.buckets
        for each in seconds:
            buckets[bisect_left(bounds, each)] += 1
        self.seconds += sum(seconds)

    @property
    def count(self) -> int:
        """The number of durations that were counted."""
        return sum(self.buckets)


def percentile(
    buckets: Sequence[int], share: float, bounds: Sequence[float] = BOUNDS
) -> float | None:
    """The seconds within which `share` (0 to 1) of the durations lie; None without any.

    Within a bucket they are taken to be spread evenly. Beyond the last bound nothing is known but
    that it was passed.
    """
    rank = share * sum(buckets)
    if rank <= 0:
        return None
    below = 0
    for count, (low, high) in zip(buckets, pairwise((0.0, *bounds)), strict=False):
        if below + count >= rank:
            return low + (high - low) * (rank - below) / count
        below += count
    return bounds[-1]
