"""The metrics, by the very names that dashboards and alerts rest on."""

import math

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dynaferry import __version__
from dynaferry.observe.histogram import BOUNDS
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.prometheus import RunCollector, registry_for
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import RunSummary
from tests.observe.test_segment_map import Clock

TABLE = {"source": "orders", "target": "orders-copy"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(monitor: RunMonitor) -> Samples:
    """Every sample of a scrape, by its name and labels."""
    text = generate_latest(registry_for(monitor)).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"dynaferry_{name}", frozenset((TABLE | labels).items())))


def of_run(samples: Samples, name: str) -> float | None:
    return samples.get((f"dynaferry_{name}", frozenset({("run", "orders-run")})))


def states_of(samples: Samples) -> dict[str, float]:
    return {
        dict(labels)["state"]: number
        for (name, labels), number in samples.items()
        if name == "dynaferry_table_state"
    }


def busy_monitor() -> tuple[RunMonitor, TableStats, Clock]:
    table = TableStats(
        source="orders",
        target="orders-copy",
        segments_total=10,
        expected_items=1000,
        state="running",
        items_read=450,
        items_written=390,
        items_rejected=3,
        items_filtered=7,
        bytes_read=123_456,
        read_units=60.5,
        write_units=400.0,
        unprocessed_items=12,
        throttles={("BatchWriteItem", "TableWriteKeyRangeThroughputExceeded"): 5, ("Scan", ""): 1},
        write_rate_limit_units=900.0,
        read_requests_in_flight=2,
        write_requests_in_flight=30,
        checkpointed_at=97.5,
        dollars_per_write_unit=0.5,
    )
    table.segments.begun(8)
    table.segments.begun(9)
    table.scans.note("ok", 0.004)
    table.batch_writes.note("ok", 0.008)
    table.batch_writes.note("throttled", 50.0)
    clock = Clock()
    monitor = RunMonitor("orders-run", readers=8, clock=clock)
    monitor.stats, monitor.phase = RunStats("orders-run", [table]), "running"
    monitor.refresh()
    return monitor, table, clock


def test_every_metric_of_the_issue_is_there_by_its_name() -> None:
    monitor, table, clock = busy_monitor()
    clock.now += 4
    table.items_written += 100
    monitor.refresh()
    samples = scrape(monitor)
    assert value(samples, "items_read_total") == 450
    assert value(samples, "items_written_total") == 490
    assert value(samples, "items_rejected_total") == 3
    assert value(samples, "bytes_read_total") == 123_456
    assert value(samples, "read_capacity_units_total") == 60.5
    assert value(samples, "write_capacity_units_total") == 400
    assert value(samples, "unprocessed_items_total") == 12
    assert value(samples, "write_rate_limit_units") == 900
    assert value(samples, "read_rate_limit_units") is None
    assert value(samples, "in_flight_requests", operation="Scan") == 2
    assert value(samples, "in_flight_requests", operation="BatchWriteItem") == 30
    assert value(samples, "checkpoint_age_seconds") == 6.5
    assert value(samples, "estimated_cost_dollars") == 200
    assert value(samples, "progress_ratio") == 0.5
    assert value(samples, "expected_items") == 1000
    assert value(samples, "eta_seconds") == 20
    assert of_run(samples, "run_progress_ratio") == 0.5
    assert of_run(samples, "run_eta_seconds") == 20
    assert of_run(samples, "paused") == 0
    assert (
        samples["dynaferry_run_info", frozenset({("run", "orders-run"), ("version", __version__)})]
        == 1
    )


def test_a_table_is_in_one_state_by_the_words_that_are_used_everywhere() -> None:
    monitor, _, clock = busy_monitor()
    states = states_of(scrape(monitor))
    assert set(states) == {
        "waiting", "running", "stalled", "paused", "complete", "rejected", "failed", "interrupted"
    }  # fmt: skip
    assert [state for state, number in states.items() if number] == ["running"]
    monitor.stats.paused = True
    monitor.refresh()
    states = states_of(scrape(monitor))
    assert [state for state, number in states.items() if number] == ["paused"]
    monitor.stats.paused = False
    clock.now += 60
    monitor.refresh()
    states = states_of(scrape(monitor))
    assert [state for state, number in states.items() if number] == ["stalled"]


def test_a_paused_run_says_so_and_has_no_eta() -> None:
    monitor, table, clock = busy_monitor()
    clock.now += 4
    table.items_written += 100
    monitor.stats.paused = True
    monitor.refresh()
    samples = scrape(monitor)
    assert of_run(samples, "paused") == 1
    assert of_run(samples, "run_eta_seconds") is None
    assert value(samples, "eta_seconds") is None
    assert of_run(samples, "run_progress_ratio") == 0.5


def test_a_run_that_is_complete_is_done_in_0_seconds() -> None:
    monitor, table, _ = busy_monitor()
    table.state, table.segments_complete = "complete", 10
    monitor.refresh()
    samples = scrape(monitor)
    assert of_run(samples, "run_progress_ratio") == 1
    assert of_run(samples, "run_eta_seconds") == 0


def test_requests_are_counted_by_operation_and_outcome() -> None:
    samples = scrape(busy_monitor()[0])
    assert value(samples, "requests_total", operation="Scan", outcome="ok") == 1
    assert value(samples, "requests_total", operation="BatchWriteItem", outcome="throttled") == 1


def test_throttles_are_counted_by_operation_and_reason() -> None:
    samples = scrape(busy_monitor()[0])
    name = "throttled_requests_total"
    reason = "TableWriteKeyRangeThroughputExceeded"
    assert value(samples, name, operation="BatchWriteItem", reason=reason) == 5
    assert value(samples, name, operation="Scan", reason="") == 1


def test_durations_are_a_histogram_that_only_grows_from_bucket_to_bucket() -> None:
    samples = scrape(busy_monitor()[0])
    name, writes = "request_seconds", "BatchWriteItem"
    counts = [
        value(samples, f"{name}_bucket", operation=writes, le=str(bound))
        for bound in (*BOUNDS, "+Inf")
    ]
    assert counts == [float(bound >= 0.008) for bound in BOUNDS] + [2.0]
    assert value(samples, f"{name}_count", operation=writes) == 2
    assert math.isclose(value(samples, f"{name}_sum", operation=writes) or 0, 50.008)


def test_segments_are_waiting_running_or_done() -> None:
    monitor, table, _ = busy_monitor()
    states = ("waiting", "running", "done")
    samples = scrape(monitor)
    assert [value(samples, "segments", state=state) for state in states] == [8, 2, 0]
    table.state, table.segments_complete = "interrupted", 4
    samples = scrape(monitor)
    assert [value(samples, "segments", state=state) for state in states] == [6, 0, 4]


def test_a_table_that_is_done_has_nothing_left_and_no_checkpoint_that_ages() -> None:
    monitor, table, _ = busy_monitor()
    table.state, table.segments_complete = "complete", 10
    monitor.refresh()
    samples = scrape(monitor)
    assert value(samples, "eta_seconds") == 0
    assert value(samples, "progress_ratio") == 1
    assert value(samples, "checkpoint_age_seconds") is None


def test_before_the_copy_begins_there_is_the_run_and_that_it_is_healthy() -> None:
    samples = scrape(RunMonitor("orders-run", readers=8))
    names = {name for name, _ in samples}
    assert names == {"dynaferry_run_info", "dynaferry_healthy", "dynaferry_running"}


def test_what_nobody_renews_shows_its_age_by_itself() -> None:
    monitor, _, clock = busy_monitor()
    clock.now = 100.0
    collector = RunCollector(monitor, wall_clock=lambda: 1_000_000.0)
    stored = {
        sample.name: sample.value
        for family in collector.collect()
        for sample in family.samples
        if sample.name.startswith("dynaferry_checkpoint")
    }
    assert stored == {
        "dynaferry_checkpoint_age_seconds": 2.5,
        "dynaferry_checkpoint_timestamp_seconds": 999_997.5,
    }


def test_a_run_is_running_until_it_has_ended() -> None:
    monitor, _, _ = busy_monitor()
    name = ("dynaferry_running", frozenset({("run", monitor.run)}))
    assert scrape(monitor)[name] == 1
    monitor.ended(RunSummary(run=monitor.run, status="complete", error=None, tables=()))
    assert scrape(monitor)[name] == 0


def test_a_stalled_run_is_not_healthy_and_has_no_time_left() -> None:
    monitor, _, clock = busy_monitor()
    monitor.phase, clock.now = "running", 97.5 + 31
    monitor.refresh()
    samples = scrape(monitor)
    assert samples["dynaferry_healthy", frozenset()] == 0
    assert value(samples, "eta_seconds") is None
    assert value(samples, "progress_ratio") is not None


def test_no_label_grows_with_the_table() -> None:
    monitor, table, _ = busy_monitor()
    before = len(scrape(monitor))
    table.segments_total = 10_000
    for segment in range(9_000):
        table.segments.begun(segment)
        table.segments.done(segment)
        table.note_rejection(f"reason {segment}")
    assert len(scrape(monitor)) == before


def test_health_is_a_metric_so_that_an_alert_can_rest_on_it() -> None:
    monitor, _, clock = busy_monitor()
    monitor.phase = "running"
    assert scrape(monitor)["dynaferry_healthy", frozenset()] == 1
    clock.now += 61
    monitor.refresh()
    assert scrape(monitor)["dynaferry_healthy", frozenset()] == 0


def test_credentials_without_an_end_are_absent() -> None:
    monitor, _, _ = busy_monitor()
    monitor.stats.credentials_left = {"source": lambda: None, "target": lambda: 3210.5}
    name = "dynaferry_credentials_expire_seconds"
    found = {labels: value for (each, labels), value in scrape(monitor).items() if each == name}
    assert found == {frozenset({("side", "target")}): 3210.5}


def test_the_time_to_be_done_is_there_when_it_was_given() -> None:
    monitor, _, _ = busy_monitor()
    name = ("dynaferry_finish_by_timestamp_seconds", frozenset[tuple[str, str]]())
    assert name not in scrape(monitor)
    monitor.finish_by = 1_772_341_200.0
    assert scrape(monitor)[name] == 1_772_341_200.0
