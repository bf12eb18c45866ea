"""Red only when nothing was acknowledged for a minute and nobody can say why."""

import pytest

from dynaferry.observe.health import HealthWatch, stalled_for
from dynaferry.observe.limiting_factor import STALL_SECONDS
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.table_state import TableState


def one_table(state: TableState = "running") -> tuple[RunStats, TableStats]:
    table = TableStats(source="orders", target="orders", segments_total=8, state=state)
    return RunStats("orders", [table]), table


def still_for(watch: HealthWatch, stats: RunStats, seconds: float) -> float:
    """Looks once a second for so long, from 0 on; returns the time of the last look."""
    now = 0.0
    while now < seconds:
        watch.see(stats, now)
        now += 1.0
    watch.see(stats, now)
    return now


def test_a_run_that_acknowledges_is_healthy() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    for second in range(300):
        table.items_written += second % 50 == 0
        watch.see(stats, float(second))
        assert watch.verdict(stats, float(second)).ok


def test_a_minute_without_an_acknowledgement_is_red_when_nobody_knows_why() -> None:
    stats, _ = one_table()
    watch = HealthWatch(0.0)
    now = still_for(watch, stats, STALL_SECONDS)
    assert watch.verdict(stats, now).ok
    verdict = watch.verdict(stats, now + 1)
    assert not verdict.ok
    assert verdict.reason == "nothing was acknowledged for 61 s: requests do not come back"


def test_a_run_that_stores_nothing_is_red_whatever_it_acknowledges() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    table.checkpointed_at = 100.0
    table.items_written += 1
    watch.see(stats, 131.0)
    assert watch.verdict(stats, 130.0).ok
    verdict = watch.verdict(stats, 131.0)
    assert (verdict.ok, verdict.reason) == (False, "nothing was stored for 31 s")
    stats.paused = True
    assert watch.verdict(stats, 131.0).ok


def test_a_checkpoint_of_any_table_shows_that_the_run_goes_on() -> None:
    stats, table = one_table()
    other, _ = one_table()
    stats.tables += other.tables
    table.checkpointed_at, other.tables[0].checkpointed_at = 0.0, 100.0
    watch = HealthWatch(0.0)
    watch.see(stats, 120.0)
    assert stalled_for(stats, 120.0) is None
    assert stalled_for(stats, 131.0) == 31.0
    other.tables[0].state = "complete"
    assert stalled_for(stats, 131.0) == 131.0


def test_requests_that_fail_are_named() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    still_for(watch, stats, 50)
    table.batch_writes.note("unavailable", 1.0)
    watch.see(stats, 61.0)
    verdict = watch.verdict(stats, 61.0)
    assert not verdict.ok
    assert verdict.reason.endswith("requests fail")


def test_empty_segments_that_end_are_progress() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    still_for(watch, stats, 59)
    table.segments_complete += 1
    watch.see(stats, 60.0)
    assert watch.verdict(stats, 119.0).ok


def test_a_brown_out_is_a_reason_as_long_as_throttles_come() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    still_for(watch, stats, 90)
    table.throttled_requests += 1
    watch.see(stats, 91.0)
    verdict = watch.verdict(stats, 100.0)
    assert verdict.ok
    assert verdict.reason.startswith("throttled")
    assert not watch.verdict(stats, 91.0 + STALL_SECONDS).ok


def test_a_brown_out_is_noticed_within_seconds_and_only_while_nothing_is_acknowledged() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    for second in range(5, 25):
        table.throttled_requests += 1
        watch.see(stats, float(second))
    assert watch.verdict(stats, 25.0).reason == "throttled: all that was sent for 20 s"
    table.items_written += 1
    watch.see(stats, 25.0)
    assert watch.verdict(stats, 26.0).reason == "running"
    # Throttles before the last acknowledgement explain no silence after it.
    assert watch.verdict(stats, 45.0).reason == "running"


def test_a_brown_out_hides_no_failures() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    still_for(watch, stats, 90)
    table.throttled_requests += 1
    table.scans.note("corrupt", 0.1)
    watch.see(stats, 91.0)
    assert not watch.verdict(stats, 92.0).ok


def test_waiting_under_a_cap_with_nothing_in_flight_is_a_reason() -> None:
    stats, table = one_table()
    watch = HealthWatch(0.0)
    now = still_for(watch, stats, 100)
    table.write_rate_limit_units = 1.0
    assert watch.verdict(stats, now).reason == "waiting under a cap"
    table.write_requests_in_flight = 1
    assert not watch.verdict(stats, now).ok


def test_a_pause_is_a_reason_and_its_end_begins_a_new_minute() -> None:
    stats, _ = one_table()
    watch = HealthWatch(0.0)
    stats.paused = True
    now = still_for(watch, stats, 500)
    assert watch.verdict(stats, now).reason == "paused"
    stats.paused = False
    watch.see(stats, now + 1)
    assert watch.verdict(stats, now + STALL_SECONDS).ok
    assert not watch.verdict(stats, now + 1 + STALL_SECONDS + 1).ok


@pytest.mark.parametrize(
    ("state", "ok"),
    [("complete", True), ("rejected", True), ("interrupted", True), ("failed", False)],
)
def test_what_has_ended_is_as_healthy_as_its_end(state: TableState, *, ok: bool) -> None:
    stats, _ = one_table(state)
    watch = HealthWatch(0.0)
    verdict = watch.verdict(stats, still_for(watch, stats, 1000))
    assert (verdict.ok, verdict.reason) == (ok, state)
