"""Requests of one operation: how they ended, and how long they took.

Times are counted in fixed buckets, so that noting one costs next to nothing and a percentile
never needs the single times.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

# `unprocessed`: answered, with a remainder that is sent again. `refused`: for the content of an
# item. `stopped`: for a reason that ends the run.
RequestOutcome = Literal[
    "ok", "unprocessed", "throttled", "unavailable", "corrupt", "refused", "stopped"
]

# Seconds. DynamoDB answers in single-digit milliseconds when nothing is in its way, and time-outs
# are tens of seconds: fine steps where requests should be, coarse ones where they should not.
BOUNDS: Final = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0,
)  # fmt: skip


@dataclass(slots=True)
class RequestStats:
    """The requests of one operation in this attempt.

    `buckets[i]` counts those that took at most `BOUNDS[i]`, and longer than the bound before; the
    last bucket those that took longer than every bound.
    """

    outcomes: dict[RequestOutcome, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def note(self, outcome: RequestOutcome, seconds: float) -> None:
        """Counts a request that ended."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def note_all(self, outcome: RequestOutcome, seconds: Sequence[float]) -> None:
        """Counts requests that ended alike."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + len(seconds)
        buckets = self.buckets
        for each in seconds:
            buckets[bisect_left(BOUNDS, each)] += 1
        self.seconds += sum(seconds)

    @property
    def count(self) -> int:
        """How many requests have ended."""
        return sum(self.buckets)


def percentile(buckets: Sequence[int], share: float) -> float | None:
    """The seconds within which `share` (0 to 1) of the requests were answered; None without any.

    Within a bucket the times are taken to be spread evenly. Beyond the last bound nothing is
    known but that it was passed.
    """
    rank = share * sum(buckets)
    if rank <= 0:
        return None
    below = 0
    for count, (low, high) in zip(buckets, pairwise((0.0, *BOUNDS)), strict=False):
        if below + count >= rank:
            return low + (high - low) * (rank - below) / count
        below += count
    return BOUNDS[-1]
