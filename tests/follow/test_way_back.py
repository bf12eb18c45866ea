"""A move that was switched goes back with what was written since, and forward again (moto)."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from dynaferry.errors import AccessDeniedError
from dynaferry.follow import capture, cut_over, own_writes, quiet, shard_reader, target_capture
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.follow.enabled_streams import created_streams, enabled_streams
from dynaferry.follow.late_writes import late_writes_of
from dynaferry.follow.spools_left import remove_ways_back
from dynaferry.plan.settings import CopyPlan
from dynaferry.state.directory import way_back_path
from dynaferry.state.move_records import TransitionKind, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from tests.follow.moves import Moving, an_item, make_source, moving, plan_of
from tests.worlds.moto import SOURCE_ACCOUNT_ID, TARGET_ACCOUNT_ID, MotoWorld

WRITER_ROLE = f"arn:aws:iam::{SOURCE_ACCOUNT_ID}:role/dynaferry-way-back"
FOREIGN_ROLE = f"arn:aws:iam::{TARGET_ACCOUNT_ID}:role/dynaferry-way-back"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LEAST_SECONDS", 0.5)
    monkeypatch.setattr(quiet, "LEAST_POLLS", 2)
    monkeypatch.setattr(quiet, "_LIST_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(shard_reader, "IDLE_POLL_SECONDS", 0.1)
    monkeypatch.setattr(shard_reader, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(capture, "HASTY_LISTING_SECONDS", 0.1)
    monkeypatch.setattr(cut_over, "WAY_BACK_QUIET_SECONDS", 0.3)
    monkeypatch.setattr(target_capture, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(target_capture, "SHOWN_WITHIN_SECONDS", 0.5)


def kept(world: MotoWorld, state_dir: Path, *names: str, **settings: Any) -> CopyPlan:
    return plan_of(world, state_dir, *names, way_back="keep", **settings)


async def asked(
    state_dir: Path, what: TransitionKind, role: str | None = None, seconds: float = 60.0
) -> Answer:
    """What becomes of it."""
    request = TransitionRequest(what=what, timeout_seconds=seconds, write_role_arn=role)
    file = await MoveFile.open(state_dir, "orders")
    try:
        asker = MoveAsker(file, state_dir, "orders", StopSignal(), lambda _: None)
        with anyio.fail_after(90):
            return await asker.ask("cut-over" if what == "check" else what, request)
    finally:
        await file.aclose()


@asynccontextmanager
async def switched(
    world: MotoWorld, state_dir: Path, *names: str, **settings: Any
) -> AsyncIterator[Moving]:
    """A move with a way back that was switched."""
    async with moving(world, kept(world, state_dir, *names, **settings)) as move:
        await move.until_equal()
        answer = await until_gone(state_dir, "cut-over")
        assert answer.outcome == "go", (answer, move.said)
        assert not any("a way back" in told for told in answer.reply.not_shown)
        yield move


async def until_gone(state_dir: Path, what: TransitionKind, role: str | None = None) -> Answer:
    """The way back may be armed a moment later, and the state be stored a moment later."""
    passing = ("no way back", "it is replaying", "not all read yet")
    for _ in range(50):
        answer = await asked(state_dir, what, role)
        if not any(told in reason for reason in answer.reply.reasons for told in passing):
            return answer
        await anyio.sleep(0.2)
    return answer


async def is_same(world: MotoWorld, table: str = "orders") -> bool:
    source = await world.source_tables.read_table(table)
    return bool(source == await world.target_tables.read_table(table))


async def use_target(world: MotoWorld, first: int, changes: int) -> None:
    for number in range(first, first + changes):
        await world.target_tables.put_items("orders", [an_item(number, 7_000 + number)])
    await world.target_tables.delete_item("orders", {"pk": {"S": f"k{first + changes}"}})


async def test_what_was_written_to_the_target_goes_back_and_then_it_goes_forward_again(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world)
    before = await world.source_tables.read_table("orders")
    async with switched(world, tmp_path) as move:
        assert await to_thread.run_sync(created_streams, tmp_path, "orders") == {"orders"}
        await use_target(world, 10, 10)
        await anyio.sleep(0.7)
        # Nobody has asked for it: the source is what it was.
        assert await world.source_tables.read_table("orders") == before
        answer = await asked(tmp_path, "cut-back", WRITER_ROLE)
        assert answer.outcome == "go", (answer, move.said)
        assert await is_same(world)
        assert await world.source_tables.read_table("orders") != before
        await move.until(lambda: move.tables[0].state == "returned")
        assert (await asked(tmp_path, "cut-back", WRITER_ROLE)).is_done_already
        # The application is back on the source; a writer of the target did not hear of it.
        await world.source_tables.put_items("orders", [an_item(11, 8_001), an_item(500, 8_002)])
        await world.target_tables.put_items("orders", [an_item(12, -1)])
        await move.until(lambda: move.has_said("LATE WRITES: 1 keys of the target"))
        await move.until(lambda: move.tables[0].late_writes == 1)
        answer = await asked(tmp_path, "cut-over")
        assert answer.outcome == "refused"
        assert "--forward" in answer.reply.reasons[0]
    assert not await is_same(world)
    async with moving(world, kept(world, tmp_path)) as move:
        await move.until(lambda: bool(move.tables) and move.tables[0].state == "returned")
    held = await world.source_tables.read_table("orders")
    async with moving(world, kept(world, tmp_path), forward=True) as move:
        await move.until_equal()
        assert await world.source_tables.read_table("orders") == held
        # A second switch, and back again.
        assert (await until_gone(tmp_path, "cut-over")).outcome == "go"
        await use_target(world, 40, 5)
        assert (await asked(tmp_path, "cut-back", WRITER_ROLE)).outcome == "go", move.said
        assert await is_same(world)
        # What was late behind the first return stays so; what was written in use is not.
        late = await to_thread.run_sync(late_writes_of, tmp_path, "orders", 0, "target")
        assert late.keys == 1


async def test_a_cut_back_that_finds_no_end_leaves_the_target_in_use_and_loses_nothing(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world)
    async with switched(world, tmp_path) as move, anyio.create_task_group() as writing:

        async def write() -> None:
            for number in itertools.count():
                await world.target_tables.put_items("orders", [an_item(number % 20, number)])
                await anyio.sleep(0.05)

        writing.start_soon(write)
        answer = await asked(tmp_path, "cut-back", WRITER_ROLE, seconds=2)
        assert answer.outcome == "not ready"
        await move.until(lambda: move.has_said("nothing was switched: the target stays in use"))
        await move.until(lambda: move.tables[0].state == "switched")
        writing.cancel_scope.cancel()
    # Nobody captures meanwhile; and the plan of a process behind the switch decides no more.
    await use_target(world, 30, 4)
    async with moving(world, plan_of(world, tmp_path)) as move:
        await move.until(lambda: bool(move.tables) and move.tables[0].state == "switched")
        assert (await asked(tmp_path, "cut-back", WRITER_ROLE)).outcome == "go", move.said
        assert await is_same(world)


async def test_without_a_role_or_a_switch_or_a_way_back_nothing_is_written_to_the_source(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world)
    before = await world.source_tables.read_table("orders")
    async with switched(world, tmp_path) as move:
        await use_target(world, 10, 2)
        answer = await asked(tmp_path, "cut-back")
        assert answer.outcome == "not ready"
        assert "--source-write-role-arn" in str(move.said) or answer.reply.reasons
        # A role of the other account sees a table of the same name.
        held = await world.target_tables.read_table("orders")
        answer = await asked(tmp_path, "cut-back", FOREIGN_ROLE, 5.0)
        assert answer.outcome == "not ready"
        assert "and the source is" in answer.reply.reasons[0], answer
        assert await world.target_tables.read_table("orders") == held
        assert await world.source_tables.read_table("orders") == before
    other = tmp_path / "other"
    await make_source(world, "more")
    async with moving(world, plan_of(world, other, "more")) as move:
        await move.until_equal()
        assert (await asked(other, "cut-back", WRITER_ROLE)).outcome == "refused"
        answer = await asked(other, "cut-over")
        assert answer.outcome == "go"
        assert any("a way back" in told for told in answer.reply.not_shown)
        answer = await asked(other, "cut-back", WRITER_ROLE)
        assert answer.outcome == "refused"
        assert "--way-back none" in answer.reply.reasons[0]
    assert not way_back_path(other, "orders", 0).exists()


async def test_a_target_without_a_stream_gets_one_and_who_else_writes_there_is_told(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = moto_world
    await make_source(world)
    await world.target_tables.create_table("orders")
    monkeypatch.setattr(own_writes, "_LANDS_WITHIN_SECONDS", 0.0)
    async with moving(world, kept(world, tmp_path, create_target=False)) as move:
        assert not await to_thread.run_sync(created_streams, tmp_path, "orders")
        await move.until_equal()
        assert move.has_said("enabling a stream with NEW_IMAGE, for the way back")
        answer = await until_gone(tmp_path, "check")
        assert answer.outcome == "done", answer
        await world.source_tables.put_items("orders", [an_item(1, 1)])
        await move.until_equal()
        assert (await until_gone(tmp_path, "check")).outcome == "done"
        # Somebody writes to the target before the switch.
        await world.target_tables.put_items("orders", [an_item(900, -2)])
        await move.until(lambda: move.has_said("orders: somebody else writes to the target"))
        answer = await until_gone(tmp_path, "cut-over")
        assert answer.outcome == "not ready"
        assert "somebody else writes to the target: 1 change not ours" in answer.reply.reasons[0]
    (enabled,) = await to_thread.run_sync(enabled_streams, tmp_path, "orders")
    assert ":222222222222:table/orders" in enabled.table
    ending = partial(remove_ways_back, tmp_path, "orders", 1, keep_late_writes=True)
    assert await to_thread.run_sync(ending) == (0, [])
    assert not list(tmp_path.glob("*way-back*"))


async def test_a_target_whose_stream_cannot_be_read_is_not_ready_and_the_move_goes_on(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = moto_world
    await make_source(world)

    async def cannot(*_: object) -> str:
        raise AccessDeniedError("no", operation="GetShardIterator", hint="allow it")

    async with moving(world, kept(world, tmp_path)) as move:
        await move.until_equal()
        await until_gone(tmp_path, "check")
        monkeypatch.setattr("dynaferry.follow.from_now.FromNow.iterator", cannot)
        monkeypatch.setattr("dynaferry.follow.from_now.FromNow.read_changes", cannot)
        await move.until(lambda: move.has_said("orders: no way back for now: no"))
        answer = await asked(tmp_path, "cut-over")
        assert answer.outcome == "not ready"
        assert "there would be no way back: no" in answer.reply.reasons[0]
        told = ("there would be no way back: no",)
        await move.until(lambda: move.tables[0].not_ready == told)
        monkeypatch.undo()
        await move.until(lambda: move.has_said("the way back is armed again"))
        assert move.outcome is None
