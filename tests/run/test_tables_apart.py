"""Eight tables of one plan: one ends alone, the others complete, and later it is copied alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio.lowlevel
import msgspec
import pytest
from msgspec.structs import replace

from dynaferry import copy_table
from dynaferry.cli import exit_codes
from dynaferry.errors import (
    AccessDeniedError,
    PlanError,
    PreflightError,
    StateError,
    StateWriteError,
    TableNotFoundError,
    TablesFailedError,
)
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.report.stored_run import StoredRun, read_stored_run
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from dynaferry.run.table_copy import TableTask, copy_one_table
from dynaferry.verify.run import verify_tables
from dynaferry.verify.settings import VerifyPlan
from tests.worlds.client import WireItem
from tests.worlds.moto import MotoWorld

NAMES = tuple(f"table-{number}" for number in range(8))
BAD = "table-5"
ITEMS, MANY_ITEMS = 3, 200


def an_item(number: int) -> WireItem:
    return {"pk": {"S": f"k{number}"}, "n": {"N": str(number)}}


def items_of(name: str) -> int:
    return MANY_ITEMS if name == BAD else ITEMS


async def make_sources(world: MotoWorld, names: Sequence[str]) -> None:
    for name in names:
        await world.source_tables.create_table(name)
        await world.source_tables.put_items(name, [an_item(n) for n in range(items_of(name))])


def plan_for(
    world: MotoWorld, state_dir: Path, names: Sequence[str] = NAMES, **settings: Any
) -> CopyPlan:
    plan = CopyPlan(
        tables=tuple(TablePlan(name, name) for name in names),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        run="move",
        create_target=True,
        segments=6,
        readers=1,
        writers=1,
        tables_at_once=3,
    )
    return replace(plan, **settings)


def dropping(world: MotoWorld, name: str) -> Callable[[RunStats], Any]:
    """Drops a target once some of it is written."""

    async def drop(stats: RunStats) -> None:
        (own,) = (table for table in stats.tables if table.source == name)
        while own.items_written == 0:  # plain counters tell nobody
            await anyio.lowlevel.checkpoint()
        await world.target_tables.call("DeleteTable", {"TableName": name})

    return drop


def failing(*names: str, error: Exception | None = None) -> Callable[[TableTask], Any]:
    """Copies a table, but for these, which fail."""

    async def copy(task: TableTask) -> None:
        if task.stats.source in names:
            raise error or AccessDeniedError(f"no right to {task.stats.source}", hint="ask")
        await copy_one_table(task)

    return copy


def noting(begun: list[str]) -> Callable[[TableTask], Any]:
    async def copy(task: TableTask) -> None:
        begun.append(task.stats.source)
        await copy_one_table(task)

    return copy


def statuses(outcome: Outcome) -> dict[str, str]:
    return {table.source: table.status for table in outcome.summary.tables}


async def stored(state_dir: Path) -> StoredRun:
    return await read_stored_run(state_dir, "move")


async def test_a_target_that_is_dropped_in_mid_run_ends_its_table_alone_and_can_be_restarted(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_for(moto_world, tmp_path)
    await make_sources(world, NAMES)
    await world.target_tables.create_table(BAD)  # of one just made it is no wonder
    said: list[str] = []
    outcome = await execute(plan, watch=dropping(world, BAD), say=said.append)
    assert isinstance(outcome.error, TableNotFoundError)
    assert statuses(outcome) == {n: "failed" if n == BAD else "complete" for n in NAMES}
    assert exit_codes.of_outcome(outcome.summary.status, outcome.error) == exit_codes.FAILED
    (failed,) = (table for table in outcome.summary.tables if table.error is not None)
    assert failed.error is not None
    assert (failed.source, failed.error.message) == (BAD, outcome.error.message)
    assert any(line.startswith(f"{BAD} failed, the other tables continue: ") for line in said)
    run = await stored(tmp_path)
    assert (run.record.status, run.record.error_type) == ("failed", "TableNotFoundError")
    assert [t.number for t in run.tables if t.error is not None] == [NAMES.index(BAD)]

    refused = await execute(replace(plan, fail_fast=False))
    assert isinstance(refused.error, PreflightError)
    assert f"--restart-table {BAD} " in (refused.error.hint or "")
    begun: list[str] = []
    again = await execute(replace(plan, restart_table=(BAD,)), copy_one=noting(begun))
    assert again.error is None
    assert begun == [BAD]
    assert again.summary.status == "complete"
    for name in NAMES:
        assert len(await world.target_tables.read_table(name)) == items_of(name)
    assert (await stored(tmp_path)).record.status == "complete"
    assert (await execute(plan)).summary.status == "complete"


async def test_the_same_command_later_does_only_what_is_left(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    plan = plan_for(moto_world, tmp_path)
    await make_sources(moto_world, NAMES)
    outcome = await execute(plan, copy_one=failing(BAD, "table-2"))
    assert isinstance(outcome.error, TablesFailedError)
    assert outcome.error.message == f"2 of 8 tables failed: table-2, {BAD}"
    assert {type(each) for each in outcome.error.errors} == {AccessDeniedError}
    begun: list[str] = []
    said: list[str] = []
    again = await execute(plan, copy_one=noting(begun), say=said.append)
    assert sorted(begun) == ["table-2", BAD]
    assert set(statuses(again).values()) == {"complete"}
    assert any("items are done" in line for line in said)
    document = msgspec.json.decode(msgspec.json.encode(outcome.summary))
    errors = {t["source"]: t["error"] for t in document["tables"] if t["error"] is not None}
    assert errors[BAD] == {
        "type": "AccessDeniedError",
        "message": f"no right to {BAD}",
        "hint": "ask",
    }


async def test_to_fail_fast_ends_the_others_as_interrupted(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_sources(moto_world, NAMES)
    plan = plan_for(moto_world, tmp_path, fail_fast=True, tables_at_once=1)
    outcome = await execute(plan, copy_one=failing("table-1"))
    assert isinstance(outcome.error, AccessDeniedError)
    assert statuses(outcome)["table-1"] == "failed"
    assert "interrupted" in statuses(outcome).values()


@pytest.mark.parametrize("error", [StateWriteError("the disk is full"), StateError("broken")])
async def test_what_no_table_can_go_on_without_ends_all(
    moto_world: MotoWorld, tmp_path: Path, error: Exception
) -> None:
    await make_sources(moto_world, NAMES[:3])
    plan = plan_for(moto_world, tmp_path, NAMES[:3], tables_at_once=1)
    outcome = await execute(plan, copy_one=failing(*NAMES, error=error))
    assert outcome.error is error
    assert sorted(statuses(outcome).values()) == ["failed", "interrupted", "interrupted"]


async def test_only_and_skip_take_some_tables_and_the_others_join_later(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    names = NAMES[:3]
    await make_sources(moto_world, names)
    plan = plan_for(moto_world, tmp_path, names)
    only = await execute(replace(plan, only=("table-1",)))
    assert statuses(only) == {"table-1": "complete"}
    assert (await stored(tmp_path)).record.status == "complete"
    skipping = await execute(replace(plan, skip=("table-0",)))
    assert statuses(skipping) == {"table-1": "complete", "table-2": "complete"}
    begun: list[str] = []
    every = await execute(plan, copy_one=noting(begun))
    assert (every.summary.status, begun) == ("complete", ["table-0"])
    run = await stored(tmp_path)
    in_file = [table.identity.source_arn.rpartition("/")[2] for table in run.tables]
    assert in_file == ["table-1", "table-2", "table-0"]
    assert [table.items_written for table in every.summary.tables] == [ITEMS] * 3


async def test_a_run_is_not_complete_while_a_table_of_its_plan_is_left_out(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    names = NAMES[:3]
    await make_sources(moto_world, names)
    plan = plan_for(moto_world, tmp_path, names)
    await execute(plan, copy_one=failing("table-1"))
    rest = await execute(replace(plan, skip=("table-1",)))
    assert (rest.summary.status, rest.error) == ("complete", None)
    assert (await stored(tmp_path)).record.status == "interrupted"


async def test_a_table_that_leaves_the_plan_leaves_its_run_and_comes_back_where_it_was(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    names = ("table-0", BAD, "table-1")
    await make_sources(moto_world, names)
    plan = plan_for(moto_world, tmp_path, names)

    async def stop_in_the_middle(task: TableTask) -> None:
        if task.stats.source != BAD:
            await copy_one_table(task)
            return
        async with anyio.create_task_group() as group:
            group.start_soon(copy_one_table, task)
            while task.stats.checkpointed_at is None or task.stats.items_written == 0:
                await anyio.lowlevel.checkpoint()
            raise AccessDeniedError("the policy was changed")

    first = await execute(plan, copy_one=stop_in_the_middle)
    (half,) = (table for table in first.summary.tables if table.source == BAD)
    without = replace(plan, tables=tuple(t for t in plan.tables if t.source != BAD))
    assert (await execute(without)).summary.status == "complete"
    run = await stored(tmp_path)
    assert (run.record.status, [table.number for table in run.tables]) == ("complete", [0, 2])
    back = await execute(plan)
    assert back.error is None
    (whole,) = (table for table in back.summary.tables if table.source == BAD)
    assert (whole.items_written, whole.segments_total) == (MANY_ITEMS, half.segments_total)
    assert [table.number for table in (await stored(tmp_path)).tables] == [0, 1, 2]


async def test_a_target_made_anew_concerns_its_table_alone(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, names = moto_world, NAMES[:3]
    await make_sources(world, names)
    plan = plan_for(world, tmp_path, names)
    await copy_table(plan)
    await world.target_tables.call("DeleteTable", {"TableName": "table-1"})
    await world.target_tables.create_table("table-1")
    outcome = await execute(plan)
    assert isinstance(outcome.error, PreflightError | StateError)
    assert "--restart-table table-1 " in (outcome.error.hint or "")
    rest = await execute(replace(plan, skip=("table-1",)))
    assert rest.summary.status == "complete"
    summary = await copy_table(replace(plan, restart_table=("table-1",)))
    assert summary.status == "complete"
    assert len(await world.target_tables.read_table("table-1")) == ITEMS


async def test_a_table_may_not_join_into_what_another_of_the_run_has_filled(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, names = moto_world, NAMES[:3]
    await make_sources(world, names)
    plan = plan_for(world, tmp_path, names[:2])
    await copy_table(plan)
    filled, other = plan.tables
    into_filled = TablePlan(names[2], filled.target)
    outcome = await execute(replace(plan, tables=(into_filled, other)))
    assert isinstance(outcome.error, StateError)
    assert f"{filled.target} was filled with {filled.source}" in outcome.error.message
    assert outcome.summary.status == "refused"


async def test_a_restarted_table_counts_from_the_start(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    names = NAMES[:2]
    await make_sources(moto_world, names)
    plan = plan_for(moto_world, tmp_path, names)
    before = (await copy_table(plan)).tables
    after = (await copy_table(replace(plan, restart_table=("table-1",), segments=None))).tables
    assert after[1].items_written == ITEMS
    assert 0 < after[1].write_units <= before[1].write_units
    assert after[1].segments_total != before[1].segments_total
    assert after[0] == replace(before[0], seconds=0.0, items_per_second=0.0)


async def test_the_seconds_of_all_attempts_are_summed_up(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_sources(moto_world, (BAD, "table-0"))
    plan = plan_for(moto_world, tmp_path, (BAD, "table-0"))
    await execute(plan, copy_one=failing(BAD))
    summary = await copy_table(plan)
    attempts = (await stored(tmp_path)).tables[0].attempts
    spans = [each.ended_at - each.started_at for each in attempts if each.ended_at is not None]
    assert len(spans) == 2
    assert summary.tables[0].total_seconds == pytest.approx(sum(spans), abs=0.002)
    assert summary.tables[1].total_seconds > 0.0
    assert summary.tables[1].seconds == 0.0


async def test_a_run_goes_on_without_a_table_that_is_refused_when_it_resumes(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, names = moto_world, NAMES[:4]
    await make_sources(world, names)
    plan = plan_for(world, tmp_path, names, fail_fast=True, tables_at_once=1)
    await execute(plan, copy_one=failing("table-3", "table-2", "table-1"))
    for name, again in (("table-0", False), ("table-2", True)):
        await world.target_tables.call("DeleteTable", {"TableName": name})
        if again:
            await world.target_tables.create_table(name)
    said: list[str] = []
    outcome = await execute(replace(plan, fail_fast=False), say=said.append)
    assert isinstance(outcome.error, TablesFailedError)
    assert outcome.summary.status == "failed"
    assert statuses(outcome) == {
        "table-0": "failed",
        "table-1": "complete",
        "table-2": "failed",
        "table-3": "complete",
    }
    why = {table.source: table.error for table in outcome.summary.tables if table.error}
    assert {error.type for error in why.values()} == {"PreflightError", "StateError"}
    assert all(f"--restart-table {name} " in (error.hint or "") for name, error in why.items())
    assert sum("the other tables continue" in line for line in said) == 2
    run = await stored(tmp_path)
    assert [table.number for table in run.tables if table.error is not None] == [0, 2]

    refused = await execute(replace(plan, fail_fast=False))
    assert refused.summary.status == "refused", "nothing is left to do but what is refused"
    summary = await copy_table(replace(plan, restart_table=("table-0", "table-2")))
    assert summary.status == "complete"


async def test_a_verification_compares_the_tables_that_are_chosen(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    names = NAMES[:2]
    await make_sources(moto_world, names)
    plan = plan_for(moto_world, tmp_path, names)
    await copy_table(replace(plan, skip=("table-1",)))
    chosen = VerifyPlan(copy=replace(plan, only=("table-0",)), settle_seconds=0.0)
    summary = await verify_tables(chosen)
    assert (summary.status, [table.source for table in summary.tables]) == ("equal", ["table-0"])
    with pytest.raises(PlanError, match="'table-9' is no table of the plan"):
        await verify_tables(replace(chosen, copy=replace(plan, skip=("table-9",))))
