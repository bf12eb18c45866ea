"""How large a page is asked for: as large as the pace can take at one blow."""

import math

from dynaferry.copy.batcher import Uncut
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.read_ahead import FIRST_PAGE_ITEMS, LEAST_PAGE_UNITS, Ahead
from dynaferry.copy.reader import Reader
from dynaferry.copy.segments import SegmentQueue
from dynaferry.errors import ThrottledError
from dynaferry.observe.stats import TableStats
from dynaferry.ports import Page
from dynaferry.throttle.retry import Patience, RetryPolicy
from tests.worlds.fakes import wire_item

ITEMS = 1000
FULL_PAGE_UNITS = 128.0


class Source:
    """A segment of so many items, each of which costs `units_per_item`."""

    full_page_units = FULL_PAGE_UNITS

    def __init__(self, units_per_item: float) -> None:
        self._units_per_item = units_per_item
        self.limits: list[int | None] = []

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        self.limits.append(limit)
        start = int(exclusive_start_key or b"0")
        full = int(FULL_PAGE_UNITS / self._units_per_item)
        end = min(ITEMS, start + min(limit or full, full))
        return Page(
            items=[wire_item(str(number)) for number in range(start, end)],
            last_evaluated_key=b"%d" % end if end < ITEMS else None,
            scanned_count=end - start,
            body_bytes=10 * (end - start),
            consumed_units=(end - start) * self._units_per_item,
        )


class Pace:
    """Lets everything go, and keeps what it was told."""

    def __init__(self, most_units_at_once: float) -> None:
        self.most_units_at_once = most_units_at_once
        self.admitted: list[float] = []

    def admit_now(self, units: float, requests: int = 1) -> bool:
        raise NotImplementedError

    async def admit(self, units: float, requests: int = 1) -> None:
        self.admitted.append(units)

    def settle(
        self,
        admitted: float,
        consumed: float | None,
        *,
        refused: float = 0.0,
        latency_seconds: float = 0.0,
        requests: int = 1,
    ) -> None:
        pass

    def throttled(self, error: ThrottledError, admitted: float) -> None:
        raise AssertionError("nothing is refused here")


async def read_all(source: Source, pace: Pace, ahead: Ahead | None = None) -> int:
    """Reads the segment to its end; returns how many items were delivered."""
    ledger, delivered = Ledger(1), 0

    def deliver(items: Uncut) -> None:
        nonlocal delivered
        delivered += len(items)
        ledger.acknowledge(items.segment, items.page, written=len(items))

    stats = TableStats(source="orders", target="orders", segments_total=1)
    retry = RetryPolicy("source", Patience(300.0))
    reader = Reader(source, ledger, stats, pace=pace, retry=retry)
    if ahead is not None:
        reader.keep_small(ahead)
    await reader.read(SegmentQueue(1, [0]), deliver)
    return delivered


async def test_without_a_limit_pages_are_full() -> None:
    source, pace = Source(units_per_item=1.0), Pace(math.inf)
    assert await read_all(source, pace) == ITEMS
    assert source.limits == [FIRST_PAGE_ITEMS, *[None] * 8]


async def test_under_a_low_rate_a_page_is_what_the_pace_can_take_at_once() -> None:
    source, pace = Source(units_per_item=0.5), Pace(most_units_at_once=20.0)
    assert await read_all(source, pace) == ITEMS
    assert source.limits[0] == FIRST_PAGE_ITEMS
    assert pace.admitted[0] == FULL_PAGE_UNITS, "what it costs is not known before"
    assert set(source.limits[1:]) == {25}, "40 would do, and take two batches each"
    assert set(pace.admitted[1:]) == {12.5}


async def test_a_page_is_never_smaller_than_what_rounding_would_cost() -> None:
    source, pace = Source(units_per_item=0.5), Pace(most_units_at_once=0.1)
    assert await read_all(source, pace) == ITEMS
    assert set(source.limits[1:]) == {int(LEAST_PAGE_UNITS / 0.5)}


async def test_a_page_is_as_small_as_what_is_ahead_asks_for() -> None:
    source, pace = Source(units_per_item=0.1), Pace(math.inf)
    assert await read_all(source, pace, Ahead(items=640.0, page_items=80.0)) == ITEMS
    assert set(source.limits[1:]) == {75}


async def test_one_page_is_never_more_than_what_may_be_ahead_in_all() -> None:
    source, pace = Source(units_per_item=0.01), Pace(math.inf)
    assert await read_all(source, pace, Ahead(items=12.0, page_items=1.0)) == ITEMS
    assert set(source.limits[1:]) == {12}


async def test_items_that_cost_more_than_the_pace_takes_at_once_come_one_by_one() -> None:
    source, pace = Source(units_per_item=50.0), Pace(most_units_at_once=10.0)
    assert await read_all(source, pace) == ITEMS
    assert set(source.limits[1:]) == {1}
