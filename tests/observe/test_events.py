"""What counts as an event, and how it is told."""

import pytest

from dynaferry.observe.event_watch import THROTTLE_SECONDS, EventWatch
from dynaferry.observe.events import RunEvent, line_of, shown
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import ErrorSummary

AT = 1_700_000_000.0


def a_run(*tables: TableStats) -> RunStats:
    return RunStats("move", tables=list(tables or [TableStats("orders", "orders", 8)]))


def told(watch: EventWatch, stats: RunStats, second: float) -> list[str]:
    return [line_of(event) for event in watch.news(stats, AT + second)]


def test_a_table_starts_and_ends_once_each() -> None:
    stats = a_run()
    watch, (table,) = EventWatch(stats), stats.tables
    assert told(watch, stats, 0) == []
    table.state = "running"
    assert told(watch, stats, 1) == ["orders: started"]
    assert told(watch, stats, 2) == []
    table.state = "failed"
    assert told(watch, stats, 3) == []  # what ended it is not known yet
    table.error = ErrorSummary(type="StoppedError", message="it is gone", hint=None)
    assert told(watch, stats, 4) == ["orders: failed: it is gone"]
    assert told(watch, stats, 5) == []


def test_a_table_whose_error_nobody_notes_has_failed_all_the_same() -> None:
    stats = a_run(TableStats("orders", "orders", 8, state="failed"))
    watch = EventWatch(stats)
    assert [told(watch, stats, second) for second in (1, 2, 3)] == [[], ["orders: failed"], []]


def test_a_table_that_an_earlier_attempt_completed_is_no_news() -> None:
    stats = a_run(TableStats("orders", "orders", 8, segments_complete=8))
    watch = EventWatch(stats)
    for state in ("waiting", "running", "complete"):
        stats.tables[0].state = state
        assert told(watch, stats, 0) == []


def test_the_limits_in_force_are_told_when_they_change() -> None:
    stats = a_run()
    watch = EventWatch(stats)
    stats.limits_in_words, stats.write_cap_units = "writes at most 600 units/s", 600.0
    [event] = watch.news(stats, AT)
    assert (event.kind, event.write_cap_units, event.read_cap_units) == ("limits", 600.0, None)
    assert watch.news(stats, AT + 1) == []
    stats.paused = True
    [event] = watch.news(stats, AT + 2)
    assert event.paused
    stats.limits_in_words, stats.write_cap_units, stats.paused = None, None, False
    assert told(watch, stats, 3) == ["limits now: none"]


def test_the_limits_of_one_table_are_told_as_its_own() -> None:
    stats = a_run()
    watch, (table,) = EventWatch(stats), stats.tables
    table.write_cap_units = 50.0
    [event] = watch.news(stats, AT)
    assert line_of(event) == "orders: limits now: writes at most 50 units/s"
    assert (event.source, event.write_cap_units, event.paused) == ("orders", 50.0, False)
    table.paused = True
    assert told(watch, stats, 1) == ["orders: limits now: paused, writes at most 50 units/s"]
    table.paused, table.write_cap_units = False, None
    assert told(watch, stats, 2) == ["orders: limits now: none"]
    assert told(watch, stats, 3) == []


def test_a_pause_of_the_run_is_none_of_its_tables() -> None:
    stats = a_run()
    watch, (table,) = EventWatch(stats), stats.tables
    stats.limits_in_words, stats.paused, table.paused = "paused", True, True
    assert told(watch, stats, 0) == ["limits now: paused"]
    stats.limits_in_words, stats.paused, table.paused = None, False, False
    assert told(watch, stats, 1) == ["limits now: none"]


def test_a_throttle_is_told_by_what_causes_it_and_when_it_is_over() -> None:
    stats = a_run()
    watch, (table,) = EventWatch(stats), stats.tables
    table.state, table.throttled_at = "running", AT
    assert told(watch, stats, 0) == ["orders: started"]
    table.bottleneck = "index by-owner"
    assert told(watch, stats, 1) == ["orders: throttled by index by-owner"]
    assert told(watch, stats, 20) == []
    assert told(watch, stats, THROTTLE_SECONDS + 1) == ["orders: no longer throttled"]
    assert told(watch, stats, 3 * THROTTLE_SECONDS) == []


def test_throttles_that_change_their_cause_all_the_time_are_told_once_a_minute() -> None:
    stats = a_run()
    watch, (table,) = EventWatch(stats), stats.tables
    table.state = "running"
    lines = []
    for second in range(600):
        table.throttled_at = AT + second
        table.bottleneck = ("index by-owner", "table orders")[second % 2]
        lines += told(watch, stats, second)
    assert 5 < len(lines) < 15


def test_the_first_rejected_item_of_an_attempt_is_told_with_its_reason() -> None:
    stats = a_run(TableStats("orders", "orders", 8, items_rejected=2))
    watch, (table,) = EventWatch(stats), stats.tables
    assert told(watch, stats, 0) == []
    table.items_rejected += 1
    table.note_rejection("ValidationException: too large")
    [line] = told(watch, stats, 1)
    assert line == "orders: the target rejected an item: ValidationException: too large"
    table.items_rejected += 1
    assert told(watch, stats, 2) == []


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (RunEvent(time=AT, kind="started"), "started"),
        (RunEvent(time=AT, kind="started", detail="attempt 2"), "started: attempt 2"),
        (RunEvent(time=AT, kind="paused", by="ann"), "paused by ann"),
        (RunEvent(time=AT, kind="resumed", by="the live page"), "resumed by the live page"),
        (
            RunEvent(time=AT, kind="set", by="ann", detail="writes at most 600 units/s"),
            "limits set by ann: writes at most 600 units/s",
        ),
        (RunEvent(time=AT, kind="ended", detail="failed: it is gone"), "ended: failed: it is gone"),
    ],
)
def test_an_event_is_told_in_one_line(event: RunEvent, line: str) -> None:
    assert line_of(event) == line


def test_the_effect_of_what_was_asked_a_moment_ago_is_no_line_of_its_own() -> None:
    asked = RunEvent(time=AT, kind="set", by="ann", detail="writes at most 600 units/s")
    effect = RunEvent(time=AT + 0.5, kind="limits", detail="writes at most 600 units/s (set)")
    by_schedule = RunEvent(time=AT + 60, kind="limits", detail="none")
    assert shown([asked, effect, by_schedule]) == [asked, by_schedule]
