import pytest

from dynaferry.errors import ThrottledError
from dynaferry.throttle.pace import CappedPace
from dynaferry.throttle.token_bucket import TokenBucket


class Timeline:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class CancelledForTestError(BaseException):
    pass


def pace_with(timeline: Timeline, *rates: float) -> CappedPace:
    caps = [TokenBucket(rate, now=0.0) for rate in rates]
    return CappedPace(caps, clock=timeline.clock, sleep=timeline.sleep)


async def test_without_a_cap_nobody_waits() -> None:
    timeline = Timeline()
    await pace_with(timeline).admit(1e9)
    assert timeline.now == 0.0


async def test_the_slowest_of_several_caps_decides() -> None:
    timeline = Timeline()
    await pace_with(timeline, 100.0, 10.0, 1000.0).admit(50.0)
    assert timeline.now == 5.0


async def test_a_cap_given_for_the_run_is_shared_by_its_tables() -> None:
    timeline = Timeline()
    shared = TokenBucket(10.0, now=0.0)
    paces = [CappedPace([shared], clock=timeline.clock, sleep=timeline.sleep) for _ in range(2)]
    for _ in range(5):
        for pace in paces:
            await pace.admit(10.0)
    assert timeline.now == 10.0


async def test_what_was_not_consumed_is_given_back() -> None:
    bucket = TokenBucket(10.0, now=0.0)
    timeline = Timeline()
    pace = CappedPace([bucket], clock=timeline.clock, sleep=timeline.sleep)
    bucket.take(100.0, 0.0)  # somebody else's request, under way
    pace.settle(100.0, 10.0)
    await pace.admit(10.0)
    assert timeline.now == 2.0


async def test_what_nobody_knows_stays_as_it_was_reserved() -> None:
    timeline = Timeline()
    pace = pace_with(timeline, 10.0)
    await pace.admit(100.0)
    pace.settle(100.0, None)
    pace.throttled(ThrottledError("slow down", code="ThrottlingException"))
    await pace.admit(10.0)
    assert timeline.now == 11.0


async def test_a_wait_that_is_cancelled_reserves_nothing() -> None:
    async def cancelled(_: float) -> None:
        raise CancelledForTestError

    bucket = TokenBucket(10.0, now=0.0)
    pace = CappedPace([bucket], clock=lambda: 0.0, sleep=cancelled)
    with pytest.raises(CancelledForTestError):
        await pace.admit(1000.0)
    assert bucket.take(10.0, 0.0) == 1.0
