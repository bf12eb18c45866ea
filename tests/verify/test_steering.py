"""A verification that is held back, paused and let go while it runs, by its run's state."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from dynaferry import StopSignal, copy_table
from dynaferry.plan.schedule import Schedule, ScheduleEntry
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.state.directory import state_path
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.run import execute
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.stats import ComparisonRunStats
from tests.faults.world import SOURCE, TARGET, World, faulty_world, some_items

ITEMS = 200
# What is asked takes effect within so long; the tests wait for it and do not measure it.
SOON_SECONDS = 5.0
# Under this cap the first page alone would take a minute.
LOW_UNITS = 1.0


def plan_of(world: World, state_dir: Path, **settings: object) -> CopyPlan:
    account = Account(region="us-east-1", endpoint_url=world.url)
    plan = CopyPlan(
        tables=(TablePlan(SOURCE, TARGET),),
        source=account,
        target=account,
        state_dir=state_dir,
        run="orders",
        segments=4,
    )
    return replace(plan, **settings)


async def ask(state_dir: Path, **change: object) -> None:
    store = await SqliteStore.open_to_control(state_dir, "orders")
    await store.change_controls(ControlsChange(**change), 1.0)  # type: ignore[arg-type]
    await store.aclose()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(SOON_SECONDS):
        while not condition():  # noqa: ASYNC110  # counters tell nobody that they moved
            await anyio.sleep(0.02)


async def test_a_verification_follows_what_is_asked_of_its_run(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        await copy_table(plan_of(world, tmp_path))

        async def talk(stats: ComparisonRunStats) -> None:
            (table,) = stats.tables
            assert stats.limits_in_words == "reads at most 1 units/s (as planned)"
            await ask(tmp_path, paused=True, max_read_units="none")
            await until(lambda: stats.paused)
            assert stats.limits_in_words == "paused, no limit on reads (set by hand)"
            await until(lambda: table.requests_in_flight == 0 and table.requests_waiting > 0)
            before = table.items_read
            await anyio.sleep(0.3)  # long enough for a request that slips through
            assert table.items_read == before < ITEMS
            await ask(tmp_path, paused=False)

        wanted = VerifyPlan(copy=plan_of(world, tmp_path, max_read_units=LOW_UNITS))
        with anyio.fail_after(20):
            outcome = await execute(wanted, watch=talk)
        assert outcome.summary.status == "equal"


async def test_a_run_that_was_paused_before_holds_its_verification_and_says_how_it_goes_on(
    tmp_path: Path,
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        await copy_table(plan_of(world, tmp_path))
        await ask(tmp_path, paused=True)
        said, stop = list[str](), StopSignal()

        async def stop_in_the_pause(stats: ComparisonRunStats) -> None:
            await until(lambda: stats.tables[0].requests_waiting > 0)
            assert stats.tables[0].items_read == 0
            stop.ask()

        wanted = VerifyPlan(copy=plan_of(world, tmp_path))
        with anyio.fail_after(20):
            outcome = await execute(wanted, watch=stop_in_the_pause, stop=stop, say=said.append)
        assert outcome.summary.status == "interrupted"
        assert said == ["orders: paused", "it waits for: dynaferry resume orders"]


@pytest.mark.parametrize("state", ["missing", "damaged"])
async def test_without_a_run_that_can_be_read_flags_and_schedule_hold(
    tmp_path: Path, state: str
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        await copy_table(plan_of(world, tmp_path))
        path = state_path(tmp_path, "orders")
        path.unlink()
        if state == "damaged":
            path.write_bytes(b"not a database")
        always = Schedule(schedule=(ScheduleEntry(max_read_units=1e6),))
        said: list[str] = []
        wanted = VerifyPlan(copy=plan_of(world, tmp_path, max_read_units=5e5, limits=always))
        with anyio.fail_after(20):
            outcome = await execute(wanted, say=said.append)
        assert outcome.summary.status == "equal"
        assert "orders: reads at most 1,000,000 units/s (by the schedule)" in said
        assert any("are not followed" in line for line in said) == (state == "damaged")
