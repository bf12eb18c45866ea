import anyio
import pytest

from benchmarks.virtual_time import now, run_virtually
from dynaferry.errors import ServiceGoneError, UnavailableError
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.retry import Patience, RetryPolicy
from tests.worlds.moving_clock import about


def test_who_waits_goes_on_when_it_opens() -> None:
    async def main() -> float:
        gate = PauseGate()
        gate.close()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.passed)
            await anyio.sleep(3.0)
            gate.open()
        return now()

    assert run_virtually(main()) == about(3.0)


def test_it_closes_and_opens_as_often_as_people_like() -> None:
    async def main() -> list[float]:
        gate = PauseGate()
        times: list[float] = []

        async def pass_twice() -> None:
            for _ in range(2):
                await gate.passed()
                times.append(now())
                await anyio.sleep(1.0)

        gate.close()
        gate.close()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pass_twice)
            await anyio.sleep(2.0)
            gate.open()
            gate.open()
            await anyio.sleep(0.5)
            gate.close()
            await anyio.sleep(10.0)
            gate.open()
        return times

    assert run_virtually(main()) == [about(2.0), about(12.5)]


def test_its_clock_stands_while_it_is_closed() -> None:
    async def main() -> list[float]:
        gate = PauseGate(clock=now)
        seen = [gate.open_clock()]
        await anyio.sleep(1.0)
        gate.close()
        await anyio.sleep(100.0)
        seen.append(gate.open_clock())
        gate.open()
        await anyio.sleep(1.0)
        seen.append(gate.open_clock())
        return seen

    assert run_virtually(main()) == [about(0.0), about(1.0), about(2.0)]


def test_patience_does_not_run_out_during_a_pause() -> None:
    async def main() -> tuple[float, float]:
        gate = PauseGate(clock=now)
        policy = RetryPolicy("target", Patience(60.0, clock=gate.open_clock))
        paused_until = 0.0

        async def attempt() -> None:
            nonlocal paused_until
            await gate.passed()
            if paused_until == 0.0:  # the first request fails, and then comes the pause
                gate.close()
                paused_until = 3600.0
                tasks.start_soon(open_later)
            raise UnavailableError("503")

        async def open_later() -> None:
            await anyio.sleep(3600.0)
            gate.open()

        async with anyio.create_task_group() as tasks:
            with pytest.raises(ServiceGoneError):
                await policy.call(attempt)
        return paused_until, now()

    paused_until, gave_up_at = run_virtually(main())
    assert gave_up_at >= paused_until + 60.0


def test_a_gate_within_another_is_closed_while_that_one_is() -> None:
    seconds = [0.0]
    outer = PauseGate(clock=lambda: seconds[0])
    inner = PauseGate(within=outer, clock=lambda: seconds[0])
    seen = []
    for moment, change in (
        (0.0, outer.close),
        (10.0, inner.close),
        (10.0, outer.open),
        (15.0, inner.open),
    ):
        seconds[0] = moment
        change()
        seen.append((outer.is_open, inner.is_open))
    assert seen == [(False, False), (False, False), (True, False), (True, True)]
    # What both were closed for counts once.
    assert (inner.open_clock(), outer.open_clock()) == (0.0, 5.0)


def test_a_gate_made_within_a_closed_one_is_closed() -> None:
    outer = PauseGate()
    outer.close()
    assert not PauseGate(within=outer).is_open
