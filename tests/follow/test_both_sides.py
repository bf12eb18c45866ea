"""Keys that differ on both sides are found, whatever each side leaves for later."""

from collections.abc import Sequence

import pytest
from msgspec import Raw, json

from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.errors import ServiceGoneError, UnavailableError
from dynaferry.follow.both_sides import BothSides
from dynaferry.ports import FoundItems

KEYS = KeyReader(["pk"])


def key(number: int) -> bytes:
    return canonical(json.encode({"pk": {"N": str(number)}}))


class Side:
    """A table that gives a part of what is asked for, and fails once where it is told to."""

    def __init__(self, versions: dict[int, int], most: int = 100, fails: int = 0) -> None:
        self._versions = versions
        self._most = most
        self._fails = fails
        self.asked = 0

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        self.asked += 1
        if self._fails:
            self._fails -= 1
            raise UnavailableError("no answer", operation="BatchGetItem")
        numbers = [int(json.decode(each)["pk"]["N"]) for each in keys[: self._most]]
        items = [
            Raw(json.encode({"v": {"N": str(self._versions[n])}, "pk": {"N": f"{n}.0"}}))
            for n in numbers
            if n in self._versions
        ]
        return FoundItems(items=items[::-1], unprocessed=keys[self._most :])


async def test_what_is_changed_missing_or_extra_differs_and_nothing_else() -> None:
    source = dict.fromkeys(range(250), 0)
    target = source | {7: 1, 900: 0}
    del target[8]
    both = BothSides(Side(source, most=30, fails=1), Side(target, most=17), KEYS.wire_key)
    asked = [key(n) for n in (*range(250), 900, 901)]
    assert sorted(await both.differing(asked)) == sorted(key(n) for n in (7, 8, 900))
    assert await both.differing([]) == []


async def test_a_side_that_is_gone_ends_the_comparison() -> None:
    both = BothSides(Side({}, fails=10**6), Side({}), KEYS.wire_key, patience_seconds=0.2)
    with pytest.RaisesGroup(pytest.RaisesGroup(ServiceGoneError)):
        await both.differing([key(1)])
