"""One segment -> pages.

What a page will cost is learned from what the last one did. Until one had an item, nothing is
known but what the service says of the average item: then pages are of a few items, or of one where
it says nothing, and where the rate is limited only a few are read at a time, so that the first
responses say what the others will cost. That they are empty is no reason to expect full ones.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import anyio

from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pending_page import PendingPage, pending_page
from dynaferry.copy.read_ahead import FIRST_PAGE_ITEMS, Ahead, page_limit
from dynaferry.copy.segment_order import SegmentOrder
from dynaferry.limits import ITEM_MAX_BYTES, PAGE_MAX_ITEM_BYTES
from dynaferry.observe.request_counters import ReadCounters
from dynaferry.observe.stats import TableStats
from dynaferry.ports import Page, PageSource
from dynaferry.throttle.cap import CAP_WINDOW_SECONDS
from dynaferry.throttle.cost_ratio import from_above
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.limiter import REQUEST_SECONDS, RateLimiter
from dynaferry.throttle.retry import RetryPolicy

# A few items may be so much larger than the average one.
AVERAGE_SHARE = 2.0
# What the smallest page costs.
LEAST_PAGE_UNITS = 1.0
FIRST_PAGES_AT_ONCE = 2


class Reader:
    """Reads the segments of one table. Any number of tasks may call it.

    `under_way` is how many segments are read, whose pages at most `requests` ask for at one time.
    `item_bytes` is the size of an average item, 0 where the service does not say.
    """

    def __init__(
        self,
        source: PageSource,
        ledger: Ledger,
        stats: TableStats,
        *,
        limiter: RateLimiter,
        retry: RetryPolicy,
        item_bytes: float = 0.0,
        requests: int = 32,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._stats = stats
        self._limiter = limiter
        self._retry = retry
        self._call = LimitedCall(limiter, retry, ReadCounters(stats), clock=monotonic)
        self._requests = anyio.Semaphore(requests, fast_acquire=True)
        self._expected_units = source.full_page_units
        self._item_bytes = item_bytes
        self._first_pages = anyio.CapacityLimiter(FIRST_PAGES_AT_ONCE)
        self._units_per_item: float | None = None
        self._ahead = Ahead(math.inf, math.inf)
        self.under_way = 0

    async def read(self, segments: SegmentOrder, deliver: Callable[[PendingPage], None]) -> None:
        """Takes segments until none is left, and delivers what is in their pages."""
        while (segment := segments.take()) is not None:
            self.under_way += 1
            await self._read_segment(segment, deliver)
            # Until then it is under way, and what waits of it counts against this reader.
            await self._ledger.wait_until_complete(segment)
            self.under_way -= 1
            segments.done(segment)

    def keep_small(self, ahead: Ahead) -> None:
        """Pages should have about so many items from now on."""
        self._ahead = ahead
        self._expect_page_items()

    async def _read_segment(self, segment: int, deliver: Callable[[PendingPage], None]) -> None:
        start_key = self._ledger.record(segment).last_evaluated_key
        is_last = False
        while not is_last:
            await self._ledger.wait_for_room(segment)
            page = await self._retry.call(partial(self._read_page, segment, start_key))
            start_key = page.last_evaluated_key
            is_last = start_key is None
            self._pass_on(segment, page, deliver)
            # Room may be long in coming: nothing may keep the page alive meanwhile.
            del page

    def _pass_on(self, segment: int, page: Page, deliver: Callable[[PendingPage], None]) -> None:
        number = self._ledger.page_read(segment, page)
        self._stats.segments_complete = self._ledger.complete_segments
        self._note_page(page)
        if page.items:
            deliver(pending_page(segment, number, page))

    async def _read_page(self, segment: int, start_key: bytes | None) -> Page:
        while self._units_per_item is None and self._limiter.most_units_at_once < math.inf:
            async with self._first_pages:
                if self._units_per_item is None:
                    return await self._send(segment, start_key)
        async with self._requests:
            return await self._send(segment, start_key)

    async def _send(self, segment: int, start_key: bytes | None) -> Page:
        limit, units = self._next_page()
        read = partial(self._source.read_page, segment, start_key, limit)
        page = await self._call.send("Scan", read, units)
        self._learn_what_pages_cost(page)
        return page

    def _next_page(self) -> tuple[int | None, float]:
        """How many items the next page may have, None for a full one, and what it will cost.

        A page costs what it holds, and is taken at one blow: large ones at a low rate would take
        what others live on, and hardly ever meet the throttles that tell of it. And what is
        written of it is written again after a kill: see `read_ahead`.
        """
        units = self._units_per_item
        if units is None:
            return self._next_first_page()
        limit = self._limit()
        return limit, self._expected_units if limit is None else limit * units

    def _next_first_page(self) -> tuple[int, float]:
        """The same where no page had an item yet: a few average items, or one of whatever size.

        One that alone costs more than a cap allows in its window goes beyond it in any case; half
        of a window leaves room for those that follow.
        """
        cap = self._limiter.most_units_at_once / REQUEST_SECONDS
        within_a_cap = CAP_WINDOW_SECONDS / 2 * cap
        a_few = self._units_of(AVERAGE_SHARE * FIRST_PAGE_ITEMS * self._item_bytes)
        if self._item_bytes and a_few <= within_a_cap:
            return FIRST_PAGE_ITEMS, min(max(LEAST_PAGE_UNITS, a_few), self._source.full_page_units)
        items = FIRST_PAGE_ITEMS if within_a_cap == math.inf else 1
        return items, min(self._units_of(ITEM_MAX_BYTES), within_a_cap)

    def _limit(self) -> int | None:
        units, ahead = self._units_per_item, self._ahead
        if units is None:
            return self._next_first_page()[0]
        if units:
            most_items = self._limiter.most_units_at_once / units
            ahead = replace(ahead, page_items=min(ahead.page_items, most_items))
        return page_limit(ahead, units, self._source.full_page_units)

    def _units_of(self, item_bytes: float) -> float:
        return item_bytes * self._source.full_page_units / PAGE_MAX_ITEM_BYTES

    def _expect_page_items(self) -> None:
        limit = self._limit()
        if limit is None and self._units_per_item:
            limit = int(self._source.full_page_units / self._units_per_item)
        self._ledger.page_items = limit or 0

    def _learn_what_pages_cost(self, page: Page) -> None:
        units = page.consumed_units
        if page.scanned_count > 0:
            # Where the service does not say, the wire form does, from above.
            of_page = self._units_of(page.body_bytes) if units is None else units
            self._units_per_item = of_page / page.scanned_count
        if units is not None and self._limit() is None:
            # A cap holds as long as no page costs more than was expected.
            self._expected_units = from_above(self._expected_units, units)
        self._expect_page_items()

    def _note_page(self, page: Page) -> None:
        self._stats.items_read += page.scanned_count
        self._stats.items_filtered += page.scanned_count - len(page.items)
        self._stats.bytes_read += page.body_bytes
