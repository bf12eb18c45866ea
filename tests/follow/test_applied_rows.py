"""What the target holds leaves the spool: at once where it follows closely, else many at a time."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dynaferry.follow import applied_rows as module
from dynaferry.follow.applied_rows import MOST_SECONDS, AppliedRows
from dynaferry.follow.applier_work import BATCHES_AT_ONCE, portions
from dynaferry.follow.on_the_way import MOST_BYTES, OnTheWay
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Waiting
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.ports import ChangeKind
from tests.follow.changes import change, image_of


class World:
    """A spool with changes, a applied_rows of it and its clock."""

    def __init__(self, spool: Spool) -> None:
        self.now = 100.0
        self.spool = spool
        self.applied_rows = AppliedRows(spool, clock=lambda: self.now)

    async def arrive(self, *names: str, version: int = 1) -> None:
        changes = [change(name, version) for name in names]
        await self.spool.run(lambda file: file.store(changes, [], 1.0))

    async def rows(self) -> list[Waiting]:
        return await self.spool.run(lambda file: file.waiting(0, 100))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    path = tmp_path / "spool.sqlite"
    spool = await Spool.opened_by(lambda: SpoolFile.create(path, "id"))
    world = World(spool)
    await world.arrive("a", "b", "c")
    yield world
    await spool.aclose()


async def test_who_follows_closely_takes_out_at_once(world: World) -> None:
    rows = await world.rows()
    world.applied_rows.add(rows[:2], 50.0)
    assert not world.applied_rows.is_empty
    await world.applied_rows.take_out_if_due()
    assert [row.key for row in await world.rows()] == [rows[2].key]
    assert world.applied_rows.is_empty


async def test_while_much_waits_rows_are_held_back_and_not_handed_out_again(world: World) -> None:
    applied_rows = world.applied_rows
    await applied_rows.lags_behind(True)
    rows = await world.rows()
    applied_rows.add(rows[:1], 50.0)
    await applied_rows.take_out()  # from now on it is early
    applied_rows.add(rows[1:2], 51.0)
    await applied_rows.take_out_if_due()
    left = await world.rows()
    assert left == rows[1:]
    assert applied_rows.held().without(left) == rows[2:]
    world.now += MOST_SECONDS
    await applied_rows.take_out_if_due()
    assert await world.rows() == rows[2:]


async def test_so_many_rows_are_not_held_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    applied_rows = world.applied_rows
    await applied_rows.lags_behind(True)
    rows = await world.rows()
    applied_rows.add(rows[:1], 50.0)
    await applied_rows.take_out()
    applied_rows.add(rows[1:], 50.0)
    await applied_rows.take_out_if_due()
    assert await world.rows() == []


async def test_a_newer_change_of_a_row_that_is_held_back_is_handed_out(world: World) -> None:
    applied_rows = world.applied_rows
    await applied_rows.lags_behind(True)
    applied_rows.add(await world.rows(), 50.0)
    await world.arrive("b", version=2)
    (newer,) = applied_rows.held().without(await world.rows())
    assert newer.image == image_of("b", 2)
    # It is on its way when what was held back leaves; what stays of it goes out once more.
    await applied_rows.take_out()
    (row,) = applied_rows.held().without(await world.rows())
    assert (row.image, row.first_at) == (newer.image, 50.0)
    applied_rows.add([newer], 60.0)
    await applied_rows.take_out()
    applied_rows.add([row], 61.0)
    await applied_rows.take_out()
    counts = await world.spool.run(SpoolFile.counts)
    assert (counts.waiting, counts.captured) == (0, 4)
    assert counts.applied + counts.compacted == 4


async def test_both_states_of_a_row_may_be_held_back_together(world: World) -> None:
    applied_rows = world.applied_rows
    await applied_rows.lags_behind(True)
    applied_rows.add(await world.rows(), 50.0)
    await world.arrive("b", version=2)
    applied_rows.add(applied_rows.held().without(await world.rows()), 51.0)
    assert not applied_rows.held().without(await world.rows())
    await applied_rows.lags_behind(False)
    assert await world.rows() == []


async def test_what_was_held_when_rows_were_read_is_known_when_they_are_looked_at(
    world: World,
) -> None:
    applied_rows = world.applied_rows
    await applied_rows.lags_behind(True)
    rows = await world.rows()
    applied_rows.add(rows[:1], 50.0)
    held = applied_rows.held()
    applied_rows.add(rows[1:2], 50.0)
    await applied_rows.take_out()
    assert held.without(rows) == rows[2:]


def waiting(number: int, *, kind: ChangeKind = ChangeKind.PUT, size: int = 10) -> Waiting:
    image = bytes(size) if kind is ChangeKind.PUT else None
    return Waiting(number, b"%d" % number, b"k", number, 0.0, kind, image)


def test_while_much_waits_several_batches_are_handed_on_together_unless_they_are_large() -> None:
    rows = [waiting(n) for n in range(210)]
    one_by_one = portions(rows, is_behind=False)
    assert [len(work.rows) for work in one_by_one] == [*[25] * 8, 10]
    together = portions(rows, is_behind=True)
    assert [len(work.rows) for work in together] == [100, 100, 10]
    assert BATCHES_AT_ONCE * BATCH_MAX_ITEMS == 100
    large = portions([waiting(n, size=400_000) for n in range(30)], is_behind=True)
    assert [len(work.rows) for work in large] == [25, 5]
    again = portions([*rows[:1], waiting(999, kind=ChangeKind.READ_AGAIN)], is_behind=True)
    assert [(len(work.rows), work.reads) for work in again] == [(1, False), (1, True)]


async def test_no_more_is_read_than_it_takes_to_have_so_many_bytes(world: World) -> None:
    size = len(image_of("a", 1))
    for most, count in ((1, 1), (size, 1), (size + 1, 2), (100 * size, 3)):
        rows = await world.spool.run(lambda f, m=most: f.waiting(0, 100, most_bytes=m))  # type: ignore[misc]
        assert len(rows) == count


async def test_no_more_images_are_handed_out_than_memory_has_room_for() -> None:
    on_the_way = OnTheWay()
    large = [waiting(n, size=MOST_BYTES // 2) for n in (1, 2)]
    on_the_way.take(large[:1])
    await on_the_way.until_there_is_room()
    on_the_way.take(large[1:])
    with anyio.move_on_after(0.01) as scope:
        await on_the_way.until_there_is_room()
    assert scope.cancelled_caught
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(on_the_way.until_there_is_room)
        tasks.start_soon(on_the_way.until_answered)
        await checkpoint()
        on_the_way.release(large)
    assert not on_the_way


async def test_who_waits_for_answers_does_not_wait_for_what_is_sent_later() -> None:
    on_the_way = OnTheWay()
    on_the_way.take([waiting(1), waiting(2)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(on_the_way.until_answered)
        await checkpoint()
        on_the_way.take([waiting(3)])
        on_the_way.release([waiting(1)])
        await checkpoint()
        on_the_way.release([waiting(2)])
    assert on_the_way.keys() == {b"3"}
