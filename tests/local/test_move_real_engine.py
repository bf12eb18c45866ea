"""A whole move beside the service's own engine: rolls, expiry, a day away, a stream made anew."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from dynaferry import CopyPlan
from dynaferry.follow import move_tables, resync
from dynaferry.plan.settings import TablePlan
from tests.follow.moves import moving
from tests.local.conftest import REQUIRED
from tests.local.dynamodb_local import LocalWorld
from tests.local.test_streams_real_engine import HOUR, create, write

ROLLS = 30


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is on its way for longer."""
    monkeypatch.setattr(move_tables, "LATE_WRITE_SECONDS", 0.5)
    monkeypatch.setattr(resync, "SETTLE_SECONDS", 0.5)


def plan_of(world: LocalWorld, table: str, state_dir: Path) -> CopyPlan:
    return CopyPlan(
        tables=(TablePlan(table, f"{table}-target"),),
        source=world.source,
        target=world.target,
        state_dir=state_dir,
        run="moved",
        create_target=True,
        segments=4,
        readers=2,
        writers=4,
    )


def forget_creation(state: Path) -> None:
    """To age the records ages the tables as well, and other tables they are not."""
    with closing(sqlite3.connect(state)) as connection, connection:
        ((stored,),) = connection.execute("SELECT identity FROM run").fetchall()
        identity = msgspec.json.decode(stored)
        for table in identity["tables"]:
            table |= {"source_created_at": None, "target_created_at": None}
        connection.execute("UPDATE run SET identity = ?", (msgspec.json.encode(identity),))


@pytest.mark.skipif(not REQUIRED, reason="it takes a minute: `make test-local` runs it")
async def test_through_rolls_expiry_and_a_day_away_the_target_ends_as_the_source(
    rolling_world: LocalWorld, tmp_path: Path
) -> None:
    world, plan = rolling_world, plan_of(rolling_world, "moved", tmp_path)
    await create(world, "moved")
    await write(world, "moved", 60, Random(0))
    async with moving(world, plan) as move:
        for roll in range(ROLLS):
            await write(world, "moved", 5, Random(roll), first=100 * (roll + 1))
            await asyncio.to_thread(world.roll)
        await move.until_equal()
        assert move.tables[0].gaps_ever == 0
        await asyncio.to_thread(world.age, 16 * 60.0)
        await write(world, "moved", 20, Random(1), first=10_000)
        await move.until_equal()
    await write(world, "moved", 20, Random(2), first=20_000)  # this is lost
    await asyncio.to_thread(world.age, 25 * HOUR)
    await asyncio.to_thread(forget_creation, tmp_path / "moved.sqlite")
    async with moving(world, plan) as move:
        await move.until(lambda: bool(move.tables) and move.tables[0].gaps > 0)
        await write(world, "moved", 20, Random(3), first=30_000)
        await move.until_equal()
        assert move.has_said("the gap is repaired")


async def test_a_stream_that_is_made_anew_is_followed_to_its_end_and_the_next_from_its_start(
    rolling_world: LocalWorld, tmp_path: Path
) -> None:
    world, plan = rolling_world, plan_of(rolling_world, "anew", tmp_path)
    old = await create(world, "anew")
    await write(world, "anew", 30, Random(0))
    async with moving(world, plan) as move:
        await move.until_equal()
        await write(world, "anew", 10, Random(1), first=1_000)
        off = {"TableName": "anew", "StreamSpecification": {"StreamEnabled": False}}
        await world.source_tables.call("UpdateTable", off)
        await write(world, "anew", 10, Random(2), first=2_000)  # no stream shows this
        on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        await world.source_tables.call(
            "UpdateTable", {"TableName": "anew", "StreamSpecification": on}
        )
        await move.until(lambda: move.tables[0].gaps > 0)
        await write(world, "anew", 10, Random(3), first=3_000)
        await move.until_equal()
        assert move.has_said("has another stream now") or move.has_said("no stream any more")
        assert move.has_said("the gap is repaired")
    described = await world.source_tables.call("DescribeTable", {"TableName": "anew"})
    assert described["Table"]["LatestStreamArn"] != old
