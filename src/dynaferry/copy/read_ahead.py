"""How far reads run ahead of the watermarks, and how large pages are. Pure: the clock is passed in.

Only a LastEvaluatedKey that the service returned can be resumed from, so whatever was written of a
page that is not acknowledged to its end is written again after a kill. What that may cost at most
is decided here: **the items in flight at the kill, and a second of writes**. The pages that are
ahead of the watermarks hold no more than `SECONDS_AHEAD` of writes, beside what is in flight; a
page that is acknowledged is stored with the next checkpoint, half a second later at most; what is
left of the second is for the disk.

At a low rate that takes small pages. They cost a little more to read, since the service charges
whole units of 4 KB, so no page is smaller than `LEAST_PAGE_UNITS`, and where that is still too
much, fewer segments have one. Where nothing limits the writes, pages are large: they need not be
spread over as many partitions.

A second is one at the rate that the pace allows, or that was reached if that is less. The bound
does not hold where it falls all at once, as in an outage: what was read for the old rate is then
more than a second of the new one. Nor does it where a request is tried again and again, or a bad
item is looked for at a low cap, while others go on: their page waits. Nor for a single item that
takes more than a second of a cap, or for the first page of a table, of which nothing is known.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from dynaferry.limits import BATCH_MAX_ITEMS

SECONDS_AHEAD: Final = 0.34
# The first page of all tells how large items are.
FIRST_PAGE_ITEMS: Final = 10
# Smaller pages than this are mostly rounding: a page costs whole units of 4 KB.
LEAST_PAGE_UNITS: Final = 4.0
# So many segments have a page at least, where nothing limits the writes.
FEWEST_PAGES: Final = 8
# What was written is measured over this; the rate may grow so much meanwhile.
WINDOW_SECONDS: Final = 0.5
GROWTH: Final = 1.5
# Below this many units a second, what is written says nothing: there may be nothing to write.
LEAST_UNITS_PER_SECOND: Final = 1000.0
EARLY_UNITS_PER_SECOND: Final = 8000.0
EARLY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ahead:
    """So many items may be ahead of the watermarks, in pages of about so many."""

    items: float
    page_items: float


class ReadAhead:
    """Decides for one table."""

    def __init__(self) -> None:
        self._written: deque[tuple[float, int]] = deque()
        self._began: float | None = None

    def look(
        self,
        now: float,
        *,
        items_written: int,
        items_in_flight: int,
        units_per_item: float,
        units_per_second: float,
        is_limited: bool,
        segments: int,
    ) -> Ahead:
        """What holds from `now` on, for `segments` under way.

        The pace allows `units_per_second`; whether something limits it for good, a cap or what was
        refused, is another question.
        """
        reached = GROWTH * self._written_per_second(now, items_written)
        self._began = now if self._began is None else self._began
        is_early = not is_limited and now < self._began + EARLY_SECONDS
        least = EARLY_UNITS_PER_SECOND if is_early else LEAST_UNITS_PER_SECOND
        per_second = max(reached, least / units_per_item)
        if is_limited:
            per_second = min(per_second, units_per_second / units_per_item)
        items = per_second * SECONDS_AHEAD + items_in_flight
        pages = segments if is_limited else min(segments, FEWEST_PAGES)
        return Ahead(items, items / max(1, pages))

    def _written_per_second(self, now: float, items_written: int) -> float:
        self._written.append((now, items_written))
        while len(self._written) > 2 and self._written[1][0] <= now - WINDOW_SECONDS:
            self._written.popleft()
        since, before = self._written[0]
        return (items_written - before) / max(now - since, WINDOW_SECONDS)


def page_limit(
    page_items: float, most_items: float, units_per_item: float | None, full_page_units: float
) -> int | None:
    """The most items to ask for in a page of about `page_items`; None for a full page.

    It is not made larger than `most_items` for what small pages cost.

    Whole batches, where there are any: a smaller one costs as many requests.
    """
    if units_per_item is None:
        return FIRST_PAGE_ITEMS
    if units_per_item == 0:
        return None
    wanted = max(page_items, min(LEAST_PAGE_UNITS / units_per_item, most_items), 1.0)
    if wanted * units_per_item >= full_page_units:
        return None
    items = int(wanted)
    return items - items % BATCH_MAX_ITEMS if items >= BATCH_MAX_ITEMS else items
