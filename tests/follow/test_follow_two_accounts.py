"""A table that is written while it is copied is followed until both sides are equal (moto)."""

import random
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from dynaferry import CopyPlan, copy_table
from dynaferry.control.run_limits import RunCaps
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.errors import ItemRefusedError
from dynaferry.follow.applier import Applier
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import SpoolCounts
from dynaferry.follow.table import open_applier, open_capture, open_spool
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import TablePlan
from dynaferry.plan.validation import validate
from dynaferry.run.sides import open_sides
from tests.worlds.client import WireItem
from tests.worlds.moto import MotoWorld

ITEMS = 300


class NoneRejected:
    """Fails a test in which the target refuses an item."""

    def check(self, key: bytes, error: ItemRefusedError) -> None:
        raise AssertionError(f"{key!r} was refused: {error}")

    async def accepted(self, keys: Sequence[bytes]) -> None:
        pass


def an_item(number: int, version: int) -> WireItem:
    return {"pk": {"S": f"k{number}"}, "version": {"N": str(version)}}


async def write_for_a_while(world: MotoWorld, *, changes: int, seed: int) -> None:
    """Puts and deletes, old keys and new ones."""
    chance = random.Random(seed)
    for version in range(changes):
        number = chance.randrange(2 * ITEMS)
        if chance.random() < 0.25:
            await world.source_tables.delete_item("orders", {"pk": {"S": f"k{number}"}})
        else:
            await world.source_tables.put_items("orders", [an_item(number, version + 1)])


async def follow(
    world: MotoWorld,
    plan: CopyPlan,
    spool_path: Path,
    during: Callable[[], Coroutine[Any, Any, None]],
) -> SpoolCounts:
    """Captures, copies with `during` beside it, applies until nothing waits; then lets go."""
    plan = validate(plan)
    async with (
        open_sides(plan) as sides,
        open_spool(spool_path, "a-random-id", is_new=True) as spool,
    ):
        seen = await describe_table(sides.source, "orders")
        async with (
            open_capture(sides.source, seen, spool, endpoint=world.url) as capture,
            anyio.create_task_group() as group,
        ):
            group.start_soon(capture.run)
            async with anyio.create_task_group() as writing:
                writing.start_soon(during)
                await copy_table(plan)
            there = await describe_table(sides.target, "orders")
            async with open_applier(
                plan,
                0,
                sides,
                seen,
                there,
                spool,
                NoneRejected(),
                TableStats("orders", "orders", 1),
                RunCaps(plan),
            ) as applier:
                group.start_soon(applier.run)
                await until_equal(world, spool, applier)
                group.cancel_scope.cancel()
        return await spool.run(SpoolFile.counts)


async def until_equal(world: MotoWorld, spool: Spool, applier: Applier) -> None:
    with anyio.fail_after(60):
        while True:
            await anyio.sleep(0.2)
            counts = await spool.run(SpoolFile.counts)
            if counts.waiting or not applier.is_idle:
                continue
            if await both(world):
                return


async def both(world: MotoWorld) -> bool:
    source = await world.source_tables.read_table("orders")
    return bool(source == await world.target_tables.read_table("orders"))


@pytest.mark.parametrize("view", ["NEW_IMAGE", "KEYS_ONLY"])
async def test_a_table_that_is_written_while_it_is_copied_ends_equal(
    moto_world: MotoWorld, tmp_path: Path, view: str
) -> None:
    world = moto_world
    await world.source_tables.create_table(
        "orders", StreamSpecification={"StreamEnabled": True, "StreamViewType": view}
    )
    await world.target_tables.create_table("orders")
    await world.source_tables.put_items("orders", [an_item(n, 0) for n in range(ITEMS)])
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=tmp_path,
        run="orders",
    )

    async def during() -> None:
        await write_for_a_while(world, changes=200, seed=7)

    counts = await follow(world, plan, tmp_path / "orders.spool.sqlite", during)
    assert await both(world)
    assert counts.waiting == 0
    assert counts.captured == counts.applied + counts.compacted + counts.rejected >= 200
