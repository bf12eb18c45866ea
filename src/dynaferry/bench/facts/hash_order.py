"""Whether two tables have their keys in one order."""

from typing import Final

import anyio
from msgspec import Struct

from dynaferry.bench.facts.subject import CONNECTIONS, Subject

KEYS: Final = 500
SEGMENTS: Final = 4


class HashOrder(Struct, frozen=True, kw_only=True):
    """Whether a Scan of either table gave the same keys in the same order, and each segment the
    same keys.
    """

    keys: int
    same_order: bool
    same_segments: bool


async def measure_hash_order(one: Subject, other: Subject, keys: int = KEYS) -> HashOrder:
    """Writes the same keys to both, to the other from the last to the first, and scans both."""
    names = [one.new_key() for _ in range(keys)]
    await _write(one, names)
    await _write(other, names[::-1])
    wanted = set(names)
    orders = [_only(wanted, await table.keys_of(0, 1)) for table in (one, other)]
    segments = [
        [set(_only(wanted, await table.keys_of(number, SEGMENTS))) for number in range(SEGMENTS)]
        for table in (one, other)
    ]
    return HashOrder(
        keys=min(len(order) for order in orders),
        same_order=orders[0] == orders[1],
        same_segments=segments[0] == segments[1],
    )


async def _write(table: Subject, names: list[str]) -> None:
    rest = iter(names)

    async def one_after_the_other() -> None:
        for name in rest:
            await table.put(name)

    async with anyio.create_task_group() as group:
        for _ in range(CONNECTIONS):
            group.start_soon(one_after_the_other)


def _only(wanted: set[str], keys: list[str]) -> list[str]:
    """The keys without those of other measurements."""
    return [key for key in keys if key in wanted]
