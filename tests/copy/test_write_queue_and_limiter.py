"""Lanes and the pace together, in any order of steps, by a clock that moves at every look."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dynaferry.copy.pending_page import Batch, BatchClaim, PendingPage
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.errors import ThrottledError
from dynaferry.throttle.adaptive_limiter import AdaptiveLimiter
from dynaferry.throttle.cap import Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.rate_profile import EAGER
from tests.worlds.fakes import key_in, wire_item
from tests.worlds.moving_clock import MovingClock

REFUSAL = ThrottledError("slow down", code="ThrottlingException")
UNITS = 25.0
# Until everything is written, with nothing refused any more, far fewer steps will do.
MOST_STEPS = 20_000


class LanesAndPace(RuleBasedStateMachine):
    """One writer, who takes what the lanes give and sends it when the pace lets it."""

    look_seconds = 1e-6

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = MovingClock(look_seconds=self.look_seconds)
        self.queue = WriteQueue(clock=self.clock)
        self.gate = PauseGate(clock=self.clock)
        self.cap = Cap(clock=self.clock, sleep=self.clock.sleep)
        self.controller = RateController(EAGER, now=self.clock())
        self.limiter = AdaptiveLimiter(
            self.controller,
            CapLimiter([self.cap], self.gate),
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        self.read = Counter[str]()
        self.written = Counter[str]()
        self.out: list[tuple[BatchClaim, list[Batch]]] = []
        self.pages = 0

    def teardown(self) -> None:
        """Whatever happened: once nothing is refused any more, everything is written, once."""
        self.gate.open()
        self.cap.set(None)
        while self.out:
            self.becomes_of_it("written", 0)
        steps = 0
        while self.queue.items_waiting:
            steps += 1
            assert steps < MOST_STEPS
            if not self.take(1):
                self.clock.now += 0.01
            elif self.out:
                self.becomes_of_it("written", 0)
        assert self.written == self.read
        self.loop.close()

    @initialize(segments=st.integers(1, 4))
    def begins(self, segments: int) -> None:
        for segment in range(segments):
            self.reads(segment=segment, items=30)

    @rule(segment=st.integers(0, 3), items=st.integers(1, 60))
    def reads(self, segment: int, items: int) -> None:
        keys = [f"{self.pages}-{number}" for number in range(items)]
        self.read.update(keys)
        client = [wire_item(key) for key in keys]
        self.queue.put(PendingPage(segment, self.pages, client, may_be_large=False))
        self.pages += 1

    @rule(most=st.integers(1, 3))
    def takes(self, most: int) -> None:
        self.take(most)

    def take(self, most: int) -> bool:
        """Whether there was something to take that may be sent."""
        looks = self.clock.looks
        claim = self.queue.take_nowait(most)
        assert self.clock.looks == looks + 1
        if claim is None:
            return False
        batches = [
            Batch(claim.page.segment, claim.page.page, claim.page.next_batch())
            for _ in range(claim.count)
        ]
        units = UNITS * claim.count
        if not self.limiter.acquire_nowait(units, claim.count):
            if not self.gate.is_open:
                self.gives_back(claim, batches)
                return False
            while self.out:  # a cap may wait for what they cost
                self.becomes_of_it("written", 0)
            self.loop.run(self.limiter.acquire(units, claim.count))
        self.queue.note_sent(claim.page.segment, units)
        self.out.append((claim, batches))
        return True

    def gives_back(self, claim: BatchClaim, batches: list[Batch]) -> None:
        for batch in reversed(batches):
            self.queue.give_back(batch)
        self.queue.done()

    @precondition(lambda self: self.out)
    @rule(
        fate=st.sampled_from(["written", "partly", "hot", "throttled"]),
        which=st.integers(0, 10),
    )
    def becomes_of_it(self, fate: str, which: int) -> None:
        claim, batches = self.out.pop(which % len(self.out))
        segment, now = claim.page.segment, self.clock()
        units = UNITS * claim.count
        if fate == "written":
            self.notes_written(batches)
            self.limiter.settle(units, units, latency_seconds=0.01, requests=claim.count)
            self.queue.note_written(segment, units)
            self.queue.done()
            return
        if fate == "partly":
            half = len(batches[0].items) // 2
            self.notes_written([Batch(segment, 0, batches[0].items[:half])])
            batches[0] = Batch(segment, batches[0].page, batches[0].items[half:])
            self.limiter.settle(
                units, units / 2, refused=units / 2, latency_seconds=0.01, requests=claim.count
            )
        elif fate == "throttled":
            self.limiter.throttled(REFUSAL, UNITS)
            if claim.count > 1:  # those behind it are not sent
                self.limiter.settle(units - UNITS, 0.0, requests=claim.count - 1)
        else:
            self.limiter.settle(units, 0.0, requests=claim.count)
        self.queue.note_throttled(segment, now, for_itself=fate == "hot")
        self.gives_back(claim, batches)

    def notes_written(self, batches: list[Batch]) -> None:
        self.written.update(key_in(item) for batch in batches for item in batch.items)

    @rule(seconds=st.sampled_from([1e-6, 0.002, 0.05, 0.3, 2.0, 60.0]))
    def waits(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(behind=st.sampled_from([-1.5, -1.0, -0.5, 0.0, 0.5]))
    def waits_until_a_lane_is_about_to_be_free(self, behind: float) -> None:
        held = [free_at for free_at, _, _ in self.queue._delayed]
        if held:
            moment = min(held) + behind * self.clock.look_seconds
            self.clock.now = max(self.clock.now, moment)

    @rule(units=st.one_of(st.none(), st.floats(10.0, 5000.0)))
    def sets_a_cap(self, units: float | None) -> None:
        self.cap.set(units)

    @rule()
    def pauses_or_resumes(self) -> None:
        if self.gate.is_open:
            self.gate.close()
        else:
            self.gate.open()

    @invariant()
    def nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        out = sum(len(batch.items) for _, batches in self.out for batch in batches)
        waiting = self.read.total() - self.written.total() - out
        assert self.queue.items_waiting == waiting

    @invariant()
    def a_rate_is_a_number(self) -> None:
        assert self.controller.rate > 0


@pytest.mark.parametrize("look_seconds", [1e-6, 1.0])
def test_no_order_of_steps_hangs_lanes_or_pace_or_loses_an_item(look_seconds: float) -> None:
    machine: Any = type("Machine", (LanesAndPace,), {"look_seconds": look_seconds})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None)
    )
