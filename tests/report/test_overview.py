"""The head of a report, its rows, its events and its attempts."""

from msgspec.structs import replace

from dynaferry.observe.events import RunEvent
from dynaferry.report.overview import (
    MOST_EVENTS_SHOWN,
    attempt_rows,
    event_rows,
    overview,
    seconds_of,
    state_of,
)
from dynaferry.report.stored_run import StoredRun
from dynaferry.state.records import TableAttempt, TableTotals
from tests.report.recorded import ATTEMPTS, BEGAN, stored_run

FAILED = TableAttempt(
    attempt=1,
    table=0,
    status="failed",
    started_at=BEGAN + 10,
    ended_at=BEGAN + 30,
    error_type="StoppedError",
    error_message="it is gone",
)


def of_tables(count: int, **other: object) -> StoredRun:
    run = stored_run()
    return replace(run, tables=run.tables * count, **other)


def test_it_says_what_it_is_how_it_stands_and_from_where_to_where() -> None:
    head = overview(of_tables(8))
    assert (head.what, head.pill.words, head.pill.kind) == (
        "copy of 8 tables",
        "complete, with rejected items",
        "warning",
    )
    assert head.way == "account 111111111111, eu-west-1 → account 222222222222, eu-central-1"
    assert head.when == (
        "from 2023-11-14 22:13:20 UTC to 2023-11-14 22:16:00 UTC (2m 40s), 2 attempts"
    )


def test_one_table_is_a_row_and_several_have_a_total_besides() -> None:
    assert overview(stored_run()).total is None
    head = overview(of_tables(3))
    assert head.total is not None
    assert (head.total[1], head.total[-1]) == ("4,800", "$37.50")
    # Side by side: the time of all is not the sum of each.
    assert head.total[3] == head.rows[0][1][3] == "1m 40s"


def test_a_table_took_the_time_of_all_its_attempts() -> None:
    table = stored_run().tables[0]
    assert seconds_of(table, ATTEMPTS) == 100
    goes_on = replace(FAILED, attempt=2, started_at=BEGAN + 101, ended_at=None)
    assert seconds_of(replace(table, attempts=[FAILED, goes_on]), ATTEMPTS) == 20 + 50


def test_a_table_is_what_its_own_record_says_and_not_what_its_run_is() -> None:
    run = of_tables(1, state="failed")
    unfinished = replace(run.tables[0], totals=TableTotals(segments_complete=3))
    never = replace(unfinished, samples=[])
    assert state_of(run, run.tables[0]) == "rejected"
    assert state_of(run, unfinished) == "interrupted"
    assert state_of(run, never) == "waiting"
    assert state_of(run, replace(unfinished, attempts=[FAILED])) == "failed"
    assert state_of(run, replace(never, attempts=[replace(FAILED, error_type=None)])) != "waiting"
    assert state_of(replace(run, state="running"), unfinished) == "running"
    assert state_of(replace(run, state="running"), never) == "waiting"


def test_an_attempt_without_an_end_was_killed_unless_it_is_under_way() -> None:
    run = replace(stored_run(), attempts=[ATTEMPTS[0], replace(ATTEMPTS[0], attempt=2)])
    ends = [row[-1] for row in attempt_rows(replace(run, state="running"))]
    assert ends == ["killed or crashed", "running"]
    ends = [row[-1] for row in attempt_rows(replace(run, state="killed"))]
    assert ends == ["killed or crashed", "killed or crashed"]


def test_of_very_many_events_the_newest_are_listed() -> None:
    many = [RunEvent(time=BEGAN + each, kind="throttled") for each in range(1_000)]
    rows = event_rows(many)
    assert len(rows) == MOST_EVENTS_SHOWN + 1
    assert rows[0] == ("", "700 earlier events are left out")
    assert rows[-1] == ("2023-11-14 22:29:59 UTC", "throttled")
