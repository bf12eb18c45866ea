"""How far reads run ahead of the watermarks, and how large pages are. Pure: the clock is passed in.

Only a LastEvaluatedKey that the service returned can be resumed from, so whatever was written of a
page that is not acknowledged to its end is written again after a kill. What that may cost at most
is decided here: **the items in flight at the kill, and a second of writes**. The pages that are
ahead of the watermarks hold no more than `SECONDS_AHEAD` of writes, beside what is in flight; a
page that is acknowledged is stored with the next checkpoint, half a second later at most; what is
left of the second is for the disk.

At a low rate that takes small pages. They cost a little more to read, since the service charges
whole units of 4 KB, so no page is smaller than `LEAST_USEFUL_PAGE_UNITS`, and where that is still
too much, fewer segments have one. But where key ranges hold writes back, a segment without a page
is a partition that is not written: then they are as small as a batch before any goes without. Where
nothing limits the writes, pages are large: they need not be spread over as many partitions.

Bytes are bounded as well. What a table takes by its default quota needs many pages, so that writes
are spread over its partitions; where it is far more, nothing is spread any better by what waits a
few hundredths of a second, and less memory will do: so few pages that something waits to be written
while others are on their way. Where many of them are in flight, more may be ahead.

A second is one at the rate that the pace allows; where nothing limits, at what was reached. Where
something does, less is no reason for fewer pages: with fewer of them fewer segments are written,
and so still less, for ever. The bound does not hold where the rate falls all at once, as in an
outage: what was read for the old rate is then more than a second of the new one. Nor does it where
a request is tried again and again, or a bad item is looked for at a low cap, while others go on:
their page waits. Nor for a single item that takes more than a second of a cap, or for the first
page of a table, of which nothing is known.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from dynaferry.limits import BATCH_MAX_ITEMS

SECONDS_AHEAD: Final = 0.34
# The first page of all tells how large items are.
FIRST_PAGE_ITEMS: Final = 10
# Smaller pages than this are mostly rounding: a page costs whole units of 4 KB.
LEAST_USEFUL_PAGE_UNITS: Final = 4.0
# But they are smaller before fewer segments have one: those might all be of one partition.
LEAST_PAGES: Final = 12
# So many segments have a page at least, where nothing limits the writes.
FEWEST_PAGES: Final = 8
# What was written is measured over this; the rate may grow so much meanwhile.
WRITTEN_WINDOW_SECONDS: Final = 0.5
WRITTEN_GROWTH: Final = 1.5
# Below this many units a second, what is written says nothing: there may be nothing to write.
LEAST_UNITS_PER_SECOND: Final = 1000.0
EARLY_UNITS_PER_SECOND: Final = 8000.0
EARLY_SECONDS: Final = 1.0
# A page of 1 MB of items may be 7 MB of JSON (think of a list of flags): bytes are bounded too.
MOST_BYTES_AHEAD: Final = 16 * 1024 * 1024
# Beyond this, fewer are enough. A table's default quota is 40,000 units of 1 KB a second.
FAST_BYTES_PER_SECOND: Final = 80e6
LEAST_BYTES: Final = 5 * 1024 * 1024
# More may be ahead where so much of it is in flight, on the way here or from here.
IN_FLIGHT_SHARE: Final = 0.3
BYTES_GROWTH: Final = 1.5
# How much the newest sample weighs in what is in flight: bursts even out in a second.
NEWEST_SAMPLE_WEIGHT: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ahead:
    """So many items and bytes may be ahead of the watermarks, in pages of about so many items."""

    items: float
    page_items: float
    bytes: int = MOST_BYTES_AHEAD
    least_pages: float = LEAST_PAGES


class ReadAhead:
    """Decides for one table."""

    def __init__(self) -> None:
        self._written: deque[tuple[float, int]] = deque()
        self._began: float | None = None
        self._bytes = LEAST_BYTES
        self._bytes_in_flight = 0.0

    def update(
        self,
        now: float,
        *,
        items_written: int,
        items_in_flight: int,
        bytes_in_flight: int,
        bytes_per_item: float,
        units_per_item: float,
        units_per_second: float,
        is_limited: bool,
        by_key_range: bool,
        segments: int,
        scans: int,
        scan_seconds: float,
    ) -> Ahead:
        """What holds from `now` on, for `segments` under way and `scans` at once of `scan_seconds`.

        The pace allows `units_per_second`; whether something limits it for good, a cap or what was
        refused, is another question, and whether key ranges are what limits it `by_key_range`.
        """
        reached = WRITTEN_GROWTH * self._written_per_second(now, items_written)
        self._began = now if self._began is None else self._began
        is_early = not is_limited and now < self._began + EARLY_SECONDS
        least = EARLY_UNITS_PER_SECOND if is_early else LEAST_UNITS_PER_SECOND
        per_second = max(reached, least / units_per_item)
        if is_limited:
            # Not what was written: where that falls since few segments have a page, it would be
            # fewer still.
            per_second = units_per_second / units_per_item
        items = per_second * SECONDS_AHEAD + items_in_flight
        is_fast = not is_limited and reached * bytes_per_item > FAST_BYTES_PER_SECOND
        most_bytes = self._bytes_ahead(bytes_in_flight, is_fast=is_fast)
        least_pages = max(LEAST_PAGES, segments) if by_key_range else LEAST_PAGES
        in_pages = min(items, most_bytes / bytes_per_item) if is_limited else items
        page_items = in_pages / max(1, segments if is_limited else min(segments, FEWEST_PAGES))
        # So many scans at once must be able to read what is written.
        least_items = min(items / LEAST_PAGES, WRITTEN_GROWTH * per_second * scan_seconds / scans)
        page_items = max(page_items, least_items)
        return Ahead(items, page_items, most_bytes, least_pages)

    def _bytes_ahead(self, in_flight: int, *, is_fast: bool) -> int:
        self._bytes_in_flight += NEWEST_SAMPLE_WEIGHT * (in_flight - self._bytes_in_flight)
        if not is_fast:
            return MOST_BYTES_AHEAD
        if self._bytes_in_flight > IN_FLIGHT_SHARE * self._bytes:
            self._bytes = min(MOST_BYTES_AHEAD, int(BYTES_GROWTH * self._bytes))
        return self._bytes

    def _written_per_second(self, now: float, items_written: int) -> float:
        self._written.append((now, items_written))
        while len(self._written) > 2 and self._written[1][0] <= now - WRITTEN_WINDOW_SECONDS:
            self._written.popleft()
        since, before = self._written[0]
        return (items_written - before) / max(now - since, WRITTEN_WINDOW_SECONDS)


def page_limit(ahead: Ahead, units_per_item: float | None, full_page_units: float) -> int | None:
    """The most items to ask for in a page of about `page_items`; None for a full page.

    It is not made so large for what small pages cost that `ahead` has room for fewer than its
    `least_pages`.

    Whole batches, where there are any: a smaller one costs as many requests.
    """
    if units_per_item is None:
        return FIRST_PAGE_ITEMS
    if units_per_item == 0:
        return None
    of_many = max(ahead.items / ahead.least_pages, min(ahead.items, BATCH_MAX_ITEMS))
    least = min(LEAST_USEFUL_PAGE_UNITS / units_per_item, of_many)
    wanted = max(ahead.page_items, least, 1.0)
    if wanted * units_per_item >= full_page_units:
        return None
    items = int(wanted)
    return items - items % BATCH_MAX_ITEMS if items >= BATCH_MAX_ITEMS else items
