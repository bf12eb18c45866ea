"""What is asked of a table, and what becomes of it: the model's own words, without JSON."""

from typing import NamedTuple

from msgspec import Struct

from benchmarks.simulator.refusals import Refusal

BYTES_PER_WRITE_UNIT = 1024  # [DG:read-write-operations]
BYTES_PER_READ_UNIT = 4096  # [DG:read-write-operations]


class SizedKey(NamedTuple):
    """What the model needs to know of an item: its partition key's place, and its size."""

    place: int
    size_bytes: int


class Admission(Struct, frozen=True, kw_only=True):
    """What becomes of a batch.

    `accepted` items are written. `unprocessed` are the positions of the others, where some were
    taken; where none was, there is a `refusal` instead. Either answer comes after
    `latency_seconds`.
    """

    accepted: int = 0
    unprocessed: tuple[int, ...] = ()
    refusal: Refusal | None = None
    table_units: float = 0.0
    index_units: dict[str, float] = {}
    latency_seconds: float = 0.0

    @property
    def units(self) -> float:
        """What the batch consumed in total, of the table and its indexes."""
        return self.table_units + sum(self.index_units.values())


class ReadAdmission(Struct, frozen=True, kw_only=True):
    """What becomes of a page, or of items by their keys: `unread` are the positions of the rest."""

    refusal: Refusal | None = None
    unread: tuple[int, ...] = ()
    units: float = 0.0
    latency_seconds: float = 0.0


def write_units(size_bytes: int) -> int:
    """What a put of one item costs: whole units, rounded up for each item."""
    return max(1, -(-size_bytes // BYTES_PER_WRITE_UNIT))


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """What a page costs: rounded up once, half price when eventual; an empty one is not free."""
    units = float(max(1, -(-size_bytes // BYTES_PER_READ_UNIT)))
    return units if consistent else units / 2
