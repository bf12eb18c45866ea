"""Which batch next: one lane per segment, taken in turn, so that writes stay spread.

A lane is held back where its key range is: for a moment after a refusal, and at the rate that the
range was found to take for as long as it is refused. Meanwhile the other lanes are served, so
that one hot partition costs nobody else anything. How much waits here is bounded by what the
ledger lets be read ahead (invariant 5).
"""

import heapq
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from dynaferry.copy.batcher import Batch
from dynaferry.throttle.rate_controller import CALM, RateController

# A lane that was refused is left alone for so long: what it had used up flows in again.
PAUSE_SECONDS: Final = 0.05


class _Lane:
    __slots__ = ("batches", "controller", "free_at", "queued", "segment")

    def __init__(self, segment: int) -> None:
        self.segment = segment
        self.batches: deque[Batch] = deque()
        self.free_at = 0.0
        self.queued = False  # in the turn or among those held
        self.controller: RateController | None = None


class Lanes:
    """The batches that wait to be written. Any number of tasks may put, one at a time may take."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lanes: dict[int, _Lane] = {}
        self._turn: deque[_Lane] = deque()
        self._held: list[tuple[float, int, _Lane]] = []
        self._out = 0
        self._closed = False
        self._changed: anyio.Event | None = None

    async def put(self, batch: Batch) -> None:
        """Adds a batch behind the others of its segment."""
        lane = self._lanes.get(batch.segment)
        if lane is None:
            lane = self._lanes[batch.segment] = _Lane(batch.segment)
        lane.batches.append(batch)
        self._enqueue(lane)

    def close(self) -> None:
        """Nothing will be put any more; what is out may still be given back."""
        self._closed = True
        self._wake()

    async def take(self) -> Batch | None:
        """The next batch, out until it is given back or done; None when there will be none."""
        while (batch := self.take_now()) is None:
            if self._closed and not self._held and not self._out:
                return None
            await self._wait()
        return batch

    def take_now(self) -> Batch | None:
        """The next batch if there is one; out as with `take`."""
        now = self._clock()
        if self._held:
            self._release(now)
        while self._turn:
            lane = self._turn.popleft()
            lane.queued = False
            if lane.free_at <= now:
                return self._take_from(lane)
            self._enqueue(lane)  # held since it was put in the turn
        return None

    def give_back(self, batch: Batch) -> None:
        """What is left of a batch that was taken; it goes before the others of its segment."""
        lane = self._lanes[batch.segment]
        lane.batches.appendleft(batch)
        self._enqueue(lane)

    def next_is(self, batch: Batch) -> None:
        """What was cut off a batch that was taken; it goes before everything else that may go.

        A page is acknowledged sooner so: less of it is written again after a crash.
        """
        lane = self._lanes[batch.segment]
        self.give_back(batch)
        if lane in self._turn:
            self._turn.remove(lane)
            self._turn.appendleft(lane)

    def done(self) -> None:
        """A batch that was taken needs nothing more (what was left of it is given back)."""
        self._out -= 1
        if self._out == 0 and self._closed:
            self._wake()

    def sent(self, segment: int, units: float) -> None:
        """About `units` of this segment are sent: those of a held one at the rate it can take."""
        lane = self._lanes[segment]
        if lane.controller is not None:
            lane.free_at = max(lane.free_at, self._clock()) + units / lane.controller.rate

    def wrote(self, segment: int, units: float, latency_seconds: float) -> None:
        """About `units` of this segment were written by one request."""
        controller = self._lanes[segment].controller
        if controller is not None:
            now = self._clock()
            controller.accepted(units, latency_seconds, now)
            controller.advance(now)

    def refused(self, segment: int, units: float, *, for_itself: bool) -> None:
        """About `units` of it were refused: `for_itself`, or because everything was."""
        lane, now = self._lanes[segment], self._clock()
        lane.free_at = max(lane.free_at, now + PAUSE_SECONDS)
        if for_itself:
            if lane.controller is None:
                lane.controller = RateController(CALM, now=now, unlimited=True)
            lane.controller.refused(units, now)
            lane.controller.advance(now)

    def absolve(self) -> None:
        """It was the whole table's limit: no key range is held to a rate of its own any more."""
        for lane in self._lanes.values():
            lane.controller = None

    def forget(self, segment: int) -> None:
        """The segment is complete."""
        self._lanes.pop(segment, None)

    @property
    def segments(self) -> int:
        """How many segments have a lane at present."""
        return len(self._lanes)

    def _enqueue(self, lane: _Lane) -> None:
        if lane.queued or not lane.batches:
            return
        lane.queued = True
        if lane.free_at > self._clock():
            if lane.controller is not None:
                lane.controller.wanted()
            heapq.heappush(self._held, (lane.free_at, lane.segment, lane))
        else:
            self._turn.append(lane)
        self._wake()

    def _release(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            _, _, lane = heapq.heappop(self._held)
            lane.queued = False
            self._enqueue(lane)

    def _take_from(self, lane: _Lane) -> Batch:
        batch = lane.batches.popleft()
        self._out += 1
        self._enqueue(lane)
        return batch

    async def _wait(self) -> None:
        self._changed = anyio.Event()
        if not self._held:
            await self._changed.wait()
            return
        with anyio.move_on_after(max(0.0, self._held[0][0] - self._clock())):
            await self._changed.wait()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
