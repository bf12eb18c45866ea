"""Reads a table back and compares it with what was seeded, item by item."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dynaferry.demo import accounts
from dynaferry.demo.items import Item, canonical, key_of

_KEYS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a table differs from what it should hold; each is a number of items."""

    items: int
    missing: int
    unexpected: int
    different: int
    examples: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether every item is there, once, as it should be."""
        return not (self.missing or self.unexpected or self.different)


async def read_table(client: Any, table: str = accounts.TABLE) -> list[Item]:
    """Every item, in the SDK's form, by plain Scans: nothing of what copied is used to check."""
    items: list[Item] = []
    start: dict[str, Any] = {}
    while True:
        page = await client.scan(TableName=table, ConsistentRead=True, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def compare(expected: Iterable[Item], found: Iterable[Item]) -> Comparison:
    """Compares two tables by key; attributes, elements of sets and of maps have no order."""
    left = {key_of(item): canonical(item) for item in expected}
    right: dict[tuple[str, str], str] = {}
    doubles = 0
    for item in found:
        key = key_of(item)
        doubles += key in right
        right[key] = canonical(item)
    missing = left.keys() - right.keys()
    unexpected = right.keys() - left.keys()
    different = {key for key in left.keys() & right.keys() if left[key] != right[key]}
    wrong = sorted(missing | unexpected | different)[:_KEYS_SHOWN]
    return Comparison(
        items=len(right),
        missing=len(missing),
        unexpected=len(unexpected) + doubles,
        different=len(different),
        examples=tuple("/".join(key) for key in wrong),
    )
