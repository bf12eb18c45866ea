"""There and back beside the service's own engine, whose shards roll at every step."""

import asyncio
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from dynaferry.follow import change_writer, move_tables, target_capture
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.state.move_records import TransitionKind, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from tests.follow.moves import Moving, moving
from tests.local.conftest import REQUIRED
from tests.local.dynamodb_local import LocalWorld
from tests.local.test_move_real_engine import plan_of
from tests.local.test_streams_real_engine import create, write


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is on its way for longer."""
    monkeypatch.setattr(move_tables, "LATE_WRITE_SECONDS", 0.5)
    monkeypatch.setattr(change_writer, "LATE_WRITE_SECONDS", 0.5)
    monkeypatch.setattr(target_capture, "SHOWN_WITHIN_SECONDS", 1.0)


async def gone(world: LocalWorld, state_dir: Path, what: TransitionKind, move: Moving) -> None:
    """Asked until it goes: a new shard may be unread for a moment."""
    request = TransitionRequest(what=what, timeout_seconds=60.0)
    if what == "cut-back":
        request = replace(request, write_profile=world.source.profile)
    answer: Answer | None = None
    for _ in range(20):
        file = await MoveFile.open(state_dir, "moved")
        try:
            asker = MoveAsker(file, state_dir, "moved", StopSignal(), lambda _: None)
            answer = await asker.ask("cut-back" if what == "cut-back" else "cut-over", request)
        finally:
            await file.aclose()
        if answer.outcome == "go":
            return
        await asyncio.sleep(0.5)
    raise AssertionError((answer, move.said))


async def is_same(world: LocalWorld, table: str) -> bool:
    source = await world.source_tables.read_table(table)
    return bool(source == await world.target_tables.read_table(f"{table}-target"))


@pytest.mark.skipif(not REQUIRED, reason="it takes a minute: `make test-local` runs it")
async def test_what_was_written_to_the_target_goes_back_and_forward_again_through_rolls(
    rolling_world: LocalWorld, tmp_path: Path
) -> None:
    world = rolling_world
    plan = replace(plan_of(world, "there", tmp_path), way_back="keep")
    await create(world, "there")
    await write(world, "there", 40, Random(0))
    async with moving(world, plan) as move:
        await move.until_equal()
        await asyncio.to_thread(world.roll)
        await write(world, "there", 20, Random(1), first=1_000)
        await gone(world, tmp_path, "cut-over", move)
        assert await is_same(world, "there")
        held = await world.source_tables.read_table("there")
        for number in range(10):
            item = {"pk": {"S": f"back-{number % 7}"}, "v": {"N": str(number)}}
            await world.target_tables.put_items("there-target", [item])
            if number % 3 == 0:
                await asyncio.to_thread(world.roll)
        assert await world.source_tables.read_table("there") == held
        await gone(world, tmp_path, "cut-back", move)
        assert await is_same(world, "there")
        assert await world.source_tables.read_table("there") != held
        await asyncio.to_thread(world.roll)
        await write(world, "there", 20, Random(2), first=2_000)
    async with moving(world, plan, forward=True) as move:
        await move.until_equal()
        await gone(world, tmp_path, "cut-over", move)
        assert await is_same(world, "there")
