"""Which key ranges of a target are full, and at which rate each may be written. Pure: the clock is
passed in.

What fills up is a partition, which nobody sees: segments are written, some of one partition, and
one after the other of it. So the hash is cut into ranges, some for each partition that what is
written each second takes at least; the segments of a range share its rate, and the next one there
begins at it. A range that was never refused has no rate.
"""

import math
from typing import Final

from dynaferry.limits import PARTITION_WRITE_UNITS
from dynaferry.throttle.finer_trial import FinerTrial, TrialVerdict
from dynaferry.throttle.range_rate import RangeRate

# A range over the edge of two partitions holds back both, and many in one are refused many times.
RANGES_PER_PARTITION: Final = 2
# Of many partitions hardly more segments are under way than these: each has a rate of its own.
MANY_PARTITIONS: Final = 20
RANGES_OF_MANY: Final = 4
MOST_RANGES: Final = 1024
# Where most ranges are refused at less than this share of what they should take, partitions take
# less than they can, or more of them are in a range than is known: it is cut finer, after so long.
SMALL_SHARE: Final = 0.5
FINER_SECONDS: Final = 0.5
# With so many times the ranges that are needed they are cut anew.
TOO_MANY: Final = 3
# A range that was refused is left alone for so long: what it had used up flows in again.
PAUSE_SECONDS: Final = 0.05
# What is written is measured over at least so long.
MEASURED_SECONDS: Final = 0.5
# An even share is of what was written, which is less than what could be.
EVEN_MORE: Final = 1.3
# A range that is refused takes no more than so many times what is written of it: what a partition
# had saved up at the start tells nothing of its rate.
MOST_OF_WRITTEN: Final = 2.0


class KeyRange:
    """One of them: `rate` is None where nothing limits it."""

    __slots__ = ("free_at", "measured_from", "rate", "units")

    def __init__(self, now: float) -> None:
        self.rate: RangeRate | None = None
        self.free_at = now
        self.units = 0.0  # written since
        self.measured_from = now


class KeyRanges:
    """Those of one table, whose segments are `total_segments`; None gives each segment its own."""

    def __init__(self, total_segments: int | None, *, now: float) -> None:
        self._total_segments = total_segments
        self._count = 0
        self._least_count = 1
        self._least_before = 1
        self._trial = FinerTrial(now)
        self._cut_at = now
        self._ranges: dict[int, KeyRange] = {}
        self._units = 0.0
        self._measured_from = now

    @property
    def count(self) -> int:
        """How many there are; 0 as long as none was refused."""
        return self._count

    @property
    def any_is_limited(self) -> bool:
        """Whether any of them has a rate."""
        return any(each.rate is not None for each in self._ranges.values())

    def free_at(self, segment: int) -> float:
        """When something of this segment may be sent."""
        found = self._ranges.get(self._number(segment)) if self._ranges else None
        return -math.inf if found is None else found.free_at

    def most_units_at_once(self, segment: int) -> float:
        """What a request may take of its range; infinite where nothing limits it."""
        found = self._ranges.get(self._number(segment)) if self._ranges else None
        if found is None or found.rate is None:
            return math.inf
        return found.rate.most_units_at_once

    def note_sent(self, segment: int, units: float, now: float) -> None:
        """About so many units of a segment are sent."""
        found = self._ranges.get(self._number(segment))
        if found is None or found.rate is None:
            return
        if found.rate.is_over(now):
            found.rate = None
        else:
            found.free_at = max(found.free_at, now) + units / found.rate.at(now)

    def note_written(self, segment: int, units: float) -> None:
        """So many were written."""
        self._units += units
        if self._ranges and (found := self._ranges.get(self._number(segment))) is not None:
            found.units += units

    def note_throttled(self, segment: int, now: float, *, segments: int) -> None:
        """Something was refused since its range is full, while so many segments are written."""
        per_second = self._units_per_second(now)
        self._cut(per_second, now, segments)
        even = EVEN_MORE * per_second / max(1, min(segments, self._count))
        found = self._ranges.setdefault(self._number(segment), KeyRange(now))
        seconds = now - found.measured_from
        own = found.units / max(MEASURED_SECONDS, seconds)
        if found.rate is None:
            found.rate = RangeRate(max(own, even), now)
        else:
            is_measured = seconds >= MEASURED_SECONDS
            found.rate.refused(now, MOST_OF_WRITTEN * max(own, even) if is_measured else math.inf)
        if seconds >= MEASURED_SECONDS:
            found.units, found.measured_from = 0.0, now
        found.free_at = max(found.free_at, now + PAUSE_SECONDS)

    def note_all_delayed(self, now: float, *, segments: int) -> None:
        """Nothing may be sent at `now`, since the ranges of all `segments` that wait are held."""
        if self._total_segments is None or not self._ranges:
            return
        per_second = self._units_per_second(now)
        self._try_finer(per_second, now, segments)
        self._cut(per_second, now, segments)

    def _try_finer(self, units_per_second: float, now: float, segments: int) -> None:
        verdict = self._trial.decide(units_per_second, now, segments=segments, ranges=self._count)
        if verdict is TrialVerdict.CUT_FINER:
            self._least_before, self._least_count = self._least_count, 2 * self._count
        elif verdict is TrialVerdict.UNDO:
            self._least_count = self._least_before
            self._cut_into(max(1, self._count // 2), now)

    def _number(self, segment: int) -> int:
        if self._total_segments is None:
            return segment
        return segment * self._count // self._total_segments

    def _cut(self, units_per_second: float, now: float, segments: int) -> None:
        """Cuts the hash anew where more is written than these are for, or far less, or where they
        hold back more than one partition each; not finer than the segments that are written.
        """
        if self._total_segments is None:
            self._count = max(1, len(self._ranges))
            return
        partitions = max(1.0, units_per_second / PARTITION_WRITE_UNITS)
        of_each = RANGES_PER_PARTITION if partitions < MANY_PARTITIONS else RANGES_OF_MANY
        needed = of_each * partitions
        may_be_finer = now - self._cut_at >= FINER_SECONDS and not self._trial.is_under_way
        if may_be_finer and self._are_small(PARTITION_WRITE_UNITS / of_each):
            self._least_count = max(self._least_count, min(2 * self._count, 2 * segments))
        needed = max(needed, self._least_count)
        count = min(MOST_RANGES, self._total_segments, 2 ** math.ceil(math.log2(needed)))
        if self._count < count or self._count >= TOO_MANY * needed:
            self._cut_into(count, now)

    def _cut_into(self, count: int, now: float) -> None:
        self._ranges, self._count, self._cut_at = {}, count, now

    def _are_small(self, expected: float) -> bool:
        """Whether most ranges are refused, each far below what one of them should take."""
        small = sum(
            each.rate is not None and each.rate.refused_rate < SMALL_SHARE * expected
            for each in self._ranges.values()
        )
        return 2 * small > self._count

    def _units_per_second(self, now: float) -> float:
        seconds = max(MEASURED_SECONDS, now - self._measured_from)
        per_second = self._units / seconds
        if seconds >= 2 * MEASURED_SECONDS:
            self._units, self._measured_from = per_second * MEASURED_SECONDS, now - MEASURED_SECONDS
        return per_second
