"""A target in use is compared with a source that stands still: what it is written is no fault."""

from collections.abc import Collection
from pathlib import Path

from dynaferry.stop import StopSignal
from dynaferry.verify.compare.written_since import NothingWritten
from tests.verify.small_verify import opened, plan_of, tools_of
from tests.worlds.fake_tables import FakeTable, item, key

MANY = [item(n) for n in range(300)]


class Seen:
    """Knows of some keys at once, and of others only once it has waited. A `WrittenSince`."""

    def __init__(self, at_once: Collection[bytes] = (), later: Collection[bytes] = ()) -> None:
        self.known = set(at_once)
        self.later = set(later)
        self.waited_for: list[float] = []

    async def among(self, keys: Collection[bytes]) -> Collection[bytes]:
        return self.known & set(keys)

    async def known_until(self, moment: float) -> None:
        self.waited_for.append(moment)
        self.known |= self.later


async def found_by(state_dir: Path, target: FakeTable, seen: Seen) -> dict[str, set[bytes]]:
    """The keys that differ, by how."""
    source, plan = FakeTable(MANY), plan_of(state_dir)
    async with opened(plan) as store:
        tools = tools_of(plan, store, source, target, written_since=seen)
        assert await tools.comparison.compare([0], StopSignal())
        found: dict[str, set[bytes]] = {}
        for one in await store.read_differences(0, 1_000):
            found.setdefault(one.kind, set()).add(one.key)
        totals = await store.read_totals(0)
        assert totals.settled_by_key == len(seen.known)
        return found


def used() -> FakeTable:
    """Lost are 1 and 2; the application has deleted 3, changed 4 and put x1."""
    return FakeTable([MANY[0], item(4, 9), *MANY[5:], item("x1")])


async def test_what_was_written_since_is_settled_without_a_look_and_what_was_lost_is_told(
    tmp_path: Path,
) -> None:
    target, seen = used(), Seen(at_once=[key(3), key(4), key("x1")])
    assert await found_by(tmp_path, target, seen) == {"missing": {key(1), key(2)}}
    assert not seen.known & set(target.looked_up)


async def test_a_record_that_shows_late_is_waited_for_before_its_key_is_called_different(
    tmp_path: Path,
) -> None:
    seen = Seen(later=[key(3), key(4), key("x1")])
    assert await found_by(tmp_path, used(), seen) == {"missing": {key(1), key(2)}}
    assert seen.waited_for


async def test_where_nobody_looks_each_of_them_is_told(tmp_path: Path) -> None:
    nobody = NothingWritten()
    assert await nobody.among([key(1)]) == ()
    await nobody.known_until(0.0)
    assert await found_by(tmp_path, used(), Seen()) == {
        "missing": {key(1), key(2), key(3)},
        "different": {key(4)},
        "extra": {key("x1")},
    }
