"""A move of two tables, one of which fails: it is captured, the other followed, none switched."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.errors import AccessDeniedError, StateError, StoppedError
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.follow.move_tables import execute
from dynaferry.run import assembly
from dynaferry.run.lifecycle import closing
from dynaferry.run.outcome import Outcome
from dynaferry.state.move_records import TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from tests.follow.moves import Moving, change_source, make_source, moving, plan_of
from tests.worlds.moto import MotoWorld

NAMES = ("orders", "users")


@pytest.fixture(autouse=True)
def no_late_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way here once a process has ended."""
    monkeypatch.setattr("dynaferry.follow.move_tables.LATE_WRITE_SECONDS", 0.0)


def fail_users(patch: pytest.MonkeyPatch) -> None:
    def assembled(plan: Any, table: int, *rest: Any, **more: Any) -> Any:
        if plan.tables[table].source == "users":
            raise AccessDeniedError("no right to write to users", hint="ask")
        return assembly.assemble(plan, table, *rest, **more)

    patch.setattr("dynaferry.run.table_copy.assemble", assembled)


async def asked(state_dir: Path, what: Any) -> Answer:
    file = await MoveFile.open(state_dir, "orders")
    async with closing(file):
        asker = MoveAsker(file, state_dir, "orders", StopSignal(), lambda _: None)
        return await asker.ask(what, TransitionRequest(what=what, timeout_seconds=30.0))


def state_of(move: Moving, source: str) -> str:
    return next((str(table.state) for table in move.tables if table.source == source), "")


async def test_the_other_table_is_followed_and_nothing_switched_until_both_are(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, *NAMES)
    await make_source(world, *NAMES)
    with monkeypatch.context() as patch:
        fail_users(patch)
        async with moving(world, plan) as move:
            await move.until(lambda: state_of(move, "orders") == "following")
            assert move.has_said("users is captured and not followed, the others are: its copy")
            for seed, name in enumerate(NAMES, 1):
                await change_source(world, seed, 20, name)
            await move.until(lambda: all(table.changes_captured for table in move.tables))
            assert state_of(move, "users") == "copying"
            for what in ("check", "cut-over"):
                answer = await asked(tmp_path, what)
                assert answer.outcome == "not ready"
                assert any("users is not followed" in why for why in answer.reply.reasons)
            await move.until(lambda: state_of(move, "orders") == "following")
    assert move.outcome is not None
    assert isinstance(move.outcome.error, AccessDeniedError)
    assert [table.status for table in move.outcome.summary.tables] == ["complete", "failed"]
    assert move.outcome.summary.status == "failed"

    async with moving(world, plan) as again:
        await again.until_equal()
        assert not again.has_said("is captured and not followed")
        assert all(table.gaps_ever == 0 for table in again.tables)


async def test_a_table_is_left_out_of_a_move_joins_it_later_and_can_be_restarted(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, *NAMES)
    await make_source(world, *NAMES)
    async with moving(world, replace(plan, skip=("orders",))) as move:
        await move.until_equal()
        assert [table.source for table in move.tables] == ["users"]
        answer = await asked(tmp_path, "check")
        assert any("orders is not followed: it is left out" in why for why in answer.reply.reasons)
    async with moving(world, plan) as move:
        await move.until_equal()
        assert {table.source for table in move.tables} == set(NAMES)
        await change_source(world, 3, 20, "users")
        await move.until_equal()
    await world.target_tables.call("DeleteTable", {"TableName": "users"})
    async with moving(world, replace(plan, restart_table=("users",))) as move:
        await move.until_equal()
        assert move.has_said("users: copied again from the start; the others continue")
    assert move.outcome is not None
    assert move.outcome.summary.status == "interrupted"


async def test_changes_that_wait_outlive_a_restart_of_their_table_that_does_not_begin(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says that it is copied as long as its restart is not stored: they are needed."""
    world, plan = moto_world, plan_of(moto_world, tmp_path, *NAMES)
    await make_source(world, *NAMES)
    async with moving(world, plan) as move:
        await move.until_equal()
    await change_source(world, 5, 30, "users")

    async def killed(*_: object, **__: object) -> Outcome:
        raise StoppedError("killed before anything of it is stored")

    with monkeypatch.context() as patch:
        patch.setattr("dynaferry.follow.move_tables.copy_tables.execute", killed)
        outcome = await execute(replace(plan, restart_table=("users",)))
        assert isinstance(outcome.error, StoppedError)
    async with moving(world, plan) as move:
        await move.until_equal()
        assert all(table.gaps_ever == 0 for table in move.tables)


async def test_behind_the_switch_no_table_is_left_out_and_none_copied_over(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, *NAMES)
    await make_source(world, *NAMES)
    async with moving(world, plan) as move:
        await move.until_equal()
        assert (await asked(tmp_path, "cut-over")).outcome == "go"
    gone = replace(plan, tables=plan.tables[:1], run=plan.run_name)
    for other in (replace(plan, skip=("users",)), replace(plan, only=("orders",)), gone):
        outcome = await execute(other)
        assert isinstance(outcome.error, StateError)
        assert "users would be left out now" in outcome.error.message
    for copied_over in (plan, replace(plan, without_stream=True)):
        outcome = await execute(replace(copied_over, restart_table=("users",)))
        assert isinstance(outcome.error, StateError)
