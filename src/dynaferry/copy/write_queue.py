"""Which batch next: one lane per segment, taken in turn, so that writes stay spread.

A lane is held back where its key range is: for a moment after a refusal, and at the rate that the
range was found to take for as long as it is refused. Meanwhile the other lanes are served, so
that one hot partition costs nobody else anything. How much waits here is bounded by what the
ledger lets be read ahead (invariant 5).

Every decision here is made for one moment: it reads the clock once, and hands `now` down.
"""

import heapq
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from dynaferry.copy.pending_page import Batch, BatchClaim, PendingPage, pending_batch
from dynaferry.throttle.key_ranges import KeyRanges

# A lane that was refused is left alone for so long: what it had used up flows in again.
PAUSE_SECONDS: Final = 0.05
# So many for each key range are enough.
ENOUGH_SEGMENTS_PER_RANGE: Final = 2


class _Lane:
    __slots__ = ("free_at", "queued", "segment", "waiting")

    def __init__(self, segment: int) -> None:
        self.segment = segment
        self.waiting: deque[PendingPage] = deque()
        self.free_at = 0.0
        self.queued = False  # in the turn or among those held


class WriteQueue:
    """The batches that wait to be written. Any number of tasks may put, one at a time may take.

    What is taken are batches of one page, to be sent one after the other. `items_waiting` is how
    many items wait and are claimed by nobody.
    """

    def __init__(
        self, total_segments: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._ranges = KeyRanges(total_segments, now=clock())
        self._all_were_delayed = False
        self._lanes: dict[int, _Lane] = {}
        self._turn: deque[_Lane] = deque()
        self._delayed: list[tuple[float, int, _Lane]] = []
        self._out = 0
        self.items_waiting = 0
        self._closed = False
        self._changed: anyio.Event | None = None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.items_waiting} items waiting in {len(self._lanes)} lanes"
            f", {len(self._delayed)} held, {self._out} out{', closed' if self._closed else ''}>"
        )

    def put(self, items: PendingPage) -> None:
        """Adds a page's items behind the others of its segment."""
        lane = self._lanes.get(items.segment)
        if lane is None:
            lane = self._lanes[items.segment] = _Lane(items.segment)
        lane.waiting.append(items)
        self.items_waiting += len(items)
        self._enqueue(lane, self._clock())

    def close(self) -> None:
        """Nothing will be put any more; what is out may still be given back."""
        self._closed = True
        self._wake()

    async def take(self, most: Callable[[], int] = lambda: 1) -> BatchClaim | None:
        """The next batches, as many as `most` says then; None when there will be none.

        They are out until they are done; what is left of them is given back before that.
        """
        while True:
            now = self._clock()
            claim = self._take_at(now, most())
            if claim is not None:
                return claim
            if self._closed and not self._delayed and not self._out:
                return None
            await self._wait(now)

    def take_nowait(self, most: int = 1) -> BatchClaim | None:
        """At most so many batches if there are any; out as with `take`."""
        return self._take_at(self._clock(), most)

    def _take_at(self, now: float, most: int) -> BatchClaim | None:
        """One moment decides for every lane: with another look at the clock, one that becomes free
        in between would be held by the first and free by the second, and go round for ever.
        """
        if self._delayed:
            self._release(now)
        while self._turn:
            lane = self._turn.popleft()
            lane.queued = False
            if self._free_at(lane) <= now:
                return self._take_from(lane, most, now)
            self._enqueue(lane, now)  # held since it was put in the turn
        return None

    def give_back(self, batch: Batch) -> None:
        """What is left of a batch that was taken; it goes before the others of its segment."""
        lane = self._lanes[batch.segment]
        lane.waiting.appendleft(pending_batch(batch))
        self.items_waiting += len(batch.items)
        self._enqueue(lane, self._clock())

    def give_back_unsent(self, page: PendingPage, batches: int) -> None:
        """So many of the batches that were taken; they go before the others of their segment."""
        lane = self._lanes[page.segment]
        self.items_waiting -= len(page)
        page.release(batches)
        self.items_waiting += len(page)
        if page not in lane.waiting:
            lane.waiting.appendleft(page)
        self._enqueue(lane, self._clock())

    def put_first(self, batch: Batch) -> None:
        """What was cut off a batch that was taken; it goes before everything else that may go.

        A page is acknowledged sooner so: less of it is written again after a crash.
        """
        lane = self._lanes[batch.segment]
        self.give_back(batch)
        if lane in self._turn:
            self._turn.remove(lane)
            self._turn.appendleft(lane)

    def done(self) -> None:
        """What was taken at once needs nothing more (what was left of it is given back)."""
        self._out -= 1
        if self._out == 0 and self._closed:
            self._wake()

    def note_sent(self, segment: int, units: float) -> None:
        """About `units` of this segment are sent: those of a held one at the rate it can take."""
        if self._ranges.count:
            self._ranges.note_sent(segment, units, self._clock())

    def note_written(self, segment: int, units: float) -> None:
        """About `units` of this segment were written."""
        self._ranges.note_written(segment, units)

    def note_throttled(self, segment: int, now: float, *, for_itself: bool) -> None:
        """Something of it was refused, as is known from `now` on: `for_itself`, or because
        everything was.
        """
        lane = self._lanes[segment]
        lane.free_at = max(lane.free_at, now + PAUSE_SECONDS)
        if for_itself:
            self._ranges.note_throttled(segment, now, segments=self._segments_waiting())

    def most_units_at_once(self, segment: int) -> float:
        """What a batch of this segment may consume: a part of what its key range takes."""
        return self._ranges.most_units_at_once(segment)

    @property
    def any_range_is_limited(self) -> bool:
        """Whether any key range holds its segments back to a rate."""
        return self._ranges.any_is_limited

    def needs_more(self) -> bool:
        """Whether since this was asked last nothing could be taken, since every lane was held for
        its key range, and more segments would have more ranges.
        """
        were, self._all_were_delayed = self._all_were_delayed, False
        if were:
            self._ranges.note_all_delayed(self._clock(), segments=self._segments_waiting())
        return were and len(self._lanes) < ENOUGH_SEGMENTS_PER_RANGE * self._ranges.count

    def forget(self, segment: int) -> None:
        """The segment is complete."""
        self._lanes.pop(segment, None)

    @property
    def segments(self) -> int:
        """How many segments have a lane at present."""
        return len(self._lanes)

    def _segments_waiting(self) -> int:
        return sum(bool(each.waiting) for each in self._lanes.values())

    def _free_at(self, lane: _Lane) -> float:
        return max(lane.free_at, self._ranges.free_at(lane.segment))

    def _enqueue(self, lane: _Lane, now: float) -> None:
        if lane.queued or not lane.waiting:
            return
        lane.queued = True
        free_at = self._free_at(lane)
        if free_at > now:
            heapq.heappush(self._delayed, (free_at, lane.segment, lane))
        else:
            self._turn.append(lane)
        self._wake()

    def _release(self, now: float) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            _, _, lane = heapq.heappop(self._delayed)
            lane.queued = False
            self._enqueue(lane, now)

    def _take_from(self, lane: _Lane, most: int, now: float) -> BatchClaim:
        first = lane.waiting[0]
        waited = len(first)
        claim = first.claim(1 if self._ranges.count else most)
        left = len(first)
        self.items_waiting -= waited - left
        if not left:
            lane.waiting.popleft()
        self._out += 1
        self._enqueue(lane, now)
        return claim

    async def _wait(self, now: float) -> None:
        self._changed = anyio.Event()
        if not self._delayed:
            await self._changed.wait()
            return
        self._all_were_delayed = True
        with anyio.move_on_after(self._delayed[0][0] - now):
            await self._changed.wait()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
