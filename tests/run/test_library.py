"""A copy from Python: by names, by a plan, with progress; its estimate, pause and limits."""

from pathlib import Path
from typing import get_type_hints

import pytest

from dynaferry import (
    Account,
    CopyPlan,
    PlanError,
    RunProgress,
    StopSignal,
    TablePlan,
    copy_table,
    copy_tables,
    estimate,
    pause,
    resume,
    set_limits,
)
from dynaferry.errors import StateError
from dynaferry.plan.settings import PlanOptions
from dynaferry.state.sqlite.store import SqliteStore
from tests.worlds.moto import MotoWorld

ITEMS = 30


@pytest.fixture
async def world(moto_world: MotoWorld) -> MotoWorld:
    """Two accounts, and two tables in the source."""
    for table in ("orders", "events"):
        await moto_world.source_tables.create_table(table)
        items = [{"pk": {"S": f"k{number}"}} for number in range(ITEMS)]
        await moto_world.source_tables.put_items(table, items)
    return moto_world


def plan_of(world: MotoWorld, state_dir: Path) -> CopyPlan:
    return CopyPlan(
        tables=(TablePlan("orders", "orders"), TablePlan("events", "events")),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        create_target=True,
        run="both",
    )


# By names ----------------------------------------------------------------------------------------


def test_every_setting_of_a_plan_is_a_keyword_with_its_type() -> None:
    settings = get_type_hints(CopyPlan, include_extras=False)
    keywords = get_type_hints(PlanOptions)
    assert keywords == {
        name: settings[name] for name in settings if name not in ("tables", "source", "target")
    }


def test_a_plan_for_one_table_takes_settings_by_name() -> None:
    plan = CopyPlan.for_table("orders", create_target=True, max_write_units=500, run="mine")
    assert plan.tables == (TablePlan("orders", "orders"),)
    assert (plan.create_target, plan.max_write_units, plan.run_name) == (True, 500, "mine")


@pytest.mark.parametrize("option", [{"writers": 0}, {"max_write_units": "8k"}])
def test_a_setting_that_makes_no_sense_is_refused_where_it_is_written(
    option: PlanOptions,
) -> None:
    with pytest.raises(PlanError):
        CopyPlan.for_table("orders", "orders", **option)


def test_a_keyword_that_is_no_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="writer"):
        CopyPlan.for_table("orders", "orders", writer=3)  # type: ignore[call-arg]


async def test_one_table_is_copied_by_its_name_with_settings_as_keywords(
    world: MotoWorld, tmp_path: Path
) -> None:
    summary = await copy_table(
        "orders",
        "copied",
        from_=world.source,
        to=world.target,
        create_target=True,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=tmp_path,
    )
    assert (summary.run, summary.status) == ("orders-to-copied", "complete")
    assert len(await world.target_tables.read_table("copied")) == ITEMS


async def test_a_plan_and_a_target_beside_it_are_not_taken_for_each_other(tmp_path: Path) -> None:
    plan = CopyPlan.for_table("orders", state_dir=tmp_path)
    with pytest.raises(PlanError, match="a plan says all that is copied"):
        await copy_table(plan, to=Account(region="eu-west-1"))  # type: ignore[call-overload]


# Progress ----------------------------------------------------------------------------------------


async def test_progress_is_told_and_at_last_that_all_is_done(
    world: MotoWorld, tmp_path: Path
) -> None:
    seen: list[RunProgress] = []
    summary = await copy_tables(plan_of(world, tmp_path), on_progress=seen.append)
    assert summary.status == "complete"
    assert seen[0].total.progress_ratio < 1
    assert [table.progress_ratio for table in seen[-1].tables] == [1.0, 1.0]
    assert (seen[-1].total.items_done, seen[-1].total.progress_ratio) == (2 * ITEMS, 1.0)
    ratios = [each.total.progress_ratio for each in seen]
    assert ratios == sorted(ratios)


async def test_who_is_told_may_stop_the_copy_and_the_same_call_resumes_it(
    world: MotoWorld, tmp_path: Path
) -> None:
    stop = StopSignal()
    plan = plan_of(world, tmp_path)
    first = await copy_tables(plan, stop=stop, on_progress=lambda _: stop.ask())
    assert first.status == "interrupted"
    assert (await copy_tables(plan)).status == "complete"


async def test_what_the_callback_raises_ends_the_copy_which_can_be_resumed(
    world: MotoWorld, tmp_path: Path
) -> None:
    def broken(_: RunProgress) -> None:
        raise ZeroDivisionError("of the caller's")

    plan = plan_of(world, tmp_path)
    with pytest.raises(ExceptionGroup) as caught:
        await copy_tables(plan, on_progress=broken)
    assert caught.group_contains(ZeroDivisionError)
    assert (await copy_tables(plan)).status == "complete"


# The estimate ------------------------------------------------------------------------------------


async def test_an_estimate_has_each_table_and_the_whole_and_writes_nothing(
    world: MotoWorld, tmp_path: Path
) -> None:
    expected = await estimate(plan_of(world, tmp_path / "state"))
    assert [(table.source, table.items) for table in expected.tables] == [
        ("orders", ITEMS),
        ("events", ITEMS),
    ]
    assert all(table.creates_target for table in expected.tables)
    assert expected.items == 2 * ITEMS
    assert expected.cost == pytest.approx(
        sum(table.read_cost + table.write_cost for table in expected.tables)
    )
    assert expected.seconds is not None
    assert expected.seconds >= max(table.seconds or 0.0 for table in expected.tables)
    assert not (tmp_path / "state").exists()


# Pause and limits --------------------------------------------------------------------------------


async def test_a_run_is_paused_limited_and_let_go_from_code(
    world: MotoWorld, tmp_path: Path
) -> None:
    await copy_tables(plan_of(world, tmp_path))
    held = await pause("both", state_dir=tmp_path)
    assert held.paused_at is not None
    limited = await set_limits("both", max_write_units=500, state_dir=str(tmp_path))
    assert (limited.write.units_per_second, limited.write.origin) == (500, "set")
    assert limited.read.units_per_second is None
    store = await SqliteStore.open_for_reading(tmp_path, "both")
    kept = await store.read_controls()
    await store.aclose()
    assert (kept.paused_at, kept.max_write_units) == (held.paused_at, 500)
    freed = await set_limits("both", max_write_units="plan", state_dir=tmp_path)
    assert freed.write.origin == "plan"
    assert (await resume("both", state_dir=tmp_path)).paused_at is None


async def test_one_table_of_a_run_is_paused_and_limited_by_itself(
    world: MotoWorld, tmp_path: Path
) -> None:
    await copy_tables(plan_of(world, tmp_path))
    limited = await set_limits("both", max_read_units=50, table="events", state_dir=tmp_path)
    assert limited.read.units_per_second == 50
    held = await pause("both", table="events", state_dir=tmp_path)
    assert held.paused_at is not None
    store = await SqliteStore.open_for_reading(tmp_path, "both")
    kept = await store.read_controls()
    await store.aclose()
    assert (kept.paused_at, kept.max_read_units) == (None, None)
    assert list(kept.tables) == ["events"]
    assert (await resume("both", table="events", state_dir=tmp_path)).paused_at is None
    with pytest.raises(PlanError, match="has no table 'evens'"):
        await pause("both", table="evens", state_dir=tmp_path)


@pytest.mark.parametrize("units", [0, -1, float("nan"), float("inf"), True])
async def test_a_limit_that_is_none_is_refused(units: float, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="max_read_units cannot be"):
        await set_limits("both", max_read_units=units, state_dir=tmp_path)


async def test_what_is_asked_of_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        await pause("nothing", state_dir=tmp_path)
