"""A table of the model, driven through virtual time."""

from collections.abc import Callable, Sequence
from itertools import count

from benchmarks.simulator import (
    NO_LATENCY,
    Admission,
    Provisioned,
    SimulatedTable,
    SizedKey,
    Table,
    place_of,
)
from benchmarks.simulator.refusals import Refusal

Place = Callable[[int], int]


def table_with(**settings: object) -> SimulatedTable:
    """A table without latency and, unless told otherwise, with more capacity than a test uses."""
    plenty = Provisioned(write_units=1e6, read_units=1e6, burst_seconds=1)
    chosen: dict[str, object] = {"capacity": plenty, "latency": NO_LATENCY, **settings}
    return SimulatedTable(Table(name="orders", **chosen))  # type: ignore[arg-type]


def anywhere(number: int) -> int:
    """The place of the nth of many keys."""
    return place_of(f"key-{number}")


def batch(*places: int, size_bytes: int = 1024) -> list[SizedKey]:
    """Items of one size at these places."""
    return [SizedKey(place, size_bytes) for place in places]


def write_evenly(
    table: SimulatedTable,
    *,
    units_per_second: float,
    seconds: tuple[float, float],
    place: Place = anywhere,
) -> list[Admission]:
    """Writes batches of 25 items of 1 KB, evenly spaced; what is not taken is not tried again."""
    start, end = seconds
    keys = count()
    admissions = []
    for tick in range(round((end - start) * units_per_second / 25)):
        items = batch(*(place(next(keys)) for _ in range(25)))
        admissions.append(table.write(items, start + tick * 25 / units_per_second))
    return admissions


def accepted(admissions: Sequence[Admission]) -> int:
    """How many items were taken."""
    return sum(admission.accepted for admission in admissions)


def first_refusal(table: SimulatedTable, now: float, place: Place = anywhere) -> Refusal:
    """What a table says that is asked for more and more at one moment."""
    for number in range(1_000_000):
        refusal = table.write(batch(place(number)), now).refusal
        if refusal is not None:
            return refusal
    raise AssertionError("the table takes everything")
