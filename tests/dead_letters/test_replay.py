"""A replay of a run's dead letters between two accounts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import msgspec
import pytest
from anyio import to_thread

from dynaferry import CopyPlan, StopSignal, copy_table
from dynaferry.cli.commands.status_document import to_summary
from dynaferry.dead_letters.replay import ReplayOutcome, ReplayRequest, replay
from dynaferry.dead_letters.request import check_is_the_same, find_target, plan_of
from dynaferry.errors import PlanError, PreflightError, StateError
from dynaferry.limits import PRICE_PER_MILLION_WRITES
from dynaferry.observe.summary import RunSummary
from dynaferry.plan.settings import Account, TablePlan
from dynaferry.report.page import render
from dynaferry.report.stored_run import read_stored_run
from dynaferry.run.copy_tables import execute
from dynaferry.state.records import (
    ControlsChange,
    DeadLetter,
    RunIdentity,
    RunRecord,
    TableCounters,
    TableIdentity,
    ThrottleCount,
)
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.stored_letters import stored_letters
from tests.worlds.client import WireItem
from tests.worlds.described import ENDPOINT, described, described_on_the_wire, scripted
from tests.worlds.moto import REGION, TARGET_EXTERNAL_ID, MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items, throttling_once

ITEMS = 120
BAD = 30


def an_item(number: int) -> WireItem:
    """Every fourth is one that the target refuses; numbers keep their notation."""
    note = REFUSED if number % (ITEMS // BAD) == 0 else "fine"
    return {"pk": {"S": f"k{number}"}, "n": {"N": str(number)}, "note": {"S": note}}


def plan_for(world: MotoWorld, state_dir: Path) -> CopyPlan:
    return CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        segments=4,
        readers=2,
        writers=2,
    )


def request_for(state_dir: Path, **settings: object) -> ReplayRequest:
    request = ReplayRequest(
        run="orders",
        state_dir=state_dir,
        target=Account(external_id=TARGET_EXTERNAL_ID),
    )
    return msgspec.structs.replace(request, **settings)


async def seed(world: MotoWorld) -> None:
    await world.source_tables.create_table("orders")
    await world.source_tables.put_items("orders", [an_item(n) for n in range(ITEMS)])
    await world.target_tables.create_table("orders")


@pytest.fixture
async def rejected(moto_world: MotoWorld, tmp_path: Path) -> RunSummary:
    """A copy that left letters, and whose cause is mended."""
    await seed(moto_world)
    with refusing_marked_items():
        summary = await copy_table(plan_for(moto_world, tmp_path))
    assert summary.status == "rejected"
    assert summary.tables[0].items_rejected == BAD
    return summary


async def letters_in(state_dir: Path) -> list[DeadLetter]:
    store = await SqliteStore.open_for_reading(state_dir, "orders")
    try:
        return await stored_letters(store)
    finally:
        await store.aclose()


async def counters_in(state_dir: Path) -> TableCounters:
    (table,) = (await read_stored_run(state_dir, "orders", whole=True)).tables
    return table.counters


def check_sums(outcome: ReplayOutcome, *, rejected: int) -> None:
    (table,) = outcome.summary.tables
    assert table.items_read == ITEMS
    assert table.items_rejected == rejected == outcome.summary.left
    assert table.items_read == table.items_written + table.items_rejected + table.items_filtered


async def test_once_the_cause_is_removed_the_tables_are_equal_and_the_run_is_complete(
    moto_world: MotoWorld, tmp_path: Path, rejected: RunSummary
) -> None:
    outcome = await replay(request_for(tmp_path))
    assert outcome.error is None
    assert (outcome.summary.status, outcome.summary.run_status) == ("complete", "complete")
    assert (outcome.summary.written, outcome.summary.refused) == (BAD, 0)
    check_sums(outcome, rejected=0)
    assert outcome.summary.tables[0].write_units > rejected.tables[0].write_units
    source = await moto_world.source_tables.read_table("orders")
    assert await moto_world.target_tables.read_table("orders") == source
    again = await copy_table(plan_for(moto_world, tmp_path))
    assert (again.status, again.tables[0].items_rejected) == ("complete", 0)


@pytest.mark.usefixtures("rejected")
async def test_a_throttle_of_a_replay_is_shown_with_its_reason_by_report_and_status(
    tmp_path: Path,
) -> None:
    reason = "TableWriteKeyRangeThroughputExceeded"
    with throttling_once("PutItem", reason, "arn:aws:dynamodb:eu-west-1:1:table/orders"):
        outcome = await replay(request_for(tmp_path))
    assert outcome.error is None
    assert (outcome.summary.written, outcome.summary.tables[0].throttled_requests) == (BAD, 1)
    stored = await read_stored_run(tmp_path, "orders", whole=True)
    told = ThrottleCount(operation="PutItem", reason=reason, times=1)
    assert stored.tables[0].counters.throttles == (told,)
    assert to_summary(stored).tables[0].throttled_requests == told.times
    assert f"PutItem: {reason}" in await to_thread.run_sync(render, stored, None)


async def test_what_a_replay_costs_is_in_the_report(
    tmp_path: Path, rejected: RunSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan_at_a_dollar_a_unit(record: RunRecord, request: ReplayRequest) -> CopyPlan:
        """So that the cost is to be seen in the cents of a report."""
        return msgspec.structs.replace(plan_of(record, request), price_per_million_writes=1e6)

    monkeypatch.setattr("dynaferry.dead_letters.replay.plan_of", plan_at_a_dollar_a_unit)
    before = await counters_in(tmp_path)
    outcome = await replay(request_for(tmp_path))
    units = outcome.summary.tables[0].write_units - rejected.tables[0].write_units
    assert units >= BAD
    cost = (await counters_in(tmp_path)).dollars
    assert cost == pytest.approx(before.dollars + units), "what the copy cost stays as it was"
    stored = await read_stored_run(tmp_path, "orders", whole=True)
    assert f"${cost:,.2f}" in await to_thread.run_sync(render, stored, None)


@pytest.mark.usefixtures("rejected")
async def test_a_replay_is_counted_at_the_listed_price(tmp_path: Path) -> None:
    before = await counters_in(tmp_path)
    await replay(request_for(tmp_path))
    after = await counters_in(tmp_path)
    units = after.write_units - before.write_units
    assert after.dollars - before.dollars == pytest.approx(units * PRICE_PER_MILLION_WRITES / 1e6)


async def ask(state_dir: Path, **change: object) -> None:
    store = await SqliteStore.open_to_control(state_dir, "orders")
    await store.change_controls(ControlsChange(**change), 1.0)  # type: ignore[arg-type]
    await store.aclose()


@pytest.mark.usefixtures("rejected")
async def test_a_replay_follows_what_is_asked_of_its_run(tmp_path: Path) -> None:
    await ask(tmp_path, paused=True)
    said: list[str] = []

    async def until_said(line: str) -> None:
        with anyio.fail_after(20):
            while line not in said:  # noqa: ASYNC110  # a list tells nobody that it grew
                await anyio.sleep(0.02)

    async def talk() -> None:
        await until_said("it waits for: dynaferry resume orders")
        await ask(tmp_path, max_write_units=5000.0)
        await until_said("orders: paused, writes at most 5,000 units/s (set by hand)")
        assert len(await letters_in(tmp_path)) == BAD
        await ask(tmp_path, paused=False)

    async with anyio.create_task_group() as beside:
        beside.start_soon(talk)
        outcome = await replay(request_for(tmp_path), say=said.append)
    assert outcome.summary.status == "complete"
    check_sums(outcome, rejected=0)


@pytest.mark.usefixtures("rejected")
async def test_a_stop_ends_a_paused_replay_and_the_letters_stay(tmp_path: Path) -> None:
    await ask(tmp_path, paused=True)
    stop = StopSignal()

    def stop_in_the_pause(line: str) -> None:
        if line.startswith("it waits for"):
            stop.ask()

    with anyio.fail_after(20):
        outcome = await replay(request_for(tmp_path), stop=stop, say=stop_in_the_pause)
    assert (outcome.summary.status, outcome.summary.written) == ("interrupted", 0)
    assert len(await letters_in(tmp_path)) == BAD


@pytest.mark.usefixtures("rejected")
async def test_what_is_refused_again_stays_with_the_new_reason(tmp_path: Path) -> None:
    with refusing_marked_items("another reason"):
        outcome = await replay(request_for(tmp_path))
    assert (outcome.summary.status, outcome.summary.run_status) == ("rejected", "rejected")
    assert (outcome.summary.written, outcome.summary.refused) == (0, BAD)
    check_sums(outcome, rejected=BAD)
    letters = await letters_in(tmp_path)
    assert len(letters) == BAD
    assert {letter.error_message for letter in letters} == {"another reason"}


@pytest.mark.usefixtures("rejected")
async def test_an_item_that_the_target_got_meanwhile_is_not_overwritten_unless_asked_for(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    newer = an_item(0) | {"n": {"N": "7777"}}
    same = an_item(4) | {"n": {"N": "4.0"}}  # the same number, written otherwise
    await moto_world.target_tables.put_items("orders", [newer, same])
    outcome = await replay(request_for(tmp_path))
    assert (outcome.summary.written, outcome.summary.refused) == (BAD - 1, 1)
    check_sums(outcome, rejected=1)
    (letter,) = await letters_in(tmp_path)
    assert letter.error_code == "ItemPresent"
    assert newer in await moto_world.target_tables.read_items("orders")

    outcome = await replay(request_for(tmp_path, if_present="overwrite"))
    assert outcome.summary.run_status == "complete"
    check_sums(outcome, rejected=0)
    assert an_item(0) in await moto_world.target_tables.read_items("orders")


@pytest.mark.usefixtures("rejected")
async def test_a_run_without_letters_is_left_as_it_is_and_nobody_is_called(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await replay(request_for(tmp_path))
    moto_world.reset()  # a call would fail
    outcome = await replay(request_for(tmp_path))
    assert outcome.error is None
    assert (outcome.summary.status, outcome.summary.written) == ("complete", 0)


async def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    outcome = await replay(request_for(tmp_path))
    assert isinstance(outcome.error, StateError)
    assert (outcome.summary.status, outcome.summary.run_status) == ("refused", None)


@pytest.mark.usefixtures("rejected")
async def test_a_run_that_somebody_works_on_is_refused(tmp_path: Path) -> None:
    working = await SqliteStore.open(tmp_path, "orders")
    try:
        outcome = await replay(request_for(tmp_path))
    finally:
        await working.aclose()
    assert isinstance(outcome.error, StateError)
    assert "another dynaferry works on this run" in outcome.error.message
    assert len(await letters_in(tmp_path)) == BAD


@pytest.mark.usefixtures("rejected")
async def test_a_target_that_is_gone_is_refused(moto_world: MotoWorld, tmp_path: Path) -> None:
    await moto_world.target_tables.call("DeleteTable", {"TableName": "orders"})
    gone = await replay(request_for(tmp_path))
    assert isinstance(gone.error, PreflightError)
    assert "is gone" in gone.error.message
    assert (gone.summary.status, gone.summary.left) == ("refused", BAD)


def test_a_target_that_was_made_anew_is_refused() -> None:
    found = described(table_id="of-today")
    stored = TableIdentity(
        source_arn="arn:source",
        source_table_id=None,
        source_endpoint="",
        target_arn=found.arn,
        target_table_id="of-yesterday",
        target_endpoint="",
        total_segments=1,
    )
    with pytest.raises(PreflightError, match="dropped and created again"):
        check_is_the_same(stored, found, "orders")
    check_is_the_same(msgspec.structs.replace(stored, target_table_id="of-today"), found, "orders")


@pytest.mark.parametrize("takes_arns", [True, False, None])
async def test_a_target_is_asked_for_by_the_arn_that_the_run_wrote_to_where_arns_are_taken(
    takes_arns: bool | None,
) -> None:
    there = described_on_the_wire()
    session = scripted("target", describe_table=[there])
    session.takes_arns = takes_arns
    arn = there["Table"]["TableArn"]
    stored = TableIdentity(
        source_arn="arn:source",
        source_table_id=None,
        source_endpoint="",
        target_arn=arn,
        target_table_id=None,
        target_endpoint=ENDPOINT,
        total_segments=1,
    )
    record: Any = SimpleNamespace(run="orders", identity=RunIdentity(tables=(stored,)))
    assert (await find_target(session, "orders", record, 0)).arn == arn
    asked = session.client.requests_of("describe_table")[0]
    assert asked == {"TableName": arn if takes_arns else "orders"}


def test_where_there_is_no_id_a_target_is_recognised_by_its_creation_and_its_endpoint() -> None:
    found = described(table_id=None)
    assert found.created_at is not None
    stored = TableIdentity(
        source_arn="arn:source",
        source_table_id=None,
        source_endpoint="",
        target_arn=found.arn,
        target_table_id=None,
        target_endpoint=found.endpoint,
        target_created_at=found.created_at.timestamp(),
        total_segments=1,
    )
    check_is_the_same(stored, found, "orders")
    check_is_the_same(msgspec.structs.replace(stored, target_created_at=None), found, "orders")
    for another in ({"target_created_at": 1.0}, {"target_endpoint": "http://127.0.0.1:8"}):
        with pytest.raises(PreflightError, match="dropped and created again"):
            check_is_the_same(msgspec.structs.replace(stored, **another), found, "orders")


@pytest.mark.usefixtures("rejected")
async def test_credentials_that_see_another_account_are_refused(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    other = "arn:aws:iam::333333333333:role/other"
    account = Account(role_arn=other, external_id=TARGET_EXTERNAL_ID)
    outcome = await replay(request_for(tmp_path, target=account))
    assert isinstance(outcome.error, PreflightError)
    assert REGION in outcome.error.message


@pytest.mark.usefixtures("rejected")
async def test_a_replay_with_settings_that_make_no_sense_is_a_plan_error(tmp_path: Path) -> None:
    outcome = await replay(request_for(tmp_path, max_write_units=0.0))
    assert isinstance(outcome.error, PlanError)
    assert "--max-write-units" in outcome.error.message


async def test_letters_of_an_unfinished_copy_are_replayed_and_the_copy_goes_on_behind_them(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await seed(moto_world)
    plan = msgspec.structs.replace(plan_for(moto_world, tmp_path), max_rejected=BAD // 2, readers=1)
    with refusing_marked_items():
        stopped = await execute(plan)
    assert stopped.summary.status == "failed"
    counted = stopped.summary.tables[0].items_rejected
    assert counted <= BAD // 2
    outcome = await replay(request_for(tmp_path))
    assert (outcome.summary.status, outcome.summary.run_status) == ("complete", "failed")
    assert outcome.summary.written == counted
    summary = await copy_table(plan)
    (table,) = summary.tables
    assert (summary.status, table.items_written, table.items_rejected) == ("complete", ITEMS, 0)
    source = await moto_world.source_tables.read_table("orders")
    assert await moto_world.target_tables.read_table("orders") == source


async def test_a_run_started_over_has_no_letter_of_the_earlier_one(
    moto_world: MotoWorld, tmp_path: Path, rejected: RunSummary
) -> None:
    plan = msgspec.structs.replace(plan_for(moto_world, tmp_path), restart=True)
    with refusing_marked_items():
        again = await copy_table(plan)
    assert again.tables[0].items_rejected == rejected.tables[0].items_rejected == BAD
    assert len(await letters_in(tmp_path)) == BAD
