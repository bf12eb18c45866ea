"""The pace around a controller: when requests may go, and what the controller is told of them."""

import math
from itertools import pairwise

import anyio
import pytest

from benchmarks.virtual_time import now, run_virtually
from dynaferry.errors import ThrottledError
from dynaferry.throttle.adaptive_limiter import (
    FIRST_UNITS,
    LONGEST_SCATTER_SECONDS,
    SPACED_BURST_SECONDS,
    UNCUT_UNITS,
    AdaptiveLimiter,
    first_units,
)
from dynaferry.throttle.cap import BUCKET_SHARE, Cap
from dynaferry.throttle.limiter import REQUEST_SECONDS, CapLimiter
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.rate_profile import EAGER
from tests.worlds.moving_clock import about

REFUSAL = ThrottledError("slow down", code="ThrottlingException")


def pace_at(
    units_per_second: float,
    *,
    cap: float | None = None,
    scatter: bool = False,
    first: float = FIRST_UNITS,
) -> AdaptiveLimiter:
    """A pace whose controller has this ceiling, and no reason to go below it."""
    controller = RateController(EAGER, now=now(), ceiling=units_per_second)
    caps = CapLimiter([Cap(cap, clock=now)])
    return AdaptiveLimiter(controller, caps, scatter=scatter, first_units=first, clock=now)


async def sent_at(limiter: AdaptiveLimiter, requests: int, units: float = 25.0) -> list[float]:
    """When each of so many requests was let go."""
    times = []
    for _ in range(requests):
        await limiter.acquire(units)
        times.append(now())
        limiter.settle(units, units, latency_seconds=0.01)
    return times


def test_requests_go_at_the_controllers_rate() -> None:
    async def main() -> list[float]:
        return await sent_at(pace_at(500.0), 200)

    times = run_virtually(main())
    assert times[-1] == pytest.approx((200 * 25 - FIRST_UNITS) / 500.0, rel=0.05)
    after_the_first = times[20:]
    gaps = [later - earlier for earlier, later in pairwise(after_the_first)]
    assert max(gaps) <= 25 / 500.0 + SPACED_BURST_SECONDS


def test_a_few_hundred_items_wait_for_nothing() -> None:
    async def main() -> list[float]:
        return await sent_at(pace_at(50.0), int(FIRST_UNITS / 25))

    assert run_virtually(main())[-1] == about(0.0)


def test_a_cap_below_the_rate_holds_as_well() -> None:
    async def main() -> list[float]:
        return await sent_at(pace_at(5000.0, cap=100.0), 40)

    assert run_virtually(main())[-1] >= 0.9 * 39 * 25 / 100.0 * BUCKET_SHARE


def test_what_was_not_consumed_may_be_used_by_others_but_what_was_refused_may_not() -> None:
    async def main() -> tuple[float, float]:
        spans = []
        for consumed, refused in ((5.0, 0.0), (5.0, 20.0)):
            limiter, began = pace_at(500.0), now()
            for _ in range(100):
                await limiter.acquire(25.0)
                limiter.settle(25.0, consumed, refused=refused, latency_seconds=0.01)
            spans.append(now() - began)
        return spans[0], spans[1]

    cheap, refused = run_virtually(main())
    assert cheap < 1.0
    assert refused > 4.0


def test_refusals_lower_the_rate_and_those_that_wait_feel_it() -> None:
    async def main() -> tuple[float, float]:
        limiter = pace_at(4000.0)
        for _ in range(200):
            await limiter.acquire(25.0)
            limiter.throttled(REFUSAL, 25.0)
        rate, began = limiter.controller.rate, now()
        await limiter.acquire(25.0)
        return rate, now() - began

    rate, waited = run_virtually(main())
    assert rate <= 100.0
    assert waited > 0.5


def test_a_request_that_failed_for_another_reason_says_nothing_about_the_rate() -> None:
    async def main() -> float:
        limiter = pace_at(1000.0)
        for _ in range(100):
            await limiter.acquire(25.0)
            limiter.settle(25.0, None)
        return limiter.controller.rate

    assert run_virtually(main()) == 1000.0


def test_the_rate_grows_while_requests_wait_for_it() -> None:
    async def main() -> float:
        limiter = pace_at(math.inf)
        while now() < 2.0:
            await sent_at(limiter, 1)
        return limiter.controller.rate

    assert run_virtually(main()) >= 16 * EAGER.start_units


def test_a_batch_is_sized_to_the_rate_and_a_request_without_a_limit_may_be_of_any_size() -> None:
    async def main() -> tuple[float, float, float]:
        none, given = pace_at(math.inf), pace_at(1000.0)
        assert none.most_units_in_a_batch == EAGER.start_units * REQUEST_SECONDS
        assert pace_at(30.0).most_units_in_a_batch == UNCUT_UNITS
        return (
            none.most_units_at_once,
            given.most_units_at_once,
            pace_at(1000.0, cap=200.0).most_units_at_once,
        )

    none, given, capped = run_virtually(main())
    assert none == math.inf
    assert given == 1000.0 * REQUEST_SECONDS
    assert capped == pytest.approx(200.0 * REQUEST_SECONDS, rel=0.05)


def test_scattered_requests_go_at_odd_moments_and_on_average_at_the_rate() -> None:
    async def main() -> list[float]:
        return await sent_at(pace_at(500.0, scatter=True), 400)

    times = run_virtually(main())
    assert times[-1] == pytest.approx(400 * 25 / 500.0, rel=0.15)
    gaps = {round(later - earlier, 3) for earlier, later in pairwise(times[50:])}
    assert len(gaps) > 20


@pytest.mark.parametrize("ceiling", [0.5, 2.5, 50.0])
def test_what_may_go_at_once_goes_without_chance(ceiling: float) -> None:
    first = first_units(ceiling)
    assert first == min(FIRST_UNITS, 60 * ceiling)

    async def main() -> list[float]:
        return await sent_at(pace_at(ceiling, scatter=True, first=first), int(first), units=1.0)

    assert run_virtually(main())[-1] == about(0.0)


@pytest.mark.parametrize(("units_per_second", "units"), [(0.5, 1.0), (0.5, 4.0), (2.5, 4.0)])
def test_at_a_low_rate_chance_does_not_cost_much_of_it(
    units_per_second: float, units: float
) -> None:
    async def main() -> list[float]:
        limiter = pace_at(units_per_second, scatter=True, first=0.0)
        return await sent_at(limiter, 400, units=units)

    times = run_virtually(main())
    assert times[-1] == pytest.approx(400 * units / units_per_second, rel=0.15)
    longest = max(later - earlier for earlier, later in pairwise(times))
    assert longest <= units / units_per_second + LONGEST_SCATTER_SECONDS


def test_a_wait_that_is_cancelled_leaves_the_turn_to_the_next() -> None:
    async def main() -> float:
        limiter = pace_at(100.0)
        await limiter.acquire(FIRST_UNITS + 100.0)
        with anyio.move_on_after(0.1):
            await limiter.acquire(1.0)
        await limiter.acquire(1.0)
        return now()

    assert run_virtually(main()) == pytest.approx(1.0, rel=0.05)


def test_nobody_passes_who_would_have_to_wait_for_the_rate_or_for_those_before() -> None:
    async def main() -> tuple[list[bool], bool, bool]:
        limiter = pace_at(50.0)
        at_once = [limiter.acquire_nowait(25.0) for _ in range(int(FIRST_UNITS / 25) + 3)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limiter.acquire, 25.0)
            await anyio.sleep(0.01)
            behind_one_who_waits = limiter.acquire_nowait(0.0)
        await anyio.sleep(10.0)
        return at_once, behind_one_who_waits, limiter.acquire_nowait(25.0)

    at_once, behind_one_who_waits, later = run_virtually(main())
    assert at_once == [True] * 11 + [False] * 2
    assert not behind_one_who_waits
    assert later


def test_who_is_let_through_at_once_has_used_the_rate() -> None:
    async def main() -> float:
        limiter = pace_at(50.0)
        while limiter.acquire_nowait(25.0):
            pass
        await limiter.acquire(25.0)
        return now()

    assert run_virtually(main()) == pytest.approx(0.5, rel=0.1)


def test_scattered_requests_are_never_let_through_at_once() -> None:
    async def main() -> bool:
        return pace_at(1e6, scatter=True).acquire_nowait(1.0)

    assert run_virtually(main()) is False
