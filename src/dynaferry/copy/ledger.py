"""Which pages of a table are acknowledged: one watermark per segment, and what is to be stored.

Readers ask here where a segment goes on and for room to read ahead; writers acknowledge here;
the checkpoint takes from here what has changed. A worker elsewhere does all three through messages
(cluster/messages.py): nothing here is bound to the tasks of one process.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence

import anyio

from dynaferry.copy.read_ahead import FIRST_PAGE_ITEMS, MOST_BYTES_AHEAD
from dynaferry.copy.watermark import Watermark
from dynaferry.ports import Page
from dynaferry.state.records import SegmentRecord

MAX_PAGES_AHEAD = 2
# What a page on its way is taken for until one is known: the most that it can be.
FIRST_PAGE_BYTES = 8 * 1024 * 1024
# What an item takes beside its bytes while its page is here: a `Raw` and its place in a list.
ITEM_BYTES = 56
# A small page halves what is expected of the next; the last one of a segment takes off a 64th.
ANY_PAGE_PART, LAST_PAGE_PART = 2, 64


class Ledger:
    """The acknowledgements of one table, going on from the stored `records`.

    Of the whole table, or of the segments `granted` to a worker: see cluster/messages.py.

    `complete_segments` counts the segments that are acknowledged to their end; `on_complete` is
    told each of them. `page_items` is how many items the next page is expected to have.
    """

    def __init__(
        self,
        total_segments: int,
        records: Iterable[SegmentRecord] = (),
        *,
        on_complete: Callable[[int], None] | None = None,
        granted: Collection[int] | None = None,
    ) -> None:
        self.total_segments = total_segments
        self._granted = granted
        self._on_complete = on_complete
        self._watermarks = {record.segment: Watermark(record) for record in records}
        self._waiting: list[tuple[Watermark, anyio.Event]] = []
        self._completions: dict[int, anyio.Event] = {}
        self._bytes_ahead = 0
        self._pages_on_their_way = 0
        self._on_their_way: set[int] = set()
        self._with_pages: list[int] = []  # sorted: the segments that have pages here
        self._page_bytes = FIRST_PAGE_BYTES
        self._has_seen_more_to_come = False
        self.items_ahead = 0
        self._most_items_ahead = math.inf
        self._most_bytes_ahead = MOST_BYTES_AHEAD
        self.page_items = FIRST_PAGE_ITEMS
        self._changed: set[int] = set()
        self.complete_segments = sum(w.record.complete for w in self._watermarks.values())

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.complete_segments} of {self.total_segments} segments "
            f"complete, {self.items_ahead} items ahead, {self._pages_on_their_way} pages on their "
            f"way, {len(self._waiting)} readers waiting>"
        )

    def segments_to_read(self) -> list[int]:
        """The segments that are not complete; a `SegmentQueue` says which of them is next."""
        complete = {s for s, watermark in self._watermarks.items() if watermark.record.complete}
        granted = range(self.total_segments) if self._granted is None else self._granted
        return [s for s in range(self.total_segments) if s in granted and s not in complete]

    @property
    def is_complete(self) -> bool:
        """Whether every segment, or every one that was granted, is acknowledged to its end."""
        granted = self.total_segments if self._granted is None else len(self._granted)
        return self.complete_segments == granted

    def records(self) -> list[SegmentRecord]:
        """The records of the segments that have begun."""
        return [watermark.record for watermark in self._watermarks.values()]

    def segments_here(self) -> list[tuple[int, int, int]]:
        """The segments that have pages here, each with its items seen and settled so far."""
        here = ((segment, self._watermarks[segment]) for segment in self._with_pages)
        return [(segment, mark.items_seen, mark.items_settled) for segment, mark in here]

    def record(self, segment: int) -> SegmentRecord:
        """How far `segment` is acknowledged."""
        return self._watermark(segment).record

    async def wait_for_room(self, segment: int) -> None:
        """Returns when a page of `segment` may be read (invariant 5).

        At most two pages of a segment are ahead of its watermark, and not much more than the bytes
        and items of `keep_ahead` of all segments together, pages on their way included. A second
        page of a segment takes only half of that, so that many segments have one: writes spread
        over the hash range by them. Whoever gets room is to read a page and note it.
        """
        watermark = self._watermark(segment)
        if self._has_room(watermark):
            self._grant(segment)
            return
        granted = anyio.Event()
        self._waiting.append((watermark, granted))
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self._pages_on_their_way -= 1
                self._on_their_way.discard(segment)
                self._let_readers_go_on()
            else:
                self._waiting.remove((watermark, granted))
            raise

    async def wait_until_complete(self, segment: int) -> None:
        """Returns when the segment is acknowledged to its end."""
        if not self._watermark(segment).record.complete:
            await self._completions.setdefault(segment, anyio.Event()).wait()

    def keep_ahead(self, most_items: float, most_bytes: int = MOST_BYTES_AHEAD) -> None:
        """Lets no more than so many items and bytes be ahead, or one page: see `read_ahead`."""
        before = (self._most_items_ahead, self._most_bytes_ahead)
        self._most_items_ahead, self._most_bytes_ahead = most_items, most_bytes
        if most_items > before[0] or most_bytes > before[1]:
            self._let_readers_go_on()

    def bytes_in_flight(self, pages: int, items: int) -> int:
        """About as many bytes as so many pages on their way here and items on theirs have."""
        item_bytes = self._bytes_ahead / self.items_ahead if self.items_ahead else 0.0
        return pages * self._page_bytes + int(min(items, self.items_ahead) * item_bytes)

    def _has_room(self, watermark: Watermark) -> bool:
        if watermark.pages_ahead >= MAX_PAGES_AHEAD:
            return False
        is_first = watermark.pages_ahead == 0
        room = self._most_bytes_ahead / (1 if is_first else 2)
        if self._bytes_to_come() >= room:
            return False
        if is_first:
            others = (len(self._with_pages) + self._pages_on_their_way) * self.page_items
            return others == 0 or others + self.page_items <= self._most_items_ahead
        others = self.items_ahead + self._pages_on_their_way * self.page_items
        return others + self.page_items <= 2 * self._most_items_ahead

    def _bytes_to_come(self) -> int:
        here = self._bytes_ahead + ITEM_BYTES * self.items_ahead
        return here + self._pages_on_their_way * self._page_bytes

    def page_read(self, segment: int, page: Page) -> int:
        """Notes a page that was read, and returns its number in the segment."""
        watermark = self._watermark(segment)
        before = watermark.record
        self._note_arrival(page)
        self._on_their_way.discard(segment)
        if watermark.pages_ahead == 0:
            insort(self._with_pages, segment)
        number = watermark.page_read(
            items=len(page.items),
            scanned=page.scanned_count,
            bytes_read=page.body_bytes,
            last_evaluated_key=page.last_evaluated_key,
        )
        self._note_move(before, watermark)
        self._let_readers_go_on()
        return number

    def _note_arrival(self, page: Page) -> None:
        """A large page is expected to be followed by large ones, a small one halves the fear.

        What is left for the last page of a segment says little of the next, where there are others:
        segments end at about the same time.
        """
        self._pages_on_their_way -= 1
        is_last = page.last_evaluated_key is None
        says_little = is_last and self._has_seen_more_to_come
        self._page_bytes -= self._page_bytes // (LAST_PAGE_PART if says_little else ANY_PAGE_PART)
        self._page_bytes = max(page.body_bytes, self._page_bytes)
        self._has_seen_more_to_come |= not is_last
        self._bytes_ahead += page.body_bytes
        self.items_ahead += len(page.items)

    def acknowledge(self, segment: int, page: int, *, written: int, rejected: int = 0) -> bool:
        """Notes that so many items of a page are written, and so many durably set aside.

        Returns whether the segment is complete now.
        """
        watermark = self._watermark(segment)
        before = watermark.record
        if watermark.acknowledge(page, written=written, rejected=rejected):
            self._note_move(before, watermark)
            self._let_readers_go_on()
        return watermark.record.complete

    def changed_records(self) -> list[SegmentRecord]:
        """The records that differ from what is stored."""
        return [self.record(segment) for segment in sorted(self._changed)]

    def stored(self, records: Sequence[SegmentRecord]) -> None:
        """Notes that `records` are durable. What has moved on since is still to be stored."""
        for record in records:
            if self.record(record.segment) is record:
                self._changed.discard(record.segment)

    def _watermark(self, segment: int) -> Watermark:
        if segment not in self._watermarks:
            self._watermarks[segment] = Watermark(_untouched(segment))
        return self._watermarks[segment]

    def _note_move(self, before: SegmentRecord, watermark: Watermark) -> None:
        after = watermark.record
        if after is before:
            return
        if watermark.pages_ahead == 0:
            self._with_pages.remove(after.segment)
        self._changed.add(after.segment)
        self._bytes_ahead -= after.bytes_read - before.bytes_read
        self.items_ahead -= _items_done(after) - _items_done(before)
        self.complete_segments += after.complete
        if after.complete:
            self._notify_complete(after.segment)

    def _notify_complete(self, segment: int) -> None:
        if self._on_complete is not None:
            self._on_complete(segment)
        if completion := self._completions.pop(segment, None):
            completion.set()

    def _let_readers_go_on(self) -> None:
        """Room goes to those who may have it, and nobody else is woken."""
        while self._waiting and self._bytes_to_come() < self._most_bytes_ahead:
            at = self._next_to_read()
            if at is None:
                return
            watermark, granted = self._waiting.pop(at)
            self._grant(watermark.record.segment)
            granted.set()

    def _grant(self, segment: int) -> None:
        self._pages_on_their_way += 1
        self._on_their_way.add(segment)

    def _next_to_read(self) -> int | None:
        """Whose turn it is: of those without a page whoever is farthest in the hash from those with
        one, since few pages may all be of one partition else; then whoever has waited longest.
        """
        waiting = enumerate(self._waiting)
        free = [at for at, (watermark, _) in waiting if self._has_room(watermark)]
        first = [at for at in free if not self._waiting[at][0].pages_ahead]
        if not first:
            return free[0] if free else None
        taken = sorted({*self._with_pages, *self._on_their_way})
        return max(first, key=lambda at: (self._distance(at, taken), -at))

    def _distance(self, at: int, taken: list[int]) -> int:
        segment = self._waiting[at][0].record.segment
        beside = bisect_left(taken, segment)
        near = taken[max(0, beside - 1) : beside + 1]
        return min((abs(segment - other) for other in near), default=self.total_segments)


def _items_done(record: SegmentRecord) -> int:
    return record.items_written + record.items_rejected


def _untouched(segment: int) -> SegmentRecord:
    return SegmentRecord(
        segment=segment,
        pages=0,
        last_evaluated_key=None,
        complete=False,
        items_read=0,
        items_written=0,
        items_rejected=0,
        items_filtered=0,
        bytes_read=0,
    )
