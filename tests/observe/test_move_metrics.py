"""The metrics of a move, by the very names that dashboards and alerts rest on."""

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.stats import RunStats
from tests.observe.moves import a_move_status
from tests.observe.test_prometheus import Samples, busy_monitor, scrape, value
from tests.observe.test_segment_map import Clock


def monitor_of(**status: object) -> RunMonitor:
    monitor = RunMonitor("orders", readers=8, clock=Clock())
    monitor.note_move([a_move_status(**status)])
    return monitor


def of_move(samples: Samples) -> set[str]:
    words = (
        "lag",
        "spool",
        "changes",
        "stream",
        "capture",
        "gaps",
        "doubts",
        "move",
        "catch",
        "late",
    )
    return {name for name, _ in samples if any(word in name for word in words)}


def test_every_metric_of_a_move_is_there_by_its_name() -> None:
    samples = scrape(monitor_of())
    assert value(samples, "lag_seconds") == 0.8
    assert value(samples, "stream_position_age_seconds") == 0.2
    assert value(samples, "capture_silent_seconds") == 0.1
    assert value(samples, "oldest_waiting_seconds") == 0.7
    assert value(samples, "spool_rows") == 12
    assert value(samples, "spool_bytes") == 40_960
    assert value(samples, "spool_read_again") == 3
    assert value(samples, "changes_total", direction="in") == 1000
    assert value(samples, "changes_total", direction="out") == 988
    assert value(samples, "stream_shards", state="open") == 16
    assert value(samples, "stream_shards", state="waiting") == 2
    assert value(samples, "stream_shards", state="childless") == 1
    assert value(samples, "gaps_total") == 1
    assert value(samples, "gaps_open") == 0
    assert value(samples, "doubts") == 4
    assert value(samples, "will_catch_up") == 1
    assert value(samples, "move_rejected") == 0
    assert value(samples, "late_writes") == 0
    assert value(samples, "move_state", state="following") == 1
    assert value(samples, "move_state", state="copying") == 0


def test_what_waits_is_what_came_in_and_did_not_go_out() -> None:
    table = a_move_status()
    assert table.changes_captured - table.changes_out == table.spool_rows


def test_while_a_table_is_copied_it_has_no_lag_and_all_the_rest() -> None:
    copied = scrape(monitor_of(state="copying", lag_seconds=None))
    followed = scrape(monitor_of())
    assert of_move(followed) - of_move(copied) == {"dynaferry_lag_seconds"}
    assert value(copied, "move_state", state="copying") == 1


def test_a_copy_has_none_of_them() -> None:
    assert of_move(scrape(busy_monitor()[0])) == set()


async def test_a_move_is_sampled_before_between_and_after_what_is_watched() -> None:
    monitor, points = RunMonitor("orders", readers=8, clock=Clock()), 0

    async def sleep(_: float) -> None:
        raise StopWatchingError

    for _ in range(3):
        before = monitor.refreshed
        monitor.note_move([a_move_status()])
        assert before.is_set()  # so that a page is sent it
        try:
            await monitor.watch(RunStats("orders"), sleep=sleep)
        except StopWatchingError:
            points += 1
    assert points == 3
    assert len(list(monitor.move_history)) == 3


class StopWatchingError(Exception):
    """Ends a watch."""
