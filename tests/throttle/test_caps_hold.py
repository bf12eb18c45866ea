"""The caps, on the simulator's tables: no window of five seconds holds more than they allow."""

import random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulator import SimulatedTable
from benchmarks.virtual_time import now, run_virtually
from dynaferry.throttle.cap import CAP_WINDOW_SECONDS, Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.token_bucket import BUCKET_BURST_SECONDS
from tests.throttle.judged import Judged, caps, paces_sharing, plentiful, read_for, write_for

MB = 1024 * 1024


def any_size(dice: random.Random) -> int:
    return dice.choice([300, 1024, 5000, 20_000])


@pytest.mark.parametrize("cap", [50.0, 400.0, 2000.0])
@pytest.mark.parametrize("indexes", [(), ("by-owner",), ("by-owner", "by-time", "by-place")])
def test_writes_hold_the_cap_with_and_without_indexes(cap: float, indexes: tuple[str, ...]) -> None:
    async def main() -> Judged:
        judged = Judged()
        await write_for(30.0, plentiful(*indexes), CapLimiter(caps(cap)), judged)
        return judged

    judged = run_virtually(main())
    assert judged.most_in_a_window() <= cap * CAP_WINDOW_SECONDS
    assert judged.total(0.0, 1.0) <= cap + 25 * (1 + len(indexes))
    # A window takes whole requests only: the rest of it stays unused.
    request = 25 * (1 + len(indexes))
    usable = cap * CAP_WINDOW_SECONDS // request * request / CAP_WINDOW_SECONDS
    assert judged.total(10.0, 30.0) >= 0.93 * usable * 20.0


def test_what_the_report_says_second_by_second_holds_it_too() -> None:
    async def main() -> SimulatedTable:
        table = plentiful("by-owner")
        await write_for(20.0, table, CapLimiter(caps(1000.0)), Judged())
        return table

    seconds = run_virtually(main()).report(20.0).seconds
    seen = [second.write_units + second.index_write_units["by-owner"] for second in seconds]
    assert len(seen) >= 19
    for start in range(len(seen) - 4):
        assert sum(seen[start : start + 5]) <= 5000.0
    assert seen[0] <= 1000.0


def test_items_whose_cost_nobody_could_expect_hold_it_as_well() -> None:
    """A put over a larger item costs what that one did; here one batch in five, and tenfold."""

    async def main() -> Judged:
        judged, limiter = Judged(), CapLimiter(caps(1000.0))
        dice = random.Random(7)

        async def write() -> None:
            while True:
                await limiter.acquire(25.0)
                consumed = 250.0 if dice.random() < 0.2 else 25.0
                judged.consumed.append((now(), consumed))
                await anyio.sleep(0.02)
                limiter.settle(25.0, consumed)

        with anyio.move_on_after(30.0):
            async with anyio.create_task_group() as tasks:
                for _ in range(32):
                    tasks.start_soon(write)
        return judged

    judged = run_virtually(main())
    assert judged.most_in_a_window() <= 5000.0
    assert judged.total(10.0, 30.0) >= 0.75 * 20_000.0


@pytest.mark.parametrize("cap", [300.0, 1000.0, 5000.0])
@pytest.mark.parametrize("page_bytes", [(MB,), (MB, MB, MB, 20_000), (20_000, 4096)])
def test_reads_hold_the_cap(cap: float, page_bytes: tuple[int, ...]) -> None:
    async def main() -> Judged:
        judged = Judged()
        limiter = CapLimiter(caps(cap))
        choose = random.Random(3).choice
        await read_for(30.0, plentiful(), limiter, judged, page_bytes=lambda _: choose(page_bytes))
        return judged

    judged = run_virtually(main())
    assert judged.most_in_a_window() <= cap * CAP_WINDOW_SECONDS
    assert judged.total(0.0, 1.0) <= cap


def test_the_tables_of_one_run_share_its_cap() -> None:
    async def main() -> list[Judged]:
        (cap,) = caps(1000.0)
        tables = [plentiful(), plentiful("by-owner"), plentiful("by-owner", "by-time")]
        judged = [Judged() for _ in tables]
        async with anyio.create_task_group() as tasks:
            for table, limiter, judge in zip(tables, paces_sharing(cap, 3), judged, strict=True):
                tasks.start_soon(write_for, 30.0, table, limiter, judge)
        return judged

    judged = run_virtually(main())
    together = Judged()
    together.consumed = sorted(entry for each in judged for entry in each.consumed)
    assert together.most_in_a_window() <= 5000.0
    assert together.total(10.0, 30.0) >= 0.95 * 20_000.0
    # They take turns: whoever is dearer gets more units, nobody is left out.
    assert min(each.total(10.0, 30.0) for each in judged) >= 0.1 * 20_000.0


def test_a_tables_own_cap_holds_beside_the_runs() -> None:
    async def main() -> tuple[Judged, Judged]:
        shared, own = caps(1000.0, 200.0)
        limited, free = Judged(), Judged()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write_for, 20.0, plentiful(), CapLimiter([own, shared]), limited)
            tasks.start_soon(write_for, 20.0, plentiful(), CapLimiter([shared]), free)
        return limited, free

    limited, free = run_virtually(main())
    assert limited.most_in_a_window() <= 1000.0
    assert free.total(10.0, 20.0) >= 0.7 * 10_000.0  # it waits for nobody's own cap


@pytest.mark.parametrize(("before", "after"), [(4000.0, 100.0), (100.0, 4000.0), (None, 500.0)])
def test_a_changed_cap_holds_over_any_window_after_the_change(
    before: float | None, after: float
) -> None:
    async def main() -> Judged:
        (cap,) = caps(before)
        judged = Judged()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write_for, 40.0, plentiful("by-owner"), CapLimiter([cap]), judged)
            await anyio.sleep(15.0)
            cap.set(after)
        return judged

    judged = run_virtually(main())
    assert judged.most_in_a_window(since=15.0) <= after * CAP_WINDOW_SECONDS
    assert judged.total(25.0, 40.0) >= 0.93 * after * 15.0
    if before is not None:
        assert judged.most_in_a_window() <= max(before, after) * CAP_WINDOW_SECONDS


def test_who_waits_under_a_low_cap_is_served_by_the_new_one_at_once() -> None:
    async def main(lifted_to: float | None) -> float:
        (cap,) = caps(1.0)
        limiter = CapLimiter([cap])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limiter.acquire, 25.0)  # 25 s at 1 unit/s
            await anyio.sleep(3.0)
            cap.set(lifted_to)
        return now() - 3.0

    assert run_virtually(main(1000.0)) < 0.2
    assert run_virtually(main(None)) < 0.2


def test_a_lifted_cap_holds_nobody_back() -> None:
    async def main() -> Judged:
        (cap,) = caps(100.0)
        judged = Judged()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write_for, 3.0, plentiful(), CapLimiter([cap]), judged)
            await anyio.sleep(2.0)
            cap.set(None)
        return judged

    judged = run_virtually(main())
    assert judged.total(2.2, 3.0) > 10_000.0


def test_a_pause_holds_everybody_and_saves_nothing_up() -> None:
    async def main() -> Judged:
        gate, judged = PauseGate(clock=now), Judged()
        limiter = CapLimiter(caps(1000.0), gate)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write_for, 60.0, plentiful("by-owner"), limiter, judged)
            await anyio.sleep(10.0)
            gate.close()
            await anyio.sleep(30.0)
            gate.open()
        return judged

    judged = run_virtually(main())
    assert judged.total(10.0 + 0.1, 40.0) == 0.0  # only what was on its way
    assert judged.most_in_a_window() <= 5000.0
    # A request was held.
    assert judged.total(40.0, 41.0) <= 1000.0 * (1 + BUCKET_BURST_SECONDS) + 50.0
    assert judged.total(45.0, 60.0) >= 0.93 * 15_000.0


def test_a_pause_holds_where_there_is_no_cap() -> None:
    async def main() -> Judged:
        gate, judged = PauseGate(clock=now), Judged()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write_for, 3.0, plentiful(), CapLimiter([], gate), judged)
            await anyio.sleep(1.0)
            gate.close()
            await anyio.sleep(1.0)
            gate.open()
        return judged

    judged = run_virtually(main())
    assert judged.total(1.1, 2.0) == 0.0
    assert judged.total(2.0, 3.0) > 0.0


REQUESTS = st.tuples(st.integers(1, 60), st.floats(1.0, 8.0), st.floats(0.0, 1.5))


@settings(max_examples=60, deadline=None)
@given(
    cap=st.floats(20.0, 5000.0),
    takers=st.lists(st.lists(REQUESTS, min_size=1, max_size=25), min_size=1, max_size=8),
    worst=st.floats(1.0, 8.0),
)
def test_any_requests_with_any_latency_hold_it(
    cap: float, takers: list[list[tuple[int, float, float]]], worst: float
) -> None:
    """Costs between the expected ones and the worst that was seen at the start."""

    async def main() -> Judged:
        judged, limiter = Judged(), CapLimiter(caps(cap))
        await limiter.acquire(1.0)
        limiter.settle(1.0, worst)

        async def take(requests: list[tuple[int, float, float]]) -> None:
            for units, factor, latency_seconds in requests:
                expected = min(float(units), cap / worst)
                await limiter.acquire(expected)
                await anyio.sleep(latency_seconds / 2)
                consumed = expected * min(factor, pace_cost(limiter))
                judged.consumed.append((now(), consumed))
                await anyio.sleep(latency_seconds / 2)
                limiter.settle(expected, consumed)

        async with anyio.create_task_group() as tasks:
            for requests in takers:
                tasks.start_soon(take, requests)
        return judged

    assert run_virtually(main()).most_in_a_window() <= cap * CAP_WINDOW_SECONDS * (1 + 1e-6)


def pace_cost(limiter: CapLimiter) -> float:
    """What a request costs at most at this moment, so that no reservation was too small."""
    return limiter._cost.value  # the test is about what follows from it


async def test_a_cap_on_the_real_clock_lets_the_first_request_through() -> None:
    limiter = CapLimiter([Cap(1e6)])
    await limiter.acquire(25.0)
    limiter.settle(25.0, 25.0)
