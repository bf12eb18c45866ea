"""Invariant 12 over random tables and writers: equal is never said of what is never equal.

Some items are unequal at every moment, in ways that change as often as the tables are looked at;
all others are equal and stay as they are. Whatever the order of what is read, each of the first is
a difference or undecided, and none of the second is either.
"""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from dynaferry.ports import Page
from dynaferry.stop import StopSignal
from dynaferry.verify.outcome import digests, table_status, why_undecided
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.stats import ComparisonStats
from tests.verify.small_verify import opened, plan_of, tools_of
from tests.worlds.fake_tables import FakeTable, item, key

KEYS = 12
SEGMENTS = 3


class KeyedTable(FakeTable):
    """A table whose pages go on behind a key, as the service's do, whatever was written since."""

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        self.before_page(0)
        mine = [k for k in self.items if self._place(k) % self._segments == segment]
        mine.sort(key=self._rank)
        if exclusive_start_key is not None:
            mine = [k for k in mine if self._rank(k) > self._rank(exclusive_start_key)]
        page = mine[: self._page_items]
        items = [Raw(self.items[k]) for k in page]
        last = page[-1] if len(mine) > len(page) else None
        return Page(items, last, len(items), sum(map(len, items)), 1.0)

    def _rank(self, key_: bytes) -> tuple[object, bytes]:
        return self._order(key_), key_


class Writers:
    """Writes to both tables at every look at one of them.

    What is unequal is always there on one side at least, always the same one, so that a scan of
    that side shows it.
    """

    def __init__(self, draw: random.Random, unequal: frozenset[int]) -> None:
        # Another order and other segments on the target, so that looks at keys are needed as well.
        self.source = KeyedTable(segments=SEGMENTS, page_items=draw.randint(1, 4))
        self.target = KeyedTable(
            segments=SEGMENTS,
            page_items=draw.randint(1, 4),
            order=draw.choice((lambda k: k, lambda k: bytes(reversed(k)))),
            place=draw.choice((self.source._place, len, sum)),
        )
        self._draw, self._unequal, self._version = draw, unequal, 0
        for number in range(KEYS):
            self._write(number)
        for table in (self.source, self.target):
            table.before_page = self.at_a_look
            table.before_find = self.at_a_look

    def at_a_look(self, _: int | Sequence[bytes]) -> None:
        for number in self._unequal:
            if self._draw.random() < 0.5:
                self._write(number)

    def _write(self, number: int) -> None:
        self._version += 1
        one, other = item(number, self._version), item(number, -self._version)
        sides: tuple[bytes | None, bytes | None] = (one, one)
        if number in self._unequal:
            alone = (one, None) if number % 2 else (None, one)
            sides = self._draw.choice((alone, (one, other)))
        for table, content in zip((self.source, self.target), sides, strict=True):
            if content is None:
                table.items.pop(key(number), None)
            else:
                table.items[key(number)] = content


async def found_keys(store: VerificationStore) -> set[bytes]:
    found = [*await store.read_differences(0, 1000), *await store.read_in_flux(0, 1000)]
    return {one.key for one in found}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), unequal=st.frozensets(st.integers(0, KEYS - 1), max_size=4))
async def test_what_is_never_equal_is_never_called_equal_and_what_stays_equal_matches(
    seed: int, unequal: frozenset[int]
) -> None:
    writers = Writers(random.Random(seed), unequal)
    stats = ComparisonStats("orders", "orders-2", segments_total=SEGMENTS)
    with tempfile.TemporaryDirectory() as directory:
        plan = plan_of(Path(directory))
        async with opened(plan, SEGMENTS) as store:
            tools = tools_of(plan, store, writers.source, writers.target, stats=stats)
            assert await tools.comparison.compare(range(SEGMENTS), StopSignal())
            totals = await store.read_totals(0)
            sides = digests(await store.read_segments(0))
            found = await found_keys(store)
    stats.state = "complete"
    status = table_status(stats, totals, why_undecided(totals, *sides, is_sample=False))
    assert found == set(map(key, unequal))
    assert (status == "equal") == (not unequal)
