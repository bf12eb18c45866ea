"""One decision is made for one moment: it reads the clock once, and hands that down.

Each line is a decision of the copy, the verification or the display, and how often it reads the
clock.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dynaferry.control.follower import ControlFollower
from dynaferry.copy.pending_page import Batch, PendingPage
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.errors import ThrottledError, UnavailableError
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.segment_map import SegmentMap
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import RunSummary
from dynaferry.plan.schedule import Schedule, ScheduleEntry, scheduled
from dynaferry.state.records import Controls
from dynaferry.stop import StopSignal
from dynaferry.throttle.adaptive_limiter import AdaptiveLimiter
from dynaferry.throttle.cap import Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.rate_profile import EAGER
from dynaferry.throttle.retry import Patience, RetryPolicy
from tests.verify.small_verify import opened, plan_of, tools_of
from tests.worlds.fake_tables import FakeTable, item, key
from tests.worlds.fakes import wire_item
from tests.worlds.moving_clock import MovingClock

REFUSAL = ThrottledError("slow down", code="ThrottlingException")


def page(segment: int = 0) -> PendingPage:
    return PendingPage(segment, 0, [wire_item("a"), wire_item("b")], may_be_large=False)


def queue_with_a_page(clock: MovingClock, *, refused: bool = True) -> WriteQueue:
    """Lanes that hold a page of segment 0, which has a rate of its own if it was refused."""
    queue = WriteQueue(clock=clock)
    queue.put(page())
    if refused:
        queue.note_throttled(0, clock.now - 1.0, for_itself=True)
    return queue


def looks_of(clock: MovingClock, decision: Callable[[], object]) -> int:
    before = clock.looks
    decision()
    return clock.looks - before


@pytest.mark.parametrize("segments", [1, 5])
def test_the_queue_reads_the_clock_once(moving_clock: MovingClock, segments: int) -> None:
    clock, queue = moving_clock, queue_with_a_page(moving_clock)
    for segment in range(1, segments):
        queue.put(page(segment))
        queue.note_throttled(segment, clock.now, for_itself=True)
    assert looks_of(clock, lambda: queue.put(page())) == 1
    assert looks_of(clock, queue.take_nowait) == 1
    assert looks_of(clock, lambda: queue.note_sent(0, 25.0)) == 1
    assert looks_of(clock, lambda: queue.give_back(Batch(0, 0, [wire_item("a")]))) == 1
    assert looks_of(clock, lambda: queue.put_first(Batch(0, 0, [wire_item("a")]))) == 1
    assert looks_of(clock, lambda: queue.note_throttled(0, clock.now, for_itself=True)) == 0
    assert looks_of(clock, lambda: queue.note_written(0, 25.0)) == 0


async def test_waiting_for_a_lane_reads_the_clock_before_it_sleeps_and_after(
    moving_clock: MovingClock,
) -> None:
    queue = queue_with_a_page(moving_clock, refused=False)
    queue.note_throttled(0, moving_clock.now + 0.001, for_itself=False)
    before = moving_clock.looks
    moving_clock.look_seconds = 1.0  # so that one sleep is enough
    assert await queue.take() is not None
    assert moving_clock.looks - before in (1, 2, 3)


def test_a_cap_reads_the_clock_once(moving_clock: MovingClock) -> None:
    clock = moving_clock
    cap = Cap(100.0, clock=clock, sleep=clock.sleep)
    cap.consumed(300.0)
    cap.reserve(10.0)
    assert looks_of(clock, lambda: cap.wait_seconds(50.0)) == 1
    assert looks_of(clock, lambda: cap.wait_seconds(5000.0)) == 1
    assert looks_of(clock, lambda: cap.consumed(1.0)) == 1
    assert looks_of(clock, lambda: cap.set(200.0)) == 1


def test_the_limiter_reads_the_clock_once(moving_clock: MovingClock) -> None:
    clock = moving_clock
    controller = RateController(EAGER, now=clock(), ceiling=100.0)
    pace = AdaptiveLimiter(controller, CapLimiter([]), clock=clock, sleep=clock.sleep)
    while pace.acquire_nowait(200.0):
        pass
    assert looks_of(clock, lambda: pace.acquire_nowait(200.0)) == 1
    assert looks_of(clock, lambda: pace.settle(100.0, 50.0, refused=50.0)) == 1
    assert looks_of(clock, lambda: pace.throttled(REFUSAL, 100.0)) == 1


async def test_who_waits_for_a_pace_or_a_cap_gets_through(moving_clock: MovingClock) -> None:
    clock = moving_clock
    controller = RateController(EAGER, now=clock(), ceiling=50.0)
    caps = CapLimiter([Cap(20.0, clock=clock, sleep=clock.sleep)], PauseGate(clock=clock))
    pace = AdaptiveLimiter(controller, caps, scatter=True, clock=clock, sleep=clock.sleep)
    for _ in range(40):
        await pace.acquire(25.0)
        pace.settle(25.0, 25.0, latency_seconds=0.01)
    assert clock.now >= 39 * 25.0 / 20.0 - 5.0  # a cap holds over any five seconds


def test_a_gate_reads_the_clock_once(moving_clock: MovingClock) -> None:
    gate = PauseGate(clock=moving_clock)
    assert looks_of(moving_clock, gate.close) == 1
    assert looks_of(moving_clock, gate.open_clock) == 0  # it stands
    assert looks_of(moving_clock, gate.open) == 1
    assert looks_of(moving_clock, gate.open_clock) == 1


def test_patience_reads_the_clock_once(moving_clock: MovingClock) -> None:
    policy = RetryPolicy("target", Patience(1e6, clock=moving_clock))
    for _ in range(8):  # the first begins to count, and later ones ask
        failed = UnavailableError("503")
        assert looks_of(moving_clock, lambda: policy.give_up_if_gone(failed)) == 1  # noqa: B023


def test_a_map_of_segments_reads_the_clock_once(moving_clock: MovingClock) -> None:
    segments = SegmentMap(8, clock=moving_clock)
    assert looks_of(moving_clock, lambda: segments.begun(1)) == 1
    assert looks_of(moving_clock, lambda: segments.begun(2)) == 1
    assert looks_of(moving_clock, segments.seconds_under_way) == 1
    assert looks_of(moving_clock, lambda: segments.done(1)) == 1


def test_who_watches_a_run_reads_the_clock_once(moving_clock: MovingClock) -> None:
    monitor = RunMonitor("orders", readers=8, clock=moving_clock)
    monitor.stats = RunStats("orders", [TableStats("a", "b", 8, state="running")])
    monitor.phase = "running"
    assert looks_of(moving_clock, monitor.refresh) == 1
    assert looks_of(moving_clock, lambda: monitor.health) == 1
    summary = RunSummary(run="orders", status="complete", error=None, tables=())
    assert looks_of(moving_clock, lambda: monitor.ended(summary)) == 1
    assert monitor.ended_at == moving_clock.now


async def test_what_holds_a_run_back_is_asked_and_decided_for_one_moment(
    moving_clock: MovingClock,
) -> None:
    class Asked:
        def __init__(self) -> None:
            self.times = 0

        async def read_controls(self) -> Controls:
            self.times += 1
            return Controls(max_write_units=10.0)

    class Planned:
        max_read_units = None
        max_write_units = None
        limits = Schedule()

    asked = Asked()
    steering = ControlFollower(Planned(), asked, (), RunStats("orders"), clock=moving_clock)
    lines = await steering.begin()
    assert any("what was set holds" in line for line in lines)
    assert (moving_clock.looks, asked.times) == (1, 1)


def test_both_sides_of_a_schedule_are_of_one_moment() -> None:
    night = ScheduleEntry(hours="22:00-06:00", max_read_units=5.0, max_write_units=7.0)
    limits = Schedule(schedule=(night,))
    last = datetime(2026, 1, 1, 5, 59, 59, 999999, UTC)
    assert scheduled(limits, last) == (5.0, 7.0)
    assert scheduled(limits, last.replace(hour=6, minute=0, second=0)) == (None, None)


async def test_what_a_verification_suspects_at_once_is_of_one_moment(
    moving_clock: MovingClock, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path)
    async with opened(plan) as store:
        source, target = FakeTable([item(n) for n in range(3)]), FakeTable()
        tools = tools_of(plan, store, source, target, clock=moving_clock)
        first = await tools.comparison._confirmer.read_first(0, {key(n): True for n in range(3)})
    assert moving_clock.looks == 1
    assert len({suspect.seen_at for suspect in first.suspects}) == 1


async def test_differences_settle_though_every_reading_of_the_clock_takes_its_time(
    moving_clock: MovingClock, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, settle_seconds=30.0)
    async with opened(plan) as store:
        source = FakeTable([item(n) for n in range(5)])
        tools = tools_of(plan, store, source, FakeTable(), clock=moving_clock)
        tools.comparison._sleep = moving_clock.sleep
        assert await tools.comparison.compare([0], StopSignal())
        assert (await store.read_totals(0)).missing == 5
