import anyio
import anyio.lowlevel
import pytest

from benchmarks.virtual_time import now, run_virtually
from dynaferry.throttle.concurrency import Concurrency
from dynaferry.throttle.slots import Slots


def test_no_more_are_in_flight_than_there_are_slots() -> None:
    async def main() -> tuple[int, float]:
        slots = Slots(Concurrency(4, now=now()), clock=now)
        flying, most = 0, 0

        async def request() -> None:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await anyio.sleep(1.0)
            flying -= 1

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                await slots.wait()
                tasks.start_soon(slots.use, request())
                await anyio.lowlevel.checkpoint()
        return most, now()

    most, seconds = run_virtually(main())
    assert most == 4
    assert seconds == pytest.approx(3.0)


def test_a_slot_is_free_again_when_its_request_fails() -> None:
    async def main() -> None:
        slots = Slots(Concurrency(1, now=now()), clock=now)

        async def request() -> None:
            raise ValueError("refused")

        for _ in range(3):
            await slots.wait()
            with pytest.raises(ValueError, match="refused"):
                await slots.use(request())

    run_virtually(main())


def test_a_slot_is_free_again_when_its_request_is_cancelled() -> None:
    async def main() -> float:
        slots = Slots(Concurrency(1, now=now()), clock=now)
        with anyio.move_on_after(2.0):
            await slots.use(anyio.sleep(100.0))
        await slots.wait()
        return now()

    assert run_virtually(main()) == pytest.approx(2.0)


def test_answers_make_room_for_more_at_once() -> None:
    """Where requests take their time whatever is in flight, more of them bring more."""

    async def main() -> int:
        concurrency = Concurrency(64, now=now())
        slots = Slots(concurrency, clock=now)
        async with anyio.create_task_group() as tasks:
            while now() < 20.0:
                await slots.wait()
                tasks.start_soon(slots.use, anyio.sleep(0.05))
                await anyio.lowlevel.checkpoint()
        return concurrency.limit

    assert run_virtually(main()) == 64
