from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.lowlevel
import msgspec
import pytest

from dynaferry import CopyPlan, StopSignal, copy_table
from dynaferry.dynamodb.client import RequestSeries
from dynaferry.errors import (
    AccessDeniedError,
    PlanError,
    PreflightError,
    StateError,
    StateWriteError,
    UnavailableError,
)
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import TablePlan
from dynaferry.preflight.inspection import TablePreflight, preflight
from dynaferry.preflight.notice import warning
from dynaferry.run.copy_tables import dry_run, execute
from dynaferry.run.outcome import Outcome
from dynaferry.run.table_copy import TableTask
from dynaferry.state.directory import state_path
from dynaferry.state.records import SegmentRecord, TableCounters
from dynaferry.state.sqlite.store import SqliteStore
from tests.worlds.client import WireItem
from tests.worlds.moto import TARGET_EXTERNAL_ID, MotoWorld

ITEMS = 120


def an_item(number: int) -> WireItem:
    return {"pk": {"S": f"k{number}"}, "n": {"N": str(number)}}


@pytest.fixture
async def world(moto_world: MotoWorld) -> MotoWorld:
    """Two accounts, and a table `orders` in the source."""
    await moto_world.source_tables.create_table("orders")
    await moto_world.source_tables.put_items("orders", [an_item(n) for n in range(ITEMS)])
    return moto_world


def plan_for(world: MotoWorld, state_dir: Path, **settings: object) -> CopyPlan:
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        create_target=True,
        segments=4,
        readers=2,
        writers=2,
    )
    return msgspec.structs.replace(plan, **settings)


async def assert_equal_tables(world: MotoWorld) -> None:
    source = await world.source_tables.read_table("orders")
    assert len(source) == ITEMS
    assert await world.target_tables.read_table("orders") == source


def record_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every call of the data path from here on: (side, operation)."""
    calls: list[tuple[str, str]] = []
    ask = RequestSeries.send

    async def recording(self: RequestSeries, body: bytes) -> bytes:
        calls.append((self._client.site.side, self._operation))
        return await ask(self, body)

    monkeypatch.setattr(RequestSeries, "send", recording)
    return calls


async def test_a_table_is_copied_into_the_other_account(world: MotoWorld, tmp_path: Path) -> None:
    summary = await copy_table(plan_for(world, tmp_path))
    (table,) = summary.tables
    assert summary.status == table.status == "complete"
    assert table.items_read == table.items_written == ITEMS
    assert (table.items_rejected, table.items_filtered) == (0, 0)
    assert table.write_units > 0
    assert table.read_units > 0
    await assert_equal_tables(world)


async def test_the_source_is_only_ever_read(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record_calls(monkeypatch)
    await copy_table(plan_for(world, tmp_path))
    assert {operation for side, operation in calls if side == "source"} == {"Scan"}
    assert {operation for side, operation in calls if side == "target"} == {"BatchWriteItem"}


async def test_a_finished_run_says_so_and_writes_nothing(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await copy_table(plan_for(world, tmp_path))
    calls, said = record_calls(monkeypatch), list[str]()
    outcome = await execute(plan_for(world, tmp_path), say=said.append)
    assert calls == []
    assert outcome.summary.status == "complete"
    assert outcome.summary.tables[0].items_written == first.tables[0].items_written
    (words,) = [line for line in said if "already complete" in line]
    assert "was completed at 20" in words
    assert words.endswith("--restart copies everything again")


async def stopped_halfway(world: MotoWorld, plan: CopyPlan) -> Outcome:
    """An attempt that is stopped when some of the items are written."""
    stop = StopSignal()

    async def stop_early(stats: RunStats) -> None:
        stats.tables[0].throttles["Scan", "slow"] = 3
        stats.tables[0].bottleneck = "index by-owner"
        while stats.tables[0].items_written == 0:  # plain counters tell nobody
            await anyio.lowlevel.checkpoint()
        stop.ask()

    return await execute(plan, stop=stop, watch=stop_early)


async def test_a_stopped_run_goes_on_where_it_was(world: MotoWorld, tmp_path: Path) -> None:
    plan = plan_for(world, tmp_path, readers=1, writers=1, segments=12)
    outcome = await stopped_halfway(world, plan)
    (table,) = outcome.summary.tables
    assert outcome.summary.status == table.status == "interrupted"
    assert 0 < table.items_written < ITEMS
    assert table.items_read == table.items_written

    said: list[str] = []
    throttles: list[dict[tuple[str, str], int]] = []
    bottlenecks: list[str | None] = []

    async def look(stats: RunStats) -> None:
        throttles.append(dict(stats.tables[0].throttles))
        bottlenecks.append(stats.tables[0].bottleneck)

    resumed = await execute(plan, say=said.append, watch=look)
    assert throttles == [{("Scan", "slow"): 3}]
    assert bottlenecks == ["index by-owner"]
    assert resumed.summary.tables[0].items_read == ITEMS
    assert any(f"{table.items_written:,} items are done" in line for line in said)
    await assert_equal_tables(world)


async def test_a_stop_before_the_copy_has_begun_cancels_at_once(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = StopSignal()

    async def hang(*_: Any, **__: Any) -> None:
        stop.ask()
        await anyio.sleep_forever()

    monkeypatch.setattr("dynaferry.run.copy_tables.preflight", hang)
    outcome = await execute(plan_for(world, tmp_path), stop=stop)
    assert outcome.summary.status == "interrupted"
    assert outcome.error is None
    assert not state_path(tmp_path, "orders").exists()


async def test_a_resumed_run_keeps_its_segments_where_nobody_asks_for_others(
    world: MotoWorld, tmp_path: Path
) -> None:
    plan = plan_for(world, tmp_path, readers=1, writers=1, segments=12)
    await stopped_halfway(world, plan)
    resumed = await execute(msgspec.structs.replace(plan, segments=None))
    assert resumed.summary.status == "complete"
    assert resumed.summary.tables[0].segments_total == 12


async def test_other_segments_on_resume_are_refused_and_the_state_is_left_as_it_is(
    world: MotoWorld, tmp_path: Path
) -> None:
    plan = plan_for(world, tmp_path, readers=1, writers=1, segments=12)
    await stopped_halfway(world, plan)
    before = state_path(tmp_path, "orders").read_bytes()
    outcome = await execute(msgspec.structs.replace(plan, segments=13))
    assert isinstance(outcome.error, StateError)
    assert outcome.summary.status == "refused"
    assert "12" in outcome.error.message
    assert "13" in outcome.error.message
    assert state_path(tmp_path, "orders").read_bytes() == before


async def test_another_copy_of_the_same_names_is_refused_even_with_restart(
    world: MotoWorld, tmp_path: Path
) -> None:
    await copy_table(plan_for(world, tmp_path))
    before = state_path(tmp_path, "orders").read_bytes()
    other = plan_for(world, tmp_path, restart=True, run="orders")
    other = msgspec.structs.replace(other, tables=(TablePlan("orders", "archive"),))
    outcome = await execute(other)
    assert isinstance(outcome.error, StateError)
    assert "archive" in outcome.error.message
    assert state_path(tmp_path, "orders").read_bytes() == before


async def test_restart_starts_over_and_keeps_the_earlier_state_aside(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await copy_table(plan_for(world, tmp_path))
    calls = record_calls(monkeypatch)
    summary = await copy_table(plan_for(world, tmp_path, restart=True, segments=3))
    assert summary.tables[0].items_written == ITEMS
    assert summary.tables[0].segments_total == 3
    assert ("target", "BatchWriteItem") in calls
    assert len(list(tmp_path.glob("orders.sqlite.*.old"))) == 1


async def test_restart_refuses_a_target_that_was_created_again_and_filled_by_others(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await copy_table(plan_for(world, tmp_path))
    looked: list[Any] = []

    async def note(*arguments: Any, **settings: Any) -> tuple[TablePreflight, ...]:
        looked.append(settings["written_before"])
        return await preflight(*arguments, **{**settings, "written_before": {"another-id"}})

    monkeypatch.setattr("dynaferry.run.copy_tables.preflight", note)
    outcome = await execute(plan_for(world, tmp_path, restart=True))
    assert looked == [{None}], "moto gives no ids"
    assert isinstance(outcome.error, PreflightError)
    assert "is not empty" in outcome.error.message


def _complete(segment: int) -> SegmentRecord:
    return SegmentRecord(
        segment=segment,
        pages=1,
        last_evaluated_key=None,
        complete=True,
        items_read=0,
        items_written=0,
        items_rejected=0,
        items_filtered=0,
        bytes_read=2,
    )


async def test_how_one_table_is_copied_is_the_callers_to_say(
    world: MotoWorld, tmp_path: Path
) -> None:
    """As it would be by workers elsewhere: what is stored is what the run comes to."""
    tasks: list[TableTask] = []

    async def copy_elsewhere(task: TableTask) -> None:
        tasks.append(task)
        done = [_complete(segment) for segment in range(task.total_segments)]
        await task.store.checkpoint(task.table, done, TableCounters(read_units=7.0))
        task.stats.state = "complete"

    plan = plan_for(world, tmp_path)
    outcome = await execute(plan, copy_one=copy_elsewhere)
    assert outcome.error is None
    (task,), (table,) = tasks, outcome.summary.tables
    assert (task.table, task.checked.table.source) == (0, "orders")
    assert (outcome.summary.status, table.status, table.read_units) == ("complete", "complete", 7.0)
    assert table.segments_complete == table.segments_total == task.total_segments
    assert (await execute(plan, copy_one=copy_elsewhere)).summary.status == "complete"
    assert len(tasks) == 1, "a run that is complete is not copied again"


async def test_a_bug_beside_a_reason_to_stop_does_not_hide_the_reason(
    world: MotoWorld, tmp_path: Path
) -> None:
    denied = AccessDeniedError("the policy was changed", operation="BatchWriteItem")

    async def fail(_: TableTask) -> None:
        raise BaseExceptionGroup("both", [ZeroDivisionError(), denied])

    outcome = await execute(plan_for(world, tmp_path), copy_one=fail)
    assert outcome.error is denied
    store = await SqliteStore.open_for_reading(tmp_path, "orders")
    assert ((await store.read_run()).status, outcome.summary.status) == ("failed", "failed")
    await store.aclose()


async def test_restart_creates_a_target_that_is_gone(world: MotoWorld, tmp_path: Path) -> None:
    await copy_table(plan_for(world, tmp_path))
    await world.target_tables.call("DeleteTable", {"TableName": "orders"})
    outcome = await execute(plan_for(world, tmp_path))
    assert isinstance(outcome.error, PreflightError)
    assert "--restart" in (outcome.error.hint or "")
    summary = await copy_table(plan_for(world, tmp_path, restart=True))
    assert summary.tables[0].items_written == ITEMS
    await assert_equal_tables(world)


async def test_a_broken_state_file_is_refused_and_left_as_it_is(
    world: MotoWorld, tmp_path: Path
) -> None:
    path = state_path(tmp_path, "orders")
    path.write_bytes(b"not a database at all" * 500)
    for restart in (False, True):
        outcome = await execute(plan_for(world, tmp_path, restart=restart))
        assert isinstance(outcome.error, StateError)
        assert outcome.error.hint
    assert path.read_bytes() == b"not a database at all" * 500


async def test_two_runs_of_one_state_at_once_are_refused(world: MotoWorld, tmp_path: Path) -> None:
    outcomes: list[Outcome] = []

    async def try_a_second(stats: RunStats) -> None:
        with anyio.CancelScope(shield=True):
            outcomes.append(await execute(plan_for(world, tmp_path)))

    outcomes.append(await execute(plan_for(world, tmp_path), watch=try_a_second))
    second, first = outcomes
    assert isinstance(second.error, StateError)
    assert "another dynaferry works on this run" in second.error.message
    assert first.summary.status == "complete"


async def test_a_missing_target_is_refused_and_leaves_no_state_behind(
    world: MotoWorld, tmp_path: Path
) -> None:
    outcome = await execute(plan_for(world, tmp_path, create_target=False))
    assert isinstance(outcome.error, PreflightError)
    assert "--create-target" in (outcome.error.hint or "")
    assert outcome.summary.status == outcome.summary.tables[0].status == "refused"
    assert not state_path(tmp_path, "orders").exists()


async def test_a_library_call_raises_what_was_refused(world: MotoWorld, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="does not exist"):
        await copy_table(plan_for(world, tmp_path, create_target=False))
    with pytest.raises(PlanError, match="neither a table name nor a table ARN"):
        await copy_table(plan_for(world, tmp_path, tables=(TablePlan("no spaces", "b"),)))


async def test_a_dry_run_inspects_and_writes_nothing(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record_calls(monkeypatch)
    (look,) = await dry_run(plan_for(world, tmp_path))
    assert look.estimate.items == ITEMS
    assert look.target is None
    assert calls == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Exception, match="ResourceNotFound"):
        await world.target_tables.describe_table("orders")


@pytest.mark.parametrize("at_once", [1, 3])
async def test_several_tables_are_copied_and_summed_up_one_by_one(
    world: MotoWorld, tmp_path: Path, at_once: int
) -> None:
    for name, items in (("users", 30), ("empty", 0)):
        await world.source_tables.create_table(name)
        await world.source_tables.put_items(name, [an_item(n) for n in range(items)])
    tables = tuple(TablePlan(name, name) for name in ("orders", "users", "empty"))
    plan = plan_for(world, tmp_path, tables=tables, tables_at_once=at_once, run="all")
    summary = await copy_table(plan)
    assert [table.source for table in summary.tables] == ["orders", "users", "empty"]
    assert [table.items_written for table in summary.tables] == [ITEMS, 30, 0]
    assert {table.status for table in summary.tables} == {"complete"}
    assert len(await world.target_tables.read_table("users")) == 30


async def test_tables_that_were_not_reached_are_copied_by_the_next_attempt(
    world: MotoWorld, tmp_path: Path
) -> None:
    await world.source_tables.create_table("users")
    await world.source_tables.put_items("users", [an_item(n) for n in range(30)])
    tables = (TablePlan("orders", "orders"), TablePlan("users", "users"))
    plan = plan_for(
        world, tmp_path, tables=tables, run="all", readers=1, writers=1, tables_at_once=1
    )
    outcome = await stopped_halfway(world, plan)
    assert [table.status for table in outcome.summary.tables] == ["interrupted", "interrupted"]
    assert outcome.summary.tables[1].items_read == 0
    summary = await copy_table(plan)
    assert [table.items_written for table in summary.tables] == [ITEMS, 30]


async def test_no_secret_reaches_the_state_the_summary_or_what_is_said(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "wJalrXUtnFEMI-not-a-real-key"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    said: list[str] = []
    outcome = await execute(plan_for(world, tmp_path), say=said.append)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    shown = "\n".join([*said, repr(outcome), repr(plan_for(world, tmp_path))]).encode()
    for hidden in (secret, TARGET_EXTERNAL_ID, "FwoGZXIvYXdz", "ASIA"):
        assert hidden.encode() not in kept + shown
    assert b"arn:aws" in kept


async def test_a_target_created_again_since_the_run_began_is_refused(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(world, tmp_path, readers=1, writers=1, segments=12)
    ids = iter(["id-1", "id-2"])
    given = give_target_ids(monkeypatch, lambda: next(ids))
    await stopped_halfway(world, plan)
    outcome = await execute(plan)
    assert given == ["id-1", "id-2"]
    assert isinstance(outcome.error, StateError)
    assert "created again" in (outcome.error.hint or "")


def give_target_ids(monkeypatch: pytest.MonkeyPatch, next_id: Callable[[], str]) -> list[str]:
    """moto gives tables no id, as the service does: each look at the target gets the next one."""
    given: list[str] = []

    async def with_ids(*arguments: Any, **settings: Any) -> tuple[TablePreflight, ...]:
        (look,) = await preflight(*arguments, **settings)
        assert look.target is not None
        given.append(next_id())
        target = msgspec.structs.replace(look.target, table_id=given[-1])
        return (msgspec.structs.replace(look, target=target),)

    monkeypatch.setattr("dynaferry.run.copy_tables.preflight", with_ids)
    return given


async def test_a_state_directory_that_cannot_be_made_is_refused(
    world: MotoWorld, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = await execute(plan_for(world, tmp_path / "file"))
    assert isinstance(outcome.error, StateError)
    assert outcome.summary.status == "refused"
    with pytest.raises(Exception, match="ResourceNotFound"):  # nothing was created for nothing
        await world.target_tables.describe_table("orders")


@pytest.mark.parametrize("also_at_the_end", [False, True])
async def test_a_state_that_cannot_be_written_any_more_fails_the_run_with_its_true_counts(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also_at_the_end: bool
) -> None:
    full = StateWriteError("the disk is full", hint="make room")
    checkpoint = SqliteStore.checkpoint

    async def store_once(self: SqliteStore, table: int, *rest: Any) -> None:
        if (await self.read_totals(0)).items_written:
            raise full
        await checkpoint(self, table, *rest)

    async def fail(*_: Any) -> None:
        raise StateWriteError("the disk is still full")

    plan = plan_for(world, tmp_path, readers=1, writers=1, segments=12)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "checkpoint", store_once)
        patch.setattr("dynaferry.copy.checkpoint.CHECKPOINT_SECONDS", 0.01)
        if also_at_the_end:
            patch.setattr(SqliteStore, "end_attempt", fail)
        outcome = await execute(plan)
    assert outcome.error is full
    assert outcome.summary.status == "failed"
    (table,) = outcome.summary.tables
    assert 0 < table.items_written < ITEMS
    assert table.items_read == table.items_written
    resumed = await execute(plan)
    assert resumed.summary.tables[0].items_read == ITEMS


async def test_how_a_run_ended_is_stored(world: MotoWorld, tmp_path: Path) -> None:
    await copy_table(plan_for(world, tmp_path))
    store = await SqliteStore.open_for_reading(tmp_path, "orders")
    run = await store.read_run()
    await store.aclose()
    assert (run.status, run.attempts, run.error_type) == ("complete", 1, None)
    assert run.ended_at is not None
    assert run.ended_at >= run.started_at


async def test_a_notice_is_said_once_and_names_its_tables_where_it_is_not_about_all(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.source_tables.create_table("users")
    looked = preflight

    async def with_notices(*sides: Any, **settings: Any) -> tuple[TablePreflight, ...]:
        orders, users = await looked(*sides, **settings)
        return (
            msgspec.structs.replace(orders, notices=(warning("of both"), warning("of one"))),
            msgspec.structs.replace(users, notices=(warning("of both"), warning("of the other"))),
        )

    monkeypatch.setattr("dynaferry.run.copy_tables.preflight", with_notices)
    said: list[str] = []
    tables = (TablePlan("orders", "orders"), TablePlan("users", "users"))
    await execute(plan_for(world, tmp_path, tables=tables), say=said.append)
    assert said == ["of both", "orders: of one", "users: of the other"]


async def test_a_state_directory_that_others_may_change_is_named(
    world: MotoWorld, tmp_path: Path
) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    state_dir.chmod(0o777)
    said: list[str] = []
    outcome = await execute(plan_for(world, state_dir), say=said.append)
    assert outcome.summary.status == "complete"
    assert any("may be changed by others (mode 777)" in line for line in said)


async def test_a_service_that_does_not_respond_before_anything_began_refuses_the_run(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise UnavailableError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr("dynaferry.run.copy_tables.preflight", fail)
        outcome = await execute(plan_for(world, tmp_path))
    assert outcome.summary.status == "refused"
    assert not state_path(tmp_path, "orders").exists()

    await stopped_halfway(world, plan_for(world, tmp_path))
    monkeypatch.setattr("dynaferry.run.copy_tables.preflight", fail)
    outcome = await execute(plan_for(world, tmp_path))
    assert outcome.summary.status == "failed", "the same command resumes"
    outcome = await execute(plan_for(world, tmp_path, restart=True))
    assert outcome.summary.status == "refused"


async def test_a_complete_run_whose_target_is_empty_now_is_not_called_complete(
    world: MotoWorld, tmp_path: Path
) -> None:
    await copy_table(plan_for(world, tmp_path))
    for number in range(ITEMS):
        key = {"pk": {"S": f"k{number}"}}
        await world.target_tables.call("DeleteItem", {"TableName": "orders", "Key": key})
    outcome = await execute(plan_for(world, tmp_path))
    assert isinstance(outcome.error, PreflightError)
    assert f"is empty now: the {ITEMS} items that it wrote are gone" in outcome.error.message
    assert "was completed at 20" in outcome.error.message
    assert outcome.summary.status == "refused"
    with pytest.raises(PreflightError, match="is empty now"):
        await dry_run(plan_for(world, tmp_path))
    summary = await copy_table(plan_for(world, tmp_path, restart=True))
    assert summary.tables[0].items_written == ITEMS


@pytest.mark.parametrize("side", ["source", "target"])
async def test_a_complete_run_of_tables_that_were_made_anew_is_not_called_complete(
    world: MotoWorld, tmp_path: Path, side: str
) -> None:
    await copy_table(plan_for(world, tmp_path))
    tables = world.source_tables if side == "source" else world.target_tables
    await tables.call("DeleteTable", {"TableName": "orders"})
    await tables.create_table("orders")
    await tables.put_items("orders", [an_item(1)])
    outcome = await execute(plan_for(world, tmp_path))
    assert isinstance(outcome.error, StateError)
    assert f"the {side} was dropped and created again" in (outcome.error.hint or "")


async def test_a_complete_run_says_what_it_may_not_read(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await copy_table(plan_for(world, tmp_path))

    async def deny(*_: Any) -> bool:
        raise AccessDeniedError("no")

    monkeypatch.setattr("dynaferry.run.completed.has_items", deny)
    said: list[str] = []
    outcome = await execute(plan_for(world, tmp_path), say=said.append)
    assert outcome.summary.status == "complete"
    assert any("was not looked at: no permission for dynamodb:Scan" in line for line in said)
