import logging

import anyio
import anyio.lowlevel
import pytest

from dynaferry.observe.monitor import LATENCY_SAMPLES, RunMonitor
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import ErrorSummary, RunStatus, RunSummary
from tests.observe.test_segment_map import Clock


def stats_of_one() -> RunStats:
    return RunStats("orders", [TableStats("orders", "orders", 8, state="running")])


async def test_it_refreshes_once_a_second_and_once_more_at_the_end() -> None:
    clock, stats = Clock(), stats_of_one()
    monitor = RunMonitor("orders", readers=8, clock=clock)
    with anyio.CancelScope() as scope:

        async def sleep(seconds: float) -> None:
            clock.now += seconds
            stats.tables[0].items_written += 100
            if clock.now >= 110.0:
                scope.cancel()
                await anyio.lowlevel.checkpoint()

        await monitor.watch(stats, sleep=sleep)
    assert monitor.phase == "running"
    assert monitor.views[0].items_done == 1000
    assert monitor.views[0].items_per_second == 100.0
    assert [point.items for point in monitor.history] == [n * 100 for n in range(11)]


async def test_who_waits_is_woken_by_the_next_refresh() -> None:
    monitor = RunMonitor("orders", readers=8)
    woken = monitor.refreshed
    monitor.refresh()
    assert woken.is_set()
    assert not monitor.refreshed.is_set()


async def test_latency_is_that_of_the_last_minute() -> None:
    monitor = RunMonitor("orders", readers=8)
    monitor.stats = stats_of_one()
    monitor.stats.tables[0].scans.note("ok", 9.0)
    monitor.refresh()
    monitor.stats.tables[0].scans.note("ok", 0.004)
    for _ in range(LATENCY_SAMPLES):
        monitor.refresh()
    assert sum(monitor.recent_latency()["Scan"]) == 1
    assert sum(monitor.recent_latency()["BatchWriteItem"]) == 0
    monitor.refresh()
    assert sum(monitor.recent_latency()["Scan"]) == 0


@pytest.mark.parametrize(("status", "ok"), [("complete", True), ("failed", False)])
async def test_its_health_is_in_the_end_that_of_the_summary(status: RunStatus, *, ok: bool) -> None:
    monitor = RunMonitor("orders", readers=8)
    assert monitor.health.reason == "preparing"
    error = ErrorSummary(type="ServiceGoneError", message="gone", hint=None)
    monitor.ended(RunSummary(run="orders", status=status, error=None if ok else error, tables=()))
    assert (monitor.health.ok, monitor.health.reason) == (ok, status)


async def test_a_run_that_stands_still_is_logged_once_and_again_when_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dynaferry.observe.monitor")
    clock = Clock()
    monitor = RunMonitor("orders", readers=8, clock=clock)
    monitor.stats, monitor.phase = stats_of_one(), "running"
    for _ in range(100):
        clock.now += 1
        monitor.refresh()
    monitor.stats.tables[0].items_written += 1
    monitor.refresh()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "health: nothing was acknowledged for 61 s: requests do not come back"),
        ("INFO", "health: running"),
    ]


async def test_a_table_has_a_history_of_its_own_from_when_it_runs_until_it_ends() -> None:
    clock = Clock()
    monitor = RunMonitor("orders", readers=8, clock=clock)
    monitor.stats = RunStats("run", [TableStats(name, name, 8) for name in ("a", "b")])
    first = monitor.stats.tables[0]
    for state, items in (("waiting", 0), ("running", 5), ("running", 9), ("complete", 9)):
        clock.now += 1
        first.state, first.items_written = state, items  # type: ignore[assignment]
        monitor.refresh()
    assert list(monitor.table_histories) == [0]
    points = list(monitor.table_histories[0])
    assert [(point.seconds, point.items) for point in points] == [(2.0, 5), (3.0, 9)]
