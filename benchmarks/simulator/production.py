"""The readers that a table had before a copy came. Pure.

Every beat they ask for the units of its span, evenly over the partitions. What is throttled is
lost, not tried again: a customer who got an error.
"""

from benchmarks.simulator.lane import Lane
from benchmarks.simulator.places import SPACE
from benchmarks.simulator.record import Counts


class ProductionReader:
    """Reads `units_per_second` from a lane, for ever."""

    def __init__(self, units_per_second: float, reads: Lane) -> None:
        self._units_per_second = units_per_second
        self._reads = reads

    def beat(self, now: float, beat_seconds: float, counts: Counts) -> None:
        """Reads what is due for one beat, and counts it."""
        if self._units_per_second == 0:
            return
        partitions = self._reads.partitions
        units = self._units_per_second * beat_seconds / partitions
        for partition in range(partitions):
            place = (2 * partition + 1) * SPACE // (2 * partitions)
            counts.production_units += units
            if self._reads.reason_against(place, now) is not None:
                counts.production_lost_units += units
                continue
            counts.partition_read_units[self._reads.take(place, units)] += units
            self._reads.note_load(units, now)
