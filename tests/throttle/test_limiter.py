from collections.abc import Awaitable, Callable

import anyio
import pytest

from benchmarks.virtual_time import now, run_virtually
from dynaferry.errors import ThrottledError
from dynaferry.throttle.cap import BUCKET_SHARE, Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from tests.throttle.judged import caps
from tests.worlds.moving_clock import about


def seconds_of(steps: Callable[[CapLimiter], Awaitable[None]], *units_per_second: float) -> float:
    """How long the steps take under these caps, if the caps were used to their last unit."""

    async def main() -> float:
        await steps(CapLimiter(caps(*units_per_second)))
        return now()

    return run_virtually(main()) * BUCKET_SHARE


def test_without_a_cap_nobody_waits() -> None:
    async def steps(limiter: CapLimiter) -> None:
        await limiter.acquire(1e9)
        await limiter.acquire(1e9)

    assert seconds_of(steps) == about(0.0)


def test_the_slowest_of_several_caps_decides() -> None:
    async def steps(limiter: CapLimiter) -> None:
        await limiter.acquire(50.0)

    assert seconds_of(steps, 100.0, 10.0, 1000.0) == pytest.approx(5.0, rel=0.02)


def test_a_cap_given_for_the_run_is_shared_by_its_tables() -> None:
    async def main() -> float:
        shared = caps(10.0)
        paces = [CapLimiter(shared) for _ in range(2)]
        for _ in range(5):
            for limiter in paces:
                await limiter.acquire(10.0)
                limiter.settle(10.0, 10.0)
        return now()

    assert run_virtually(main()) == pytest.approx(10.0 / BUCKET_SHARE, rel=0.02)


def test_what_was_not_consumed_is_given_back() -> None:
    async def steps(limiter: CapLimiter) -> None:
        await limiter.acquire(100.0)
        limiter.settle(100.0, 10.0)
        await limiter.acquire(90.0)

    assert seconds_of(steps, 1000.0) == pytest.approx(0.1, rel=0.02)


def test_what_nobody_knows_stays_as_it_was_reserved() -> None:
    async def steps(limiter: CapLimiter) -> None:
        await limiter.acquire(100.0)
        limiter.settle(100.0, None)
        await limiter.acquire(10.0)

    assert seconds_of(steps, 100.0) == pytest.approx(1.1, rel=0.02)


def test_a_refused_request_has_consumed_nothing() -> None:
    async def steps(limiter: CapLimiter) -> None:
        await limiter.acquire(100.0)
        limiter.throttled(ThrottledError("slow down", code="ThrottlingException"), 100.0)
        await limiter.acquire(100.0)

    assert seconds_of(steps, 100.0) == pytest.approx(1.0, rel=0.02)


def test_until_the_first_response_only_one_request_is_under_way() -> None:
    async def main() -> list[float]:
        limiter, sent = CapLimiter(caps(1000.0)), []

        async def request() -> None:
            await limiter.acquire(1.0)
            sent.append(now())
            await anyio.sleep(0.5)
            limiter.settle(1.0, 4.0)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(request)
        return sent

    first, second, third = run_virtually(main())
    assert first < 0.01
    assert second >= 0.5
    assert third < 0.6


def test_a_wait_that_is_cancelled_reserves_nothing() -> None:
    async def main() -> float:
        own, shared = caps(1e6, 10.0)
        limiter = CapLimiter([own, shared])
        with anyio.move_on_after(1.0):
            await limiter.acquire(1000.0)
        limiter.settle(0.0, None)
        began = now()
        await CapLimiter([own]).acquire(1e6)
        await CapLimiter([shared]).acquire(10.0)
        return now() - began

    assert run_virtually(main()) <= 2.1


async def test_the_clock_and_the_sleep_of_a_cap_are_passed_in() -> None:
    time = [0.0]

    async def sleep(seconds: float) -> None:
        time[0] += seconds

    await CapLimiter([Cap(10.0, clock=lambda: time[0], sleep=sleep)]).acquire(98.0)
    assert time[0] == pytest.approx(10.0)


async def test_without_a_cap_and_a_pause_nobody_has_to_wait() -> None:
    gate = PauseGate()
    limiter = CapLimiter([Cap(), Cap()], gate)
    assert limiter.acquire_nowait(1e9)
    gate.close()
    assert not limiter.acquire_nowait(1.0)
    gate.open()
    assert limiter.acquire_nowait(1.0)
    assert not CapLimiter([Cap(), Cap(1e9)], gate).acquire_nowait(1.0)


def test_a_cap_counts_what_was_under_way_before_it_was_set() -> None:
    async def main() -> float:
        cap = Cap(clock=now)
        limiter = CapLimiter([cap])
        assert limiter.acquire_nowait(1.0)
        limiter.settle(1.0, 1.0)
        assert limiter.acquire_nowait(300.0)
        cap.set(100.0)
        await limiter.acquire(100.0)
        return now()

    assert run_virtually(main()) >= 4.0
