"""A table without a stream is moved while it is written, and switched by a last pass (moto)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from msgspec.structs import replace

from dynaferry.errors import ItemRefusedError, PlanError, StateError
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.follow.move_tables import execute
from dynaferry.follow.passes import convergence, last_pass, one_pass
from dynaferry.follow.stored_move import read_move
from dynaferry.plan.settings import TablePlan
from dynaferry.state.move_records import TransitionRequest
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from dynaferry.verify.compare.side_reader import SideReader
from tests.follow.moves import (
    ITEMS,
    Moving,
    an_item,
    change_source,
    moving,
    plan_of,
    read_page_slowly,
)
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION
from tests.worlds.moto import MotoWorld

CUT_OVER = TransitionRequest(what="cut-over", timeout_seconds=120.0)
CHECK = TransitionRequest(what="check", timeout_seconds=120.0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(one_pass, "LAST_SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(last_pass, "WATCH_SECONDS", 0.5)
    monkeypatch.setattr(convergence, "WATCH_SECONDS", 0.5)
    monkeypatch.setattr(convergence, "LEAST_REST_SECONDS", 0.5)
    monkeypatch.setattr(convergence, "REST_TIMES", 0.5)


async def make_tables(world: MotoWorld, *names: str) -> None:
    for name in names or ("orders",):
        await world.source_tables.create_table(name)
        await world.source_tables.put_items(name, [an_item(n, 0) for n in range(ITEMS)])


@asynccontextmanager
async def written(world: MotoWorld) -> AsyncIterator[anyio.Event]:
    """Writes to the source until the event is set, within."""
    stops, ended = anyio.Event(), anyio.Event()

    async def write() -> None:
        seed = 0
        while not stops.is_set():
            seed += 1
            await change_source(world, seed, 3)
            await anyio.sleep(0.02)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        yield stops
        stops.set()
        await ended.wait()


async def ask(state_dir: Path, request: TransitionRequest, said: list[str]) -> Answer:
    file = await PassFile.open(state_dir, "orders")
    try:
        asker = MoveAsker(file, state_dir, "orders", StopSignal(), said.append)
        return await asker.ask("cut-over", request)
    finally:
        await file.aclose()


async def is_equal(world: MotoWorld, name: str = "orders") -> bool:
    source = await world.source_tables.read_table(name)
    return bool(source == await world.target_tables.read_table(name))


async def test_a_table_that_is_written_is_moved_by_passes_and_equal_at_the_go(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, without_stream=True)
    await make_tables(world)
    said: list[str] = []
    async with moving(world, plan, ends=False) as move:
        async with written(world) as stops:
            await move.until(lambda: bool(move.tables) and move.tables[0].state == "following")
            await move.until(lambda: move.has_said("orders: pass 1: "))
            assert move.has_said("a switch now takes an outage of about")
            check = await ask(tmp_path, CHECK, said)
            assert (check.outcome, check.reply.reasons) == ("done", ())
            stops.set()
        answer = await ask(tmp_path, CUT_OVER, said)
        assert answer.outcome == "go", (answer, move.said)
        assert await is_equal(world)
        assert answer.move is not None
        assert answer.move.stage == "switched"
        with anyio.fail_after(20):
            while True:
                await anyio.sleep(0.05)
                if move.outcome is not None:
                    break
        assert move.outcome.error is None
        assert move.outcome.summary.status == "complete"
    (status,) = await to_thread.run_sync(read_move, tmp_path, "orders", 1)
    assert (status.state, status.is_running, status.passes is not None) == ("switched", False, True)
    # Behind the go the same command writes nothing, whatever the source holds.
    await change_source(world, 99, 20)
    held = await world.target_tables.read_table("orders")
    outcome = await execute(plan, say=said.append)
    assert outcome.error is None
    assert await world.target_tables.read_table("orders") == held
    assert any("it was switched: the target is in use" in line for line in said)


async def test_interrupted_in_the_midst_of_a_pass_it_ends_at_once_and_goes_on_with_another(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = moto_world
    plan = plan_of(world, tmp_path, "orders", "events", without_stream=True)
    await make_tables(world, "orders", "events")
    async with moving(world, plan) as move:
        await move.until(lambda: move.has_said("events: pass 1: all of 120 items are equal"))
        await change_source(world, 1, 40, "events")
        whole = SideReader.read_page
        monkeypatch.setattr(SideReader, "read_page", read_page_slowly)
        await move.until(lambda: _share(move) > 0.1)
        began = anyio.current_time()
    assert anyio.current_time() - began < 8
    assert move.outcome is not None
    assert move.outcome.summary.status == "interrupted"
    (orders, events) = await to_thread.run_sync(read_move, tmp_path, "orders", 2)
    assert [orders.source, events.source] == ["orders", "events"]
    assert not events.is_running
    monkeypatch.setattr(SideReader, "read_page", whole)
    async with moving(world, plan) as move:
        await move.until(lambda: any(line.startswith("events: pass ") for line in move.said))
        assert await is_equal(world, "events")


def _share(move: Moving) -> float:
    passes = move.tables[0].passes if move.tables else None
    return 0.0 if passes is None or passes.done < 1 else passes.compared or 0.0


async def test_a_write_that_nobody_told_of_ends_the_switch_where_a_watched_key_has_changed(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that pauses until its key is compared, and writes then."""
    world, plan = moto_world, plan_of(moto_world, tmp_path, without_stream=True)
    await make_tables(world)
    async with moving(world, plan) as move:
        await move.until(lambda: move.has_said("orders: pass 1: "))
        await change_source(world, 1, 40)
        await world.source_tables.put_items("orders", [an_item(5, 500)])
        await move.until(lambda: move.has_said(" items differed, "))
        monkeypatch.setattr(SideReader, "read_page", read_page_slowly)
        said: list[str] = []
        answers: list[Answer] = []

        async def switch() -> None:
            answers.append(await ask(tmp_path, CUT_OVER, said))

        async with anyio.create_task_group() as group:
            group.start_soon(switch)
            await move.until(lambda: any("compares every key" in line for line in said))
            await anyio.sleep(0.5)
            await world.source_tables.put_items("orders", [an_item(5, 501)])
        (answer,) = answers
        # Either the pass saw it, or it is known to have come behind it: never a go without it.
        if answer.outcome == "go":
            assert await is_equal(world)
        else:
            assert "somebody writes still" in answer.reply.reasons[0]


async def test_a_run_that_follows_a_stream_does_not_go_on_by_passes(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    tables = tuple(TablePlan(f"source-{n}", f"target-{n}") for n in range(2))
    plan = plan_of(moto_world, tmp_path, without_stream=True, tables=tables)
    followed = replace(IDENTITY, move="an-id")
    store = await SqliteStore.create(tmp_path, "orders", followed, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    outcome = await execute(plan)
    assert isinstance(outcome.error, StateError)
    assert "follows a stream" in outcome.error.message


def test_with_and_without_a_stream_is_refused(moto_world: MotoWorld, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="contrary"):
        plan_of(moto_world, tmp_path, without_stream=True, enable_stream=True)


async def test_what_the_target_refuses_is_told_before_anybody_stops_writers(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, without_stream=True)
    await make_tables(world)
    monkeypatch.setattr(
        "dynaferry.dynamodb.items.conditional_write.ConditionalWriter.put_if_unchanged", _refused
    )
    async with moving(world, plan) as move:
        await move.until(lambda: move.has_said("orders: pass 1: "))
        # One item that the target cannot take: its repair is refused.
        await world.source_tables.put_items("orders", [an_item(3, 666)])
        await move.until(lambda: move.has_said("the target refuses 1"))
        said: list[str] = []
        check = await ask(tmp_path, CHECK, said)
        assert check.outcome == "not ready"
        assert "the target refuses 1 items" in check.reply.reasons[0]


async def _refused(*_: object) -> None:
    raise ItemRefusedError("too big", code="ValidationException", operation="PutItem")
