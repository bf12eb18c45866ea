"""When key ranges are cut finer for a while, to see whether more gets through. Pure: the clock is
passed in.

A range with several partitions has the rate that the fullest of them set, and holds the others back
with it. Nobody sees partitions, and no refusal tells one such range from a full partition: so it is
tried. A trial that brings nothing is refused for a second, and so the next one is later.
"""

from enum import Enum, auto
from typing import Final

TRIAL_SECONDS: Final = 1.0
# So much more must be written for finer ranges to be kept.
GAIN: Final = 1.2
# With fewer segments for each range there is nothing in it that could hold the others back.
LEAST_SEGMENTS_PER_RANGE: Final = 3
LONGEST_SECONDS: Final = 32.0


class TrialVerdict(Enum):
    """What is to be done with the ranges."""

    CUT_FINER = auto()
    KEEP = auto()
    UNDO = auto()


class FinerTrial:
    """The trials of one table."""

    def __init__(self, now: float) -> None:
        self._next_at = now + TRIAL_SECONDS
        self._seconds_between = TRIAL_SECONDS
        self._before: float | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the ranges are finer for a trial."""
        return self._before is not None

    def decide(
        self, units_per_second: float, now: float, *, segments: int, ranges: int
    ) -> TrialVerdict | None:
        """What to do at `now`, when all of the `segments` that wait are held by their `ranges`.

        `units_per_second` are those that are written; None is nothing at all.
        """
        if now < self._next_at:
            return None
        if self._before is not None:
            return self._judge(self._before, units_per_second, now)
        if segments < LEAST_SEGMENTS_PER_RANGE * ranges:
            return None
        self._before, self._next_at = units_per_second, now + TRIAL_SECONDS
        return TrialVerdict.CUT_FINER

    def _judge(self, before: float, units_per_second: float, now: float) -> TrialVerdict:
        is_gain = units_per_second > GAIN * before
        longer = min(LONGEST_SECONDS, 2 * self._seconds_between)
        self._seconds_between = TRIAL_SECONDS if is_gain else longer
        self._before, self._next_at = None, now + self._seconds_between
        return TrialVerdict.KEEP if is_gain else TrialVerdict.UNDO
