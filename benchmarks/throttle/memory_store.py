"""A state store that forgets: for copies in virtual time, where no thread may run."""

from collections.abc import Sequence

from dynaferry.state.records import (
    DeadLetter,
    Sample,
    SegmentRecord,
    TableCounters,
)
from dynaferry.state.sqlite.store import SqliteStore


class MemoryStore(SqliteStore):
    """What a pipeline needs of a store, kept in memory."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.segments: dict[int, SegmentRecord] = {}
        self.letters: list[DeadLetter] = []

    async def checkpoint(
        self, table: int, segments: Sequence[SegmentRecord], counters: TableCounters
    ) -> None:
        self.segments.update((record.segment, record) for record in segments)

    async def add_sample(self, sample: Sample) -> None:
        self.samples.append(sample)

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.letters.extend(letters)
