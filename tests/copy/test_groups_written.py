"""A group of batches meets, in its midst, what a batch may meet: nothing is lost or double."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from dynaferry.copy import batch_group as row_module
from dynaferry.copy.batch_group import MOST_IN_A_ROW, STEP_SECONDS, BatchGroup
from dynaferry.copy.pending_page import PendingPage
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    ItemRefusedError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.ports import Page
from dynaferry.stop import StopSignal
from tests.copy.small_copy import SmallCopy, small_copy, small_plan
from tests.worlds.fakes import FakeSource, FakeTarget, wire_item

ITEMS = 100
KEYS = [f"k{number:02d}" for number in range(ITEMS)]


@asynccontextmanager
async def row_to(
    target: FakeTarget, state_dir: Path
) -> AsyncIterator[tuple[SmallCopy, BatchGroup]]:
    """An admitted row of four batches, the only page of the only segment."""
    async with small_copy(small_plan(state_dir), FakeSource([[KEYS]]), target, 1) as small:
        items = [wire_item(key) for key in KEYS]
        page = Page(items=items, last_evaluated_key=None, scanned_count=ITEMS, body_bytes=1000)
        small.pipeline.queue.put(
            PendingPage(0, small.pipeline.ledger.page_read(0, page), items, may_be_large=False)
        )
        small.pipeline.queue.close()
        claim = small.pipeline.queue.take_nowait(4)
        assert claim is not None
        assert claim.count == 4
        row = BatchGroup(claim, 25.0, 25.0)
        await small.pipeline.writer.acquire(row)
        yield small, row


async def write_the_rest(small: SmallCopy) -> list[int]:
    """What waits is written, batch by batch; returns the sizes of the batches."""
    writer, sizes = small.pipeline.writer, list[int]()
    while (row := await writer.take(1)) is not None:
        assert row.claim.count == 1
        sizes.append(len(row.claim.sample.items))
        await writer.acquire(row)
        await writer.write(row, StopSignal())
    return sizes


def at_batch(number: int, target: FakeTarget, then: DynaferryError | Sequence[str]) -> None:
    """What becomes of the batch with this number, counted from 1, and of no other."""

    async def before(_: list[str]) -> Sequence[str]:
        if len(target.batches) != number:
            return ()
        if isinstance(then, DynaferryError):
            raise then
        return then

    target.before_write = before


def assert_all_written_once(small: SmallCopy, target: FakeTarget) -> None:
    assert sorted(target.written) == KEYS
    assert set(target.written.values()) == {1}
    assert small.pipeline.ledger.is_complete
    assert (small.stats.items_written, small.stats.write_units) == (ITEMS, ITEMS)


async def test_a_row_is_sent_in_order_and_acknowledged(tmp_path: Path) -> None:
    target = FakeTarget()
    async with row_to(target, tmp_path) as (small, row):
        assert await small.pipeline.writer.write(row, StopSignal()) == 4
        assert [key for batch in target.batches for key in batch] == KEYS
        assert await write_the_rest(small) == []
        assert_all_written_once(small, target)
        assert (small.stats.write_requests, small.stats.batch_writes.outcomes) == (4, {"ok": 4})
        assert small.stats.write_requests_in_flight == 0


async def test_after_a_remainder_the_rest_waits_behind_it(tmp_path: Path) -> None:
    target = FakeTarget()
    at_batch(2, target, KEYS[40:50])
    async with row_to(target, tmp_path) as (small, row):
        assert await small.pipeline.writer.write(row, StopSignal()) == 2
        assert small.stats.items_written == 40
        assert small.stats.batch_writes.outcomes == {"ok": 1, "unprocessed": 1}
        assert await write_the_rest(small) == [10, 25, 25]
        assert target.batches[2] == KEYS[40:50]
        assert_all_written_once(small, target)


async def test_a_throttled_batch_goes_again_and_those_behind_it_after_that(tmp_path: Path) -> None:
    target = FakeTarget()
    at_batch(3, target, ThrottledError("slow down", code="ThrottlingException"))
    async with row_to(target, tmp_path) as (small, row):
        assert await small.pipeline.writer.write(row, StopSignal()) == 3
        assert (small.stats.items_written, small.stats.throttled_requests) == (50, 1)
        assert await write_the_rest(small) == [25, 25]
        assert target.batches[3] == KEYS[50:75]
        assert_all_written_once(small, target)
        assert small.stats.write_requests == 5


async def test_a_batch_that_fails_in_passing_is_made_again_at_once(tmp_path: Path) -> None:
    target = FakeTarget()
    at_batch(2, target, UnavailableError("a moment"))
    async with row_to(target, tmp_path) as (small, row):
        assert await small.pipeline.writer.write(row, StopSignal()) == 2
        assert target.batches[1] == target.batches[2] == KEYS[25:50]
        assert await write_the_rest(small) == [25, 25]
        assert_all_written_once(small, target)
        assert small.stats.retried_requests == 1


async def test_while_a_batch_is_tried_again_those_behind_it_are_there_for_others(
    tmp_path: Path,
) -> None:
    target, again, let_go = FakeTarget(), anyio.Event(), anyio.Event()

    async def fail_and_then_hang(_: list[str]) -> None:
        if len(target.batches) == 2:
            raise UnavailableError("a moment")
        if len(target.batches) == 3:
            again.set()
            await let_go.wait()

    target.before_write = fail_and_then_hang
    async with row_to(target, tmp_path) as (small, row):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(small.pipeline.writer.write, row, StopSignal())
            await again.wait()
            assert small.pipeline.queue.items_waiting == 50
            let_go.set()
        assert await write_the_rest(small) == [25, 25]
        assert_all_written_once(small, target)


async def test_a_refused_item_in_the_midst_is_found_and_set_aside(tmp_path: Path) -> None:
    target = FakeTarget()

    async def refuse(keys: list[str]) -> None:
        if "k60" in keys:
            raise ItemRefusedError("no", code="ValidationException")

    target.before_write = refuse
    async with row_to(target, tmp_path) as (small, row):
        assert await small.pipeline.writer.write(row, StopSignal()) == 3
        await write_the_rest(small)
        assert sorted(target.written) == [key for key in KEYS if key != "k60"]
        assert (small.stats.items_written, small.stats.items_rejected) == (ITEMS - 1, 1)
        assert small.pipeline.ledger.is_complete


async def test_what_was_taken_before_an_error_that_ends_the_run_is_acknowledged(
    tmp_path: Path,
) -> None:
    target = FakeTarget()
    at_batch(3, target, AccessDeniedError("no"))
    async with row_to(target, tmp_path) as (small, row):
        with pytest.raises(AccessDeniedError):
            await small.pipeline.writer.write(row, StopSignal())
        assert small.stats.items_written == len(target.written) == 50
        assert small.stats.write_requests_in_flight == 0


async def test_what_was_taken_before_a_cancellation_is_acknowledged(tmp_path: Path) -> None:
    target, hangs = FakeTarget(), anyio.Event()

    async def hang_at_the_third(_: list[str]) -> None:
        if len(target.batches) == 3:
            hangs.set()
            await anyio.sleep_forever()

    target.before_write = hang_at_the_third
    async with row_to(target, tmp_path) as (small, row):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(small.pipeline.writer.write, row, StopSignal())
            await hangs.wait()
            assert small.stats.write_requests_in_flight == 1
            tasks.cancel_scope.cancel()
        assert small.stats.items_written == len(target.written) == 50
        assert small.stats.write_requests_in_flight == 0
        assert small.pipeline.queue.items_waiting == 50
        small.caps.write.set(10.0)
        assert small.caps.write._reserved == 0.0, "what was not answered is settled as well"
        target.before_write = None
        small.caps.write.set(None)
        assert await write_the_rest(small) == [25, 25]
        assert_all_written_once(small, target)


async def test_of_two_writers_of_one_page_one_fails_and_nothing_is_lost(tmp_path: Path) -> None:
    target, failed = FakeTarget(), anyio.Event()

    async def fail_the_third(_: list[str]) -> None:
        await anyio.lowlevel.checkpoint()
        if len(target.batches) == 3:
            failed.set()
            raise ThrottledError("slow down", code="ThrottlingException")

    target.before_write = fail_the_third
    async with many_to(target, tmp_path) as small:
        queue, writer = small.pipeline.queue, small.pipeline.writer
        queue.close()
        rows = []
        for most in (6, 32):
            claim = queue.take_nowait(most)
            assert claim is not None
            rows.append(BatchGroup(claim, 25.0, 25.0))
            await writer.acquire(rows[-1])
        assert [row.claim.count for row in rows] == [6, 10]
        async with anyio.create_task_group() as tasks:
            for row in rows:
                tasks.start_soon(writer.write, row, StopSignal())
        assert failed.is_set()
        while (rest := await writer.take(1)) is not None:
            await writer.acquire(rest)
            await writer.write(rest, StopSignal())
        assert (sorted(target.written), set(target.written.values())) == (MANY, {1})
        assert small.pipeline.ledger.is_complete


@pytest.mark.parametrize("what", ["a stop", "a pause", "a cap", "a throttle elsewhere"])
async def test_what_holds_writes_back_ends_the_row_and_the_rest_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(row_module, "STEP_SECONDS", 0.0)
    target, stop = FakeTarget(), StopSignal()
    async with row_to(target, tmp_path) as (small, row):

        async def hold_back(_: list[str]) -> None:
            if len(target.batches) != 2:
                return
            match what:
                case "a stop":
                    stop.ask()
                case "a pause":
                    small.caps.gate.close()
                case "a cap":
                    small.caps.write.set(1e6)
                case _:
                    now = small.caps.clock()
                    small.pipeline.limiters.write.controller.accepted(1000.0, 0.01, now)
                    small.pipeline.limiters.write.controller.refused(1000.0, now)
                    small.pipeline.limiters.write.controller.advance(now + 1.0)

        target.before_write = hold_back
        assert await small.pipeline.writer.write(row, stop) == 2
        assert [len(batch) for batch in target.batches] == [25, 25]
        small.caps.gate.open()
        assert await write_the_rest(small) == [25, 25]
        assert_all_written_once(small, target)


async def test_a_cap_that_comes_in_the_midst_counts_only_what_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_module, "STEP_SECONDS", 0.0)
    target = FakeTarget()
    async with row_to(target, tmp_path) as (small, row):
        at_batch(3, target, ThrottledError("slow down", code="ThrottlingException"))
        await small.pipeline.writer.write(row, StopSignal())
        await write_the_rest(small)
        cap = small.caps.write
        cap.set(10.0)
        assert cap._reserved == 0.0, "everything that was admitted was settled, once"


# How long a row is ------------------------------------------------------------------------------

MANY = [f"k{number:03d}" for number in range(400)]
MORE = [f"k{number:04d}" for number in range(25 * 64)]


@asynccontextmanager
async def many_to(
    target: FakeTarget, state_dir: Path, keys: Sequence[str] = MANY
) -> AsyncIterator[SmallCopy]:
    """Many batches wait, at a rate at which they might go at once."""
    async with small_copy(small_plan(state_dir), FakeSource([[keys]]), target, 1) as small:
        controller = small.pipeline.limiters.write.controller
        while small.pipeline.writer._limiter.most_units_in_a_row < len(keys):
            controller.wanted()
            controller.accepted(1e6, 0.001, now := small.caps.clock())
            controller.advance(now + 1.0)
        items, count = [wire_item(key) for key in keys], len(keys)
        page = Page(items=items, last_evaluated_key=None, scanned_count=count, body_bytes=4000)
        small.pipeline.queue.put(
            PendingPage(0, small.pipeline.ledger.page_read(0, page), items, may_be_large=False)
        )
        yield small


async def test_a_row_is_as_long_as_what_is_sent_at_once(tmp_path: Path) -> None:
    target, writers = FakeTarget(), 32
    async with many_to(target, tmp_path) as small:
        writer = small.pipeline.writer
        first = writer.take_nowait(writers)
        assert first is not None
        assert first.claim.count == 1, "how long a request takes is not known"
        await writer.acquire(first)
        await writer.write(first, StopSignal())
        second = writer.take_nowait(writers)
        assert second is not None
        assert second.claim.count == 15, "all that is there: it is sent as soon as by 15 writers"


async def test_a_row_has_a_length_at_most(tmp_path: Path) -> None:
    async with many_to(FakeTarget(), tmp_path, MORE) as small:
        row = small.pipeline.writer.take_nowait(1)
        assert row is not None
        assert row.claim.count == MOST_IN_A_ROW == 32


async def test_a_row_of_long_requests_leaves_a_batch_to_everybody(tmp_path: Path) -> None:
    target = FakeTarget()

    async def take_time(_: list[str]) -> None:
        await anyio.sleep(STEP_SECONDS)

    target.before_write = take_time
    async with many_to(target, tmp_path) as small:
        writer = small.pipeline.writer
        for writers, length in ((32, 1), (32, 1), (7, 2), (2, 6)):
            row = writer.take_nowait(writers)
            assert row is not None
            assert row.claim.count == length
            await writer.acquire(row)
            await writer.write(row, StopSignal())
