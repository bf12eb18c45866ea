"""What was lost is found by comparing every key beside the follower, and put right."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from anyio import to_thread
from msgspec.structs import replace

from dynaferry import copy_table
from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.errors import StateError
from dynaferry.follow import move_tables, resync
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.verify.compare.side_reader import SideReader
from tests.follow.changes import change, key_named
from tests.follow.moves import (
    ITEMS,
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
    monkeypatch.setattr(resync, "RESYNC_SECONDS", 0.5)


async def lose_changes(world: MotoWorld) -> None:
    """What a stream that was trimmed leaves: a change, a deletion and a new item nobody saw."""
    await world.target_tables.put_items("orders", [an_item(1, 99), an_item(ITEMS + 50, 99)])
    await world.target_tables.delete_item("orders", {"pk": {"S": "k2"}})


async def test_a_spool_of_another_move_is_not_used_but_a_gap_that_is_told_and_repaired(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
    spool = tmp_path / "orders.spool.sqlite"
    await to_thread.run_sync(_given_to_another_move, tmp_path, spool)
    await change_source(world, 1, 30)  # while nobody follows
    await lose_changes(world)
    async with moving(world, plan) as move:
        await move.until(lambda: bool(move.tables) and move.tables[0].gaps == 1)
        await move.until_equal()
        assert move.has_said(f"orders: records were lost: the spool {spool}")
        assert move.has_said("every key was compared since")
        assert move.tables[0].not_ready == ()
    assert len(list(tmp_path.glob("orders.spool.sqlite.*.old"))) == 1


def _given_to_another_move(state_dir: Path, path: Path) -> None:
    """Holds a change that would be applied, were it used."""
    ((spool_id,),) = in_spool(state_dir, "SELECT id FROM spool")
    spool = SpoolFile.open(path, spool_id)
    assert spool is not None
    spool.store([change("foreign", 1)], [], 0.0)
    spool.close()
    in_spool(state_dir, "UPDATE spool SET id = 'another/0'")


async def test_a_run_that_is_a_copy_is_no_move_whatever_spool_lies_beside_it(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
    kept = tmp_path / "kept"
    shutil.move(tmp_path / "orders.spool.sqlite", kept)
    await copy_table(replace(plan, restart=True))
    shutil.move(kept, tmp_path / "orders.spool.sqlite")
    outcome = await move_tables.execute(plan)
    assert isinstance(outcome.error, StateError)
    assert "without a capture" in outcome.error.message


async def test_a_dead_letter_is_read_again_after_a_gap_and_goes_where_the_item_is_accepted_now(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
    in_spool(tmp_path, "INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'trimmed')")
    in_spool(
        tmp_path,
        "INSERT INTO letters VALUES (?, ?, ?, 'ValidationException', 'once', 0.0)",
        *(digest_of(key_named("k3")), key_named("k3"), key_named("k3")),
    )
    async with moving(world, plan) as move:
        await move.until_equal()
        # The item is accepted today.
        await move.until(lambda: move.tables[0].rejected == 0)
    assert sum("is compared now" in line for line in move.said) == 1


async def test_a_gap_that_comes_while_keys_are_compared_is_repaired_by_another_comparison(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
    monkeypatch.setattr(SideReader, "read_page", read_page_slowly)
    add = "INSERT INTO gaps (at, shard, why) VALUES (0, 'a', ?)"
    in_spool(tmp_path, add, "the first")
    async with moving(world, plan) as move:
        await move.until(lambda: move.has_said("is compared now"))
        await to_thread.run_sync(lambda: in_spool(tmp_path, add, "the second"))
        await lose_changes(world)
        await move.until_equal()
        assert sum("is compared now" in line for line in move.said) == 2
    mended = in_spool(tmp_path, "SELECT count(*) FROM gaps WHERE mended_at IS NOT NULL")
    assert mended == [(2,)]


async def test_killed_in_the_midst_of_a_comparison_it_goes_on_with_what_is_left(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path)
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
    in_spool(tmp_path, "INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'trimmed')")
    await lose_changes(world)
    await to_thread.run_sync(_killed_while_it_compares, world, tmp_path)
    async with moving(world, plan) as move:
        await move.until_equal()
        assert move.has_said("resuming the verification")
    # Another gap begins anew: what was compared before it says nothing of it.
    in_spool(tmp_path, "INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'trimmed')")
    await to_thread.run_sync(_killed_while_it_compares, world, tmp_path)
    in_spool(tmp_path, "INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'again')")
    await lose_changes(world)
    async with moving(world, plan) as move:
        await move.until_equal()
        assert not move.has_said("resuming the verification")


def _killed_while_it_compares(world: MotoWorld, state_dir: Path) -> None:
    command = [sys.executable, "-m", "tests.follow.move_child", str(state_dir), world.url]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root}/src"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                if line.startswith("compared"):
                    break
        finally:
            child.send_signal(signal.SIGKILL)
