from collections.abc import Callable, Coroutine
from typing import TypeVar

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.virtual_time import now, run_virtually
from dynaferry.copy.pending_page import Batch, BatchClaim, PendingPage
from dynaferry.copy.write_queue import PAUSE_SECONDS, WriteQueue
from tests.worlds.fakes import key_in, wire_item
from tests.worlds.moving_clock import MovingClock, about

T = TypeVar("T")


def page(segment: int, *keys: str, number: int = 0) -> PendingPage:
    return PendingPage(segment, number, [wire_item(key) for key in keys], may_be_large=False)


def batches_of(taken: BatchClaim | None) -> list[Batch]:
    """All of them, as when they are sent."""
    if taken is None:
        return []
    uncut = taken.page
    return [Batch(uncut.segment, uncut.page, uncut.next_batch()) for _ in range(taken.count)]


def keys_in(batch: Batch) -> list[str]:
    return [key_in(item) for item in batch.items]


def virtually(main: Callable[[WriteQueue], Coroutine[None, None, T]]) -> T:
    """What `main` makes of lanes by the virtual clock."""

    async def run() -> T:
        return await main(WriteQueue(clock=now))

    return run_virtually(run())


async def take_keys(queue: WriteQueue) -> list[str]:
    """The keys of the next batch, which is done with at once."""
    taken = await queue.take()
    if taken is not None:
        queue.done()
    return [key for batch in batches_of(taken) for key in keys_in(batch)]


def test_segments_take_turns_and_each_keeps_its_order() -> None:
    async def main(queue: WriteQueue) -> list[list[str]]:
        for key in ("a1", "a2", "a3"):
            queue.put(page(0, key))
        for key in ("b1", "b2"):
            queue.put(page(1, key))
        return [await take_keys(queue) for _ in range(5)]

    assert virtually(main) == [["a1"], ["b1"], ["a2"], ["b2"], ["a3"]]


def test_a_remainder_goes_before_the_others_of_its_segment() -> None:
    async def main(queue: WriteQueue) -> list[list[str]]:
        for key in ("a1", "a2"):
            queue.put(page(0, key, f"{key}+"))
        (taken,) = batches_of(await queue.take())
        queue.give_back(Batch(0, 0, taken.items[1:]))
        queue.done()
        return [await take_keys(queue) for _ in range(2)]

    assert virtually(main) == [["a1+"], ["a2", "a2+"]]


def test_a_segment_that_was_refused_is_left_alone_and_holds_nobody_else() -> None:
    async def main(queue: WriteQueue) -> list[tuple[list[str], float]]:
        for number in range(3):
            queue.put(page(0, f"hot{number}"))
            queue.put(page(1, f"cold{number}"))
        queue.note_throttled(0, now(), for_itself=True)
        return [(await take_keys(queue), now()) for _ in range(4)]

    taken = virtually(main)
    assert [keys for keys, _ in taken[:3]] == [["cold0"], ["cold1"], ["cold2"]]
    assert taken[2][1] == about(0.0)
    keys, at = taken[3]
    assert keys == ["hot0"]
    assert at == about(PAUSE_SECONDS)


def test_a_delayed_segment_goes_at_the_rate_that_its_key_range_takes() -> None:
    """The range takes 500 units a second, and what is sent beyond that is refused."""

    async def main(queue: WriteQueue) -> float:
        written, level, filled_at = 0.0, 500.0, 0.0
        for number in range(2000):
            queue.put(page(0, f"hot{number}"))
        while now() < 20.0:
            (taken,) = batches_of(await queue.take())
            queue.note_sent(0, 25.0)
            await anyio.sleep(0.008)
            level = min(500.0, level + 500.0 * (now() - filled_at))
            filled_at = now()
            if level > 0:
                level -= 25.0
                written += 25.0
                queue.note_written(0, 25.0)
            else:
                queue.note_throttled(0, now(), for_itself=True)
                queue.give_back(taken)
            queue.done()
        return written

    assert 0.9 * 500 * 20 <= virtually(main) <= 500 * 21 + 25


def test_a_refusal_that_was_everybodys_gives_a_segment_no_rate_of_its_own() -> None:
    async def main(queue: WriteQueue) -> float:
        for number in range(200):
            queue.put(page(0, str(number)))
        queue.note_throttled(0, now(), for_itself=False)
        for _ in range(200):
            await queue.take()
            queue.note_sent(0, 25.0)
            queue.done()
        return now()

    assert virtually(main) == about(PAUSE_SECONDS)


def test_closed_and_empty_lanes_end_whoever_takes() -> None:
    async def main(queue: WriteQueue) -> list[list[str]]:
        queue.put(page(0, "a"))
        queue.close()
        return [await take_keys(queue) for _ in range(3)]

    assert virtually(main) == [["a"], [], []]


def test_closed_lanes_end_nobody_while_a_batch_may_still_come_back() -> None:
    async def main(queue: WriteQueue) -> tuple[list[str], float]:
        queue.put(page(0, "a"))
        (taken,) = batches_of(await queue.take())
        queue.close()

        async def give_back_later() -> None:
            await anyio.sleep(2.0)
            queue.give_back(taken)
            queue.done()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_back_later)
            came_back = await take_keys(queue)
        return came_back, now()

    assert virtually(main) == (["a"], about(2.0))


def test_whoever_waits_is_woken_when_the_last_batch_is_done() -> None:
    async def main(queue: WriteQueue) -> tuple[BatchClaim | None, float]:
        queue.put(page(0, "a"))
        await queue.take()
        queue.close()

        async def done_later() -> None:
            await anyio.sleep(3.0)
            queue.done()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(done_later)
            taken = await queue.take()
        return taken, now()

    assert virtually(main) == (None, about(3.0))


def test_a_delayed_segment_is_drained_before_the_end() -> None:
    async def main(queue: WriteQueue) -> list[list[str]]:
        queue.put(page(0, "a"))
        queue.note_throttled(0, now(), for_itself=True)
        queue.close()
        return [await take_keys(queue) for _ in range(2)]

    assert virtually(main) == [["a"], []]


def test_a_batch_that_comes_wakes_whoever_waits() -> None:
    async def main(queue: WriteQueue) -> tuple[list[str], float]:
        async def put_later() -> None:
            await anyio.sleep(1.0)
            queue.put(page(4, "late"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put_later)
            came = await take_keys(queue)
        return came, now()

    assert virtually(main) == (["late"], about(1.0))


def test_lanes_count_the_segments_that_are_under_way() -> None:
    async def main(queue: WriteQueue) -> list[int]:
        counts = []
        for segment in range(3):
            queue.put(page(segment, "a"))
            counts.append(queue.segments)
        queue.forget(1)
        queue.forget(1)
        return [*counts, queue.segments]

    assert virtually(main) == [1, 2, 3, 2]


def test_as_many_batches_of_one_page_are_taken_at_once_as_one_asks_for() -> None:
    async def main(queue: WriteQueue) -> list[list[tuple[int, int]]]:
        queue.put(page(0, *(f"a{number}" for number in range(60))))
        queue.put(page(0, *(f"b{number}" for number in range(30)), number=1))
        return [
            [(batch.page, len(batch.items)) for batch in batches_of(queue.take_nowait(most))]
            for most in (2, 2, 9, 9)
        ]

    assert virtually(main) == [[(0, 25), (0, 25)], [(0, 10)], [(1, 25), (1, 5)], []]


def test_a_delayed_segment_gives_one_batch_at_a_time() -> None:
    async def main(queue: WriteQueue) -> tuple[int, int]:
        queue.put(page(0, *(f"a{number}" for number in range(100))))
        before = len(batches_of(queue.take_nowait(2)))
        queue.note_throttled(0, now(), for_itself=True)
        return before, len(batches_of(await queue.take(lambda: 2)))

    assert virtually(main) == (2, 1)


def test_the_items_that_wait_are_counted() -> None:
    async def main(queue: WriteQueue) -> list[int]:
        counts = []
        queue.put(page(0, *(f"a{number}" for number in range(60))))
        counts.append(queue.items_waiting)
        taken = queue.take_nowait(2)
        assert taken is not None
        counts.append(queue.items_waiting)
        queue.give_back(Batch(0, 0, taken.page.next_batch()[5:]))
        counts.append(queue.items_waiting)
        queue.give_back_unsent(taken.page, 1)
        counts.append(queue.items_waiting)
        while batches_of(queue.take_nowait()):
            counts.append(queue.items_waiting)
        return counts

    assert virtually(main) == [60, 10, 30, 55, 35, 10, 0]


def test_batches_that_were_not_sent_are_there_for_others_and_in_their_order() -> None:
    async def main(queue: WriteQueue) -> list[str]:
        queue.put(page(0, *(f"{number:02d}" for number in range(60))))
        queue.put(page(0, "60", "61", number=1))
        first, second = queue.take_nowait(2), queue.take_nowait(2)
        assert first is not None
        assert second is not None
        queue.give_back_unsent(first.page, 2)
        sent = batches_of(second)
        while batches := batches_of(queue.take_nowait(3)):
            sent += batches
        return [key for batch in sent for key in keys_in(batch)]

    assert virtually(main) == [f"{number:02d}" for number in range(62)]


@pytest.mark.parametrize("looks", [0.5, 1.0, 1.5, 2.0, 2.5])
def test_a_lane_that_becomes_free_between_two_readings_of_the_clock_does_not_go_round(
    moving_clock: MovingClock, looks: float
) -> None:
    queue = WriteQueue(clock=moving_clock)
    queue.put(page(0, "a"))  # in the turn, and held only after that
    free_at = moving_clock.now + looks * moving_clock.look_seconds
    queue.note_throttled(0, free_at - PAUSE_SECONDS, for_itself=False)
    taken = [queue.take_nowait() for _ in range(4)]
    assert [keys_in(batch) for claim in taken for batch in batches_of(claim)] == [["a"]]


_fate = st.sampled_from(["written", "partly", "refused", "hot"])


@given(
    sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 90)), min_size=1, max_size=12),
    fates=st.lists(_fate, max_size=60),
    writers=st.integers(1, 5),
    most=st.integers(1, 4),
)
@settings(deadline=None)
def test_whatever_becomes_of_batches_no_item_is_lost_and_none_is_there_twice(
    sizes: list[tuple[int, int]], fates: list[str], writers: int, most: int
) -> None:
    async def main(queue: WriteQueue) -> list[str]:
        left, written, turn = list(fates), list[str](), anyio.Lock()

        async def next_row() -> BatchClaim | None:
            async with turn:
                return await queue.take(lambda: most)

        async def write() -> None:
            while (row := await next_row()) is not None:
                segment, items = row.page.segment, 25 * row.count
                queue.note_sent(segment, float(items))
                for number in range(row.count):
                    batch = Batch(segment, row.page.page, row.page.next_batch())
                    await anyio.sleep(0.01)
                    fate = left.pop() if left else "written"
                    kept = {"written": 0, "partly": len(batch.items) // 2}.get(
                        fate, len(batch.items)
                    )
                    done = len(batch.items) - kept
                    written.extend(keys_in(batch)[:done])
                    queue.note_written(segment, float(done))
                    if kept:
                        queue.note_throttled(segment, now(), for_itself=fate == "hot")
                        if unsent := row.count - number - 1:
                            queue.give_back_unsent(row.page, unsent)
                        queue.give_back(Batch(segment, batch.page, batch.items[done:]))
                        break
                queue.done()

        async with anyio.create_task_group() as tasks:
            for _ in range(writers):
                tasks.start_soon(write)
            for number, (segment, size) in enumerate(sizes):
                keys = (f"{number}-{at}" for at in range(size))
                queue.put(page(segment, *keys, number=number))
                await anyio.lowlevel.checkpoint()
            queue.close()
        assert queue.items_waiting == 0
        return written

    expected = [f"{number}-{at}" for number, (_, size) in enumerate(sizes) for at in range(size)]
    assert sorted(virtually(main)) == sorted(expected)


def test_a_queue_shows_what_waits_and_what_is_out() -> None:
    queue = WriteQueue()
    assert repr(queue) == "<WriteQueue 0 items waiting in 0 lanes, 0 held, 0 out>"
    queue.close()
    assert repr(queue).endswith("0 out, closed>")
