"""A copy on the simulator that is held back, paused and let go while it runs."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from anyio import to_thread
from msgspec.structs import replace

from benchmarks.simulator import (
    NO_LATENCY,
    OnDemand,
    RunningSimulator,
    Settings,
    Table,
    simulator,
)
from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_limits import RunCaps
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.plan.resume_command import Invocation, recorded_command
from dynaferry.plan.schedule import Schedule, ScheduleEntry
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run.copy_tables import dry_run, execute
from dynaferry.run.outcome import Outcome
from dynaferry.state.records import Controls, ControlsChange, TableControls
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal

ITEMS = 4000
SOURCE = Table(name="source", items=ITEMS, item_bytes=600, latency=NO_LATENCY)
TARGET = Table(name="target", latency=NO_LATENCY, capacity=OnDemand(write_units=40_000))
# What is asked takes effect within so long; the tests wait for it and do not measure it.
SOON_SECONDS = 5.0

Talk = Callable[[RunStats], Awaitable[None]]


def plan_of(url: str, state_dir: Path, **settings: object) -> CopyPlan:
    account = Account(region="us-east-1", endpoint_url=url)
    plan = CopyPlan(
        tables=(TablePlan("source", "target"),),
        source=account,
        target=account,
        state_dir=state_dir,
        run="orders",
        segments=4,
        max_write_units=100.0,
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


async def copied(
    plan: CopyPlan, talk: Talk, stop: StopSignal | None = None, said: list[str] | None = None
) -> Outcome:
    """Copies while somebody talks to it."""
    lines = said if said is not None else []
    return await execute(plan, watch=talk, stop=stop, say=lines.append)


async def written(simulated: RunningSimulator) -> int:
    report = await to_thread.run_sync(simulated.report)
    return round(report.tables["target"].total(lambda second: second.items_written))


async def test_a_copy_follows_what_is_asked_of_it(tmp_path: Path) -> None:
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:

        async def talk(stats: RunStats) -> None:
            (table,) = stats.tables
            await until(lambda: table.items_written > 0)
            assert stats.limits_in_words == "writes at most 100 units/s (as planned)"
            assert (stats.read_cap_units, stats.write_cap_units) == (None, 100.0)
            await ask(tmp_path, paused=True)
            await until(lambda: stats.paused)
            await until(lambda: table.write_requests_in_flight == 0)
            before = await written(simulated)
            await anyio.sleep(0.3)  # long enough for a request that slips through
            assert await written(simulated) == before < ITEMS
            await ask(tmp_path, paused=False, max_write_units="none")
            await until(lambda: stats.limits_in_words == "no limit on writes (set by hand)")

        # At 100 units a second the rest would take another 40 seconds.
        with anyio.fail_after(20.0):
            outcome = await copied(plan_of(simulated.url, tmp_path), talk)
        assert outcome.summary.status == "complete"
        assert await written(simulated) == ITEMS


async def test_what_was_set_holds_for_the_next_attempt_whatever_its_flag_says(
    tmp_path: Path,
) -> None:
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:
        plan, stop, said = plan_of(simulated.url, tmp_path), StopSignal(), list[str]()

        async def set_and_stop(stats: RunStats) -> None:
            await ask(tmp_path, max_write_units=50.0, paused=True)
            await until(lambda: stats.paused)
            stop.ask()
            stop.ask()

        outcome = await copied(plan, set_and_stop, stop)
        assert outcome.summary.status == "interrupted"

        async def let_go(stats: RunStats) -> None:
            assert stats.limits_in_words == "paused, writes at most 50 units/s (set by hand)"
            await ask(tmp_path, paused=False, max_write_units="plan")

        outcome = await copied(replace(plan, max_write_units=1e6), let_go, said=said)
        assert outcome.summary.status == "complete"
        assert "orders: paused, writes at most 50 units/s (set by hand)" in said
        assert "it waits for: dynaferry resume orders" in said
        assert any("whatever the plan says" in line for line in said)


async def test_a_stop_ends_a_paused_copy(tmp_path: Path) -> None:
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:
        stop = StopSignal()

        async def pause_and_stop(stats: RunStats) -> None:
            await ask(tmp_path, paused=True)
            await until(lambda: stats.paused)
            stop.ask()

        with anyio.fail_after(10.0):
            outcome = await copied(plan_of(simulated.url, tmp_path), pause_and_stop, stop)
        (table,) = outcome.summary.tables
        assert outcome.summary.status == "interrupted"
        assert table.items_read == table.items_written  # what is counted is what is stored


async def test_a_copy_follows_its_schedule(tmp_path: Path) -> None:
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:
        always = Schedule(schedule=(ScheduleEntry(max_write_units="none", max_read_units=1e6),))

        async def talk(stats: RunStats) -> None:
            assert stats.limits_in_words == (
                "no limit on writes (by the schedule), "
                "reads at most 1,000,000 units/s (by the schedule)"
            )

        with anyio.fail_after(20.0):
            outcome = await copied(plan_of(simulated.url, tmp_path, limits=always), talk)
        assert outcome.summary.status == "complete"


async def test_a_dry_run_shows_what_the_schedule_says_of_this_hour(tmp_path: Path) -> None:
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:
        always = Schedule(schedule=(ScheduleEntry(max_write_units=7.0),))
        said: list[str] = []
        await dry_run(plan_of(simulated.url, tmp_path, limits=always), say=said.append)
    assert said == [
        "at this hour: writes at most 7 units/s (by the schedule); "
        "the estimate leaves the schedule out"
    ]


TABLES = (TablePlan("source", "target"), TablePlan("source-2", "target-2", max_write_units=60.0))


async def test_a_table_is_paused_and_capped_alone_and_the_other_is_copied(tmp_path: Path) -> None:
    second = (replace(SOURCE, name="source-2"), replace(TARGET, name="target-2"))
    with simulator(Settings(tables=(SOURCE, TARGET, *second))) as simulated:

        async def talk(stats: RunStats) -> None:
            held, other = stats.tables
            await until(lambda: held.items_written > 0)
            await ask(tmp_path, paused=True, table="target")
            await until(lambda: held.paused)
            assert (stats.paused, other.paused) == (False, False)
            await until(lambda: stats.limits_in_words == "target: paused")
            await until(lambda: held.write_requests_in_flight == 0)
            before = await written(simulated)
            assert (other.write_cap_units, other.state) == (60.0, "running")
            await ask(tmp_path, max_write_units="none", table="target-2")
            # At 60 units a second it would take more than a minute.
            with anyio.fail_after(20.0):
                await until_complete(other)
            assert await written(simulated) == before < ITEMS
            await ask(tmp_path, paused=False, table="target")

        with anyio.fail_after(40.0):
            plan = plan_of(simulated.url, tmp_path, tables=TABLES, tables_at_once=2)
            outcome = await copied(replace(plan, max_write_units=None), talk)
        assert outcome.summary.status == "complete"
        assert await written(simulated) == ITEMS


async def until_complete(table: TableStats) -> None:
    while table.state != "complete":  # noqa: ASYNC110  # counters tell nobody that they moved
        await anyio.sleep(0.02)


async def test_the_pause_of_a_run_holds_a_table_that_is_let_go_by_itself(tmp_path: Path) -> None:
    plan = plan_of("http://127.0.0.1:1", tmp_path, tables=TABLES)
    caps, stats = RunCaps(plan), RunStats("orders", tables=[_stats(each) for each in TABLES])
    asked = Asked(Controls(paused_at=1.0, tables={"target": TableControls(paused_at=None)}))
    follower = ControlFollower(plan, asked, (caps,), stats)
    await follower.refresh()
    assert [table.gate.is_open for table in caps.tables.values()] == [False, False]
    assert [table.paused for table in stats.tables] == [True, True]
    asked.controls = Controls(tables={"target": TableControls(paused_at=1.0, max_read_units=9.0)})
    await follower.refresh()
    assert [table.gate.is_open for table in caps.tables.values()] == [False, True]
    assert caps.tables["target"].read.units_per_second == 9.0
    assert caps.read.units_per_second is None
    assert stats.limits_in_words == (
        "writes at most 100 units/s (as planned); "
        "target: paused, reads at most 9 units/s (set by hand)"
    )
    asked.controls = Controls()
    await follower.refresh()
    assert [table.gate.is_open for table in caps.tables.values()] == [True, True]
    assert caps.tables["target-2"].write.units_per_second == 60.0


class Asked:
    """What was asked of a run, in memory."""

    def __init__(self, controls: Controls) -> None:
        self.controls = controls

    async def read_controls(self) -> Controls:
        return self.controls


def _stats(table: TablePlan) -> TableStats:
    return TableStats(source=table.source, target=table.target, segments_total=1)


async def test_a_cap_that_is_typed_now_counts_before_one_that_was_set(tmp_path: Path) -> None:
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:
        plan, stop, said = plan_of(simulated.url, tmp_path), StopSignal(), list[str]()

        async def set_and_stop(stats: RunStats) -> None:
            await ask(tmp_path, max_write_units=50.0)
            await until(lambda: stats.write_cap_units == 50.0)
            stop.ask()
            stop.ask()

        assert (await copied(plan, set_and_stop, stop)).summary.status == "interrupted"
        typed = Invocation(recorded_command("copy", {"max_write_units": 1e6}, ""))

        async def look(stats: RunStats) -> None:
            assert stats.limits_in_words == "writes at most 1,000,000 units/s (as planned)"

        outcome = await execute(
            replace(plan, max_write_units=1e6), watch=look, say=said.append, invocation=typed
        )
        assert outcome.summary.status == "complete"
        assert any(line.startswith("--max-write-units 1,000,000 counts: ") for line in said)
