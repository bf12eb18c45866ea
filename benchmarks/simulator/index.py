"""A global secondary index, as far as it holds a table's writes back. Pure.

Which items have an entry, and where it lies, follows from the item's own place: nothing is read of
its attributes, so no item needs any. Every entry costs what a put of a new one costs
[DG:GSI]; changed index keys, which cost twice, do not occur in a copy.
"""

from benchmarks.simulator.admission import write_units
from benchmarks.simulator.lane import Lane, partitions_needed
from benchmarks.simulator.places import SPACE, KeySpace, scatter
from benchmarks.simulator.refusals import Reason
from benchmarks.simulator.settings import Change, Index


class SimulatedIndex:
    """The writes of one index."""

    def __init__(self, settings: Index, table_arn: str, now: float) -> None:
        self.name = settings.name
        self._settings = settings
        self._having_entry = round(settings.share * SPACE)
        self._lane = Lane(
            settings.capacity,
            settings.partitions,
            KeySpace(partitions_needed(settings.capacity, settings.partitions)),
            direction="Write",
            resource="Index",
            arn=f"{table_arn}/index/{settings.name}",
            now=now,
        )

    @property
    def offered(self) -> float:
        """Write units a second that it offers now."""
        return self._lane.offered

    def reason_against(self, place: int, now: float) -> Reason | None:
        """Why the item at `place` cannot be written now because of this index."""
        entry = self._entry(place)
        return None if entry is None else self._lane.reason_against(entry, now)

    def take(self, place: int, size_bytes: int) -> int:
        """Takes what the item's entry costs, and returns the units."""
        entry = self._entry(place)
        if entry is None:
            return 0
        units = write_units(self._settings.entry_bytes or size_bytes)
        self._lane.take(entry, units)
        return units

    def note_load(self, units: float, now: float) -> None:
        """Counts the units of one batch in the load."""
        self._lane.note_load(units, now)

    def load(self, now: float) -> float:
        """How much of what it offers was used just now."""
        return self._lane.load(now)

    def beat(self, now: float) -> None:
        """What changes with time alone."""
        self._lane.beat(now)

    def change(self, change: Change, now: float) -> None:
        """Offers another capacity from now on; reads of an index are not simulated."""
        if change.write_units is not None:
            self._lane.set_capacity(change.write_units, now)

    def _entry(self, place: int) -> int | None:
        """Where the item's entry lies; None where it has none."""
        scattered = scatter(place)
        if scattered >= self._having_entry:
            return None
        keys = self._settings.keys
        return scatter(scattered) if keys is None else scatter(scattered % keys + 1)
