import anyio
import pytest

from benchmarks.virtual_time import now, run_virtually
from dynaferry.throttle.concurrency_limit import LEAST, Concurrency
from dynaferry.throttle.worker_pool import WorkerPool
from tests.worlds.moving_clock import about


class Work:
    """So many pieces, each of which takes so long; and how many were under way at once."""

    def __init__(self, pieces: int, seconds: float) -> None:
        self.pieces = pieces
        self.seconds = seconds
        self.at_once = 0
        self.most_at_once = 0
        self.crew: WorkerPool | None = None

    async def one(self) -> bool:
        if self.pieces == 0:
            return False
        self.pieces -= 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.crew is not None:
            self.crew.is_short()
        await anyio.sleep(self.seconds)
        self.at_once -= 1
        return True


def seconds_of(work: Work, concurrency: Concurrency, *, is_short: bool = False) -> float:
    async def main() -> float:
        crew = WorkerPool(concurrency, clock=now)
        work.crew = crew if is_short else None
        async with anyio.create_task_group() as tasks:
            crew.start(tasks, work.one)
        return now()

    return run_virtually(main())


def test_no_more_are_under_way_than_the_limit_allows() -> None:
    work = Work(12, seconds=1.0)
    assert seconds_of(work, Concurrency(4, now=0.0)) == about(3.0)
    assert work.most_at_once == 4


def test_everything_is_done_and_then_it_ends() -> None:
    work = Work(1001, seconds=0.01)
    seconds_of(work, Concurrency(64, now=0.0), is_short=True)
    assert work.pieces == 0
    assert work.at_once == 0


def test_responses_make_room_for_more_at_once() -> None:
    """Where requests take their time whatever is in flight, more of them bring more."""
    work, concurrency = Work(20_000, seconds=0.05), Concurrency(64, now=0.0)
    seconds_of(work, concurrency, is_short=True)
    assert concurrency.limit == 64
    assert work.most_at_once == 64


def test_nobody_is_added_while_work_has_to_be_waited_for() -> None:
    work = Work(20_000, seconds=0.05)
    seconds_of(work, Concurrency(64, now=0.0))
    assert work.most_at_once == LEAST


def test_members_leave_when_the_limit_falls() -> None:
    """One at a time is all that the other side does, so that more in flight bring no more."""

    async def main() -> tuple[int, int]:
        turn = anyio.Lock()
        concurrency = Concurrency(128, now=now())
        crew = WorkerPool(concurrency, clock=now)
        at_once: list[int] = []
        under_way = 0

        async def one() -> bool:
            nonlocal under_way
            crew.is_short()
            under_way += 1
            at_once.append(under_way)
            async with turn:
                await anyio.sleep(0.001)
            under_way -= 1
            return now() < 10.0

        async with anyio.create_task_group() as tasks:
            crew.start(tasks, one)
        return concurrency.limit, max(at_once[-100:])

    limit, lately = run_virtually(main())
    assert lately <= limit < 2 * LEAST


def test_an_error_of_one_ends_all() -> None:
    async def fail() -> bool:
        await anyio.sleep(1.0)
        raise ValueError("refused")

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            WorkerPool(Concurrency(4, now=now()), clock=now).start(tasks, fail)

    with pytest.raises(BaseExceptionGroup) as raised:
        run_virtually(main())
    assert raised.group_contains(ValueError, match="refused")
