"""How large a page is asked for: as large as the pace can take at one blow."""

import math

import anyio
import pytest

from dynaferry.copy import read_ahead
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pending_page import PendingPage
from dynaferry.copy.read_ahead import FIRST_PAGE_ITEMS, Ahead
from dynaferry.copy.reader import LEAST_PAGE_UNITS, Reader
from dynaferry.copy.segment_order import SegmentQueue
from dynaferry.errors import ThrottledError
from dynaferry.observe.stats import TableStats
from dynaferry.ports import Page
from dynaferry.throttle.limiter import REQUEST_SECONDS
from dynaferry.throttle.retry import Patience, RetryPolicy
from tests.worlds.fakes import wire_item

ITEMS = 1000
ITEM_BYTES = 1024
FULL_PAGE_UNITS = 128.0


class Source:
    """A segment of so many items, each of which costs `units_per_item`."""

    full_page_units = FULL_PAGE_UNITS

    def __init__(self, units_per_item: float, *, says_units: bool = True) -> None:
        self._units_per_item = units_per_item
        self._says_units = says_units
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
            body_bytes=ITEM_BYTES * (end - start),
            consumed_units=(end - start) * self._units_per_item if self._says_units else None,
        )


class EmptySource:
    """Segments without an item; each is answered after others had a turn."""

    full_page_units = FULL_PAGE_UNITS

    def __init__(self) -> None:
        self.under_way = self.most_under_way = self.pages = 0

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        self.under_way -= 1
        self.pages += 1
        return Page([], None, 0, 20, 0.5)


class Pace:
    """Lets everything go, and keeps what it was told."""

    def __init__(self, most_units_at_once: float) -> None:
        self.most_units_at_once = most_units_at_once
        self.admitted: list[float] = []

    def acquire_nowait(self, units: float, requests: int = 1) -> bool:
        raise NotImplementedError

    async def acquire(self, units: float, requests: int = 1) -> None:
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


async def read_all(
    source: Source | EmptySource,
    limiter: Pace,
    ahead: Ahead | None = None,
    *,
    item_bytes: float = 0.0,
    segments: int = 1,
) -> int:
    """Reads the segments to their end; returns how many items were delivered."""
    ledger, delivered = Ledger(segments), 0

    def deliver(items: PendingPage) -> None:
        nonlocal delivered
        delivered += len(items)
        ledger.acknowledge(items.segment, items.page, written=len(items))

    stats = TableStats(source="orders", target="orders", segments_total=segments)
    retry = RetryPolicy("source", Patience(300.0))
    reader = Reader(source, ledger, stats, limiter=limiter, retry=retry, item_bytes=item_bytes)
    if ahead is not None:
        reader.keep_small(ahead)
    queue = SegmentQueue(segments, range(segments))
    async with anyio.create_task_group() as readers:
        for _ in range(segments):
            readers.start_soon(reader.read, queue, deliver)
    return delivered


async def test_without_a_limit_pages_are_full() -> None:
    source, limiter = Source(units_per_item=1.0), Pace(math.inf)
    assert await read_all(source, limiter) == ITEMS
    assert source.limits == [FIRST_PAGE_ITEMS, *[None] * 8]


async def test_under_a_low_rate_a_page_is_what_the_pace_can_take_at_once() -> None:
    source, limiter = Source(units_per_item=0.5), Pace(most_units_at_once=20.0)
    assert await read_all(source, limiter) == ITEMS
    assert source.limits[0] == 1, "what an item costs is not known before"
    assert limiter.admitted[0] == 50.0, "but that none is larger than 400 KB is"
    assert set(source.limits[1:]) == {25}, "40 would do, and take two batches each"
    assert set(limiter.admitted[1:]) == {12.5}


async def test_the_first_page_is_expected_to_have_items_of_about_the_average_size() -> None:
    source, limiter = Source(units_per_item=0.5), Pace(most_units_at_once=20.0)
    await read_all(source, limiter, item_bytes=4096.0)
    assert source.limits[0] == FIRST_PAGE_ITEMS
    assert limiter.admitted[0] == 10.0, "twice of it"
    tiny = Pace(most_units_at_once=20.0)
    await read_all(Source(units_per_item=0.1), tiny, item_bytes=100.0)
    assert tiny.admitted[0] == LEAST_PAGE_UNITS
    huge = Pace(most_units_at_once=20.0)
    await read_all(Source(units_per_item=0.1), huge, item_bytes=400_000.0)
    assert huge.admitted[0] == FULL_PAGE_UNITS


async def test_under_a_low_rate_the_first_page_is_waited_for_a_few_seconds_at_most() -> None:
    for item_bytes in (0.0, 400_000.0):
        source, limiter = Source(units_per_item=0.5), Pace(most_units_at_once=REQUEST_SECONDS)
        await read_all(source, limiter, item_bytes=item_bytes)
        assert (source.limits[0], limiter.admitted[0]) == (1, 2.5), "seconds of 1 unit each"


async def test_an_empty_page_is_no_reason_to_expect_full_ones() -> None:
    source, limiter = EmptySource(), Pace(most_units_at_once=0.1)
    await read_all(source, limiter, item_bytes=100.0, segments=8)
    assert limiter.admitted == [LEAST_PAGE_UNITS] * 8
    unknown = Pace(most_units_at_once=0.1)
    await read_all(EmptySource(), unknown, segments=8)
    assert unknown.admitted == [2.5 * 0.1 / REQUEST_SECONDS] * 8, "an item that a cap lets through"


@pytest.mark.parametrize(("most_units_at_once", "most_under_way"), [(0.1, 2), (math.inf, 6)])
async def test_where_the_rate_is_limited_few_first_pages_are_read_at_a_time(
    most_units_at_once: float, most_under_way: int
) -> None:
    source = EmptySource()
    await read_all(source, Pace(most_units_at_once), segments=8)
    assert (source.pages, source.most_under_way) == (8, most_under_way)


async def test_where_the_service_does_not_say_what_a_page_costs_its_bytes_do() -> None:
    source, limiter = Source(units_per_item=0.1, says_units=False), Pace(most_units_at_once=20.0)
    assert await read_all(source, limiter) == ITEMS
    assert set(source.limits[1:]) == {150}, "160 items of an eighth of a unit, in whole batches"


async def test_who_waits_for_the_pace_is_counted_and_who_is_cancelled_is_not() -> None:
    class ClosedPace(Pace):
        async def acquire(self, units: float, requests: int = 1) -> None:
            await anyio.sleep_forever()

    stats = TableStats(source="orders", target="orders", segments_total=1)
    retry = RetryPolicy("source", Patience(300.0))
    reader = Reader(EmptySource(), Ledger(1), stats, limiter=ClosedPace(1.0), retry=retry)
    async with anyio.create_task_group() as readers:
        readers.start_soon(reader.read, SegmentQueue(1, [0]), lambda _: None)
        await anyio.wait_all_tasks_blocked()
        assert stats.reads_waiting == 1
        readers.cancel_scope.cancel()
    assert stats.reads_waiting == 0


async def test_a_page_is_never_smaller_than_what_rounding_would_cost() -> None:
    source, limiter = Source(units_per_item=0.5), Pace(most_units_at_once=0.1)
    assert await read_all(source, limiter) == ITEMS
    assert set(source.limits[1:]) == {int(read_ahead.LEAST_USEFUL_PAGE_UNITS / 0.5)}


async def test_a_page_is_as_small_as_what_is_ahead_asks_for() -> None:
    source, limiter = Source(units_per_item=0.1), Pace(math.inf)
    assert await read_all(source, limiter, Ahead(items=640.0, page_items=80.0)) == ITEMS
    assert set(source.limits[1:]) == {75}


async def test_one_page_is_never_more_than_what_may_be_ahead_in_all() -> None:
    source, limiter = Source(units_per_item=0.01), Pace(math.inf)
    assert await read_all(source, limiter, Ahead(items=12.0, page_items=1.0)) == ITEMS
    assert set(source.limits[1:]) == {12}


async def test_items_that_cost_more_than_the_pace_takes_at_once_come_one_by_one() -> None:
    source, limiter = Source(units_per_item=50.0), Pace(most_units_at_once=10.0)
    assert await read_all(source, limiter) == ITEMS
    assert set(source.limits[1:]) == {1}
