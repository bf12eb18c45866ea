"""A move that is stopped in each of its states, begun twice, or of which one table fails."""

from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow import move_tables, resync
from dynaferry.plan.settings import CopyPlan
from dynaferry.verify.compare.side_reader import SideReader
from tests.follow.moves import (
    an_item,
    change_source,
    in_spool,
    make_source,
    moving,
    plan_of,
    read_page_slowly,
)
from tests.worlds.moto import MotoWorld


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is on its way for longer."""
    monkeypatch.setattr(move_tables, "LATE_WRITE_SECONDS", 0.5)
    monkeypatch.setattr(resync, "SETTLE_SECONDS", 0.5)


async def _stopped(world: MotoWorld, plan: CopyPlan, state: str) -> None:
    """Runs until it is in this state, or says so, and is interrupted then."""
    async with moving(world, plan) as move:
        await move.until(
            lambda: any(table.state == state for table in move.tables) or move.has_said(state)
        )
        await change_source(world, len(state), 5)
    assert move.outcome is not None
    assert move.outcome.error is None, move.outcome.error
    assert move.outcome.summary.status == "interrupted"


async def test_stopped_in_each_of_its_states_it_goes_on_and_ends_as_the_source(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, replace(plan, max_write_units=5)) as move:
        await move.until((tmp_path / "orders.sqlite").exists)  # while it is copied
    with monkeypatch.context() as patiently:
        patiently.setattr(move_tables, "LATE_WRITE_SECONDS", 60.0)
        await _stopped(world, plan, "until no earlier write can be on its way")
    await _stopped(world, plan, "following")
    in_spool(tmp_path, "INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'trimmed')")
    with monkeypatch.context() as slowly:
        slowly.setattr(SideReader, "read_page", read_page_slowly)
        await _stopped(world, plan, "is compared now")
    async with moving(world, plan) as move:
        await change_source(world, 99, 10)
        await move.until_equal()


async def test_a_second_move_of_the_run_is_refused_and_disturbs_nothing(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
        for second in (plan, replace(plan, restart=True)):
            outcome = await move_tables.execute(second)
            assert isinstance(outcome.error, StateError), outcome
        await world.source_tables.put_items("orders", [an_item(1, 77)])
        await move.until_equal()


async def test_where_one_of_several_tables_fails_the_error_says_which_and_all_stop(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, "orders", "users")
    await make_source(world, "orders", "users")
    async with moving(world, plan) as move:
        await move.until_equal()
        await world.target_tables.call("DeleteTable", {"TableName": "users"})
        await world.source_tables.put_items("users", [an_item(1, 7)])
        await world.source_tables.put_items("orders", [an_item(1, 7)])
        for _ in range(600):
            if move.outcome is not None:
                break
            await anyio.sleep(0.1)
    assert move.outcome is not None
    error = move.outcome.error
    assert isinstance(error, DynaferryError)
    assert "users" in error.message
    # What waits of the other is kept.
    assert in_spool(tmp_path, "SELECT captured >= applied + compacted FROM spool") == [(1,)]
