"""What is said of a move: its line, what is left of it without a process, and all tables as one."""

import msgspec

from dynaferry.observe.history import History
from dynaferry.observe.move_history import MovePoint, move_point, with_worst_lag
from dynaferry.observe.move_status import (
    PassesStatus,
    decode_status,
    encode_status,
    left_alone,
    overall,
)
from dynaferry.observe.move_words import late_line, line_of, losing_line
from tests.observe.moves import AT, a_move_status

# As the design names them.
FIELDS = """
state direction lag_seconds oldest_waiting_seconds record_age_seconds changes_in_per_second
changes_out_per_second spool_rows spool_bytes spool_read_again shards_open shards_waiting
gaps doubts late_writes ready not_ready last_record_at
"""


def test_scripts_find_each_field_by_its_name() -> None:
    document = msgspec.json.decode(encode_status(a_move_status()))
    assert set(FIELDS.split()) <= document.keys()


def test_a_status_is_read_as_it_was_written() -> None:
    assert decode_status(encode_status(a_move_status())) == a_move_status()


def test_the_line_says_state_lag_rates_and_what_waits() -> None:
    assert line_of(a_move_status()) == (
        "orders: following, 0.8 s behind (2,031 changes/s in, 2,029 out; 12 waiting; 16 shards;"
        " newest change was 0.6 s old)"
    )
    copying = a_move_status(state="copying", lag_seconds=None, record_age_seconds=None)
    assert line_of(copying) == (
        "orders: copying (2,031 changes/s in, 2,029 out; 12 waiting; 16 shards)"
    )
    assert "following, paused, 2m 15s behind" in line_of(
        a_move_status(paused=True, lag_seconds=135.0)
    )
    assert "; 3 items refused;" in line_of(a_move_status(rejected=3))
    switched = a_move_status(state="switched", lag_seconds=None, late_writes=2)
    assert line_of(switched).startswith("orders: switched (")
    assert "; 2 late writes;" in line_of(switched)


def test_the_line_of_a_move_by_passes_says_what_the_newest_found_and_the_outage() -> None:
    passes = PassesStatus(done=3, found=1_204, seconds=161.0, next_at=AT + 90, outage_seconds=170.2)
    assert line_of(a_move_status(passes=passes, lag_seconds=251.0)) == (
        "orders: following by passes, 4m 11s behind (pass 3 found 1,204 items in 2m 41s;"
        " the next in 1m 30s; a switch takes an outage of about 2m 50s)"
    )
    reading = PassesStatus(done=0, compared=0.434)
    assert line_of(a_move_status(state="replaying", passes=reading, lag_seconds=None)) == (
        "orders: replaying by passes (the next is at 43%)"
    )
    gone = a_move_status(passes=passes, is_running=False, paused=True)
    assert "following by passes, paused" in line_of(gone)
    assert "but no process follows it" in line_of(gone)
    switched = a_move_status(state="switched", lag_seconds=None, passes=passes, is_running=False)
    assert line_of(switched) == (
        "orders: switched by passes (pass 3 found 1,204 items in 2m 41s; the next in 1m 30s)"
    )
    assert overall([gone, gone]).passes == passes


def test_late_writes_have_a_line_of_their_own_that_says_what_to_do() -> None:
    assert late_line(a_move_status()) is None
    assert late_line(a_move_status(state="switched", late_writes=1)) == (
        "LATE WRITES: 1 key was written to the source orders behind the switch, and nothing applies"
        " that; dynaferry late-writes list says which"
    )
    assert str(late_line(a_move_status(state="returned", late_writes=2))).startswith(
        "LATE WRITES: 2 keys were written to the target orders-copy behind the way back"
    )
    assert "1,234 keys were written" in str(late_line(a_move_status(late_writes=1_234)))


def test_without_a_process_ages_go_on_and_nothing_moves() -> None:
    left = left_alone(a_move_status(), AT + 600)
    assert (left.lag_seconds, left.oldest_waiting_seconds) == (600.8, 600.7)
    assert left.record_age_seconds == 600.6
    assert left.position_age_seconds == 600.2
    assert (left.changes_in_per_second, left.changes_out_per_second) == (0.0, 0.0)
    assert (left.is_running, left.ready) == (False, False)
    assert left.not_ready == ("no process follows it: the same move command resumes it",)
    assert line_of(left) == (
        "orders: following, 10m 01s behind, but no process follows it: the same move command "
        "resumes it (12 waiting; 16 shards; newest change seen is 10m 01s old)"
    )


def test_what_was_not_known_is_not_known_without_a_process() -> None:
    unknown = a_move_status(
        state="copying",
        lag_seconds=None,
        last_record_at=None,
        record_age_seconds=None,
        spool_rows=0,
    )
    left = left_alone(unknown, AT + 600)
    assert (left.lag_seconds, left.record_age_seconds) == (None, None)
    assert left.oldest_waiting_seconds == 0


def test_what_loses_is_said_with_what_limits_it_and_what_to_do() -> None:
    losing = a_move_status(
        will_catch_up=False,
        changes_out_per_second=98.0,
        limited_by="the cap of 100 write units a second",
        remedy="raise --max-write-units (dynaferry set orders --max-write-units N)",
    )
    assert losing_line(losing) == (
        "orders: it will not catch up: in 2,031/s, out 98/s; limited by the cap of 100 write"
        " units a second; raise --max-write-units (dynaferry set orders --max-write-units N), or"
        " lower what is written to the source"
    )
    assert "; raise --writers or the capacity of the target, or lower" in losing_line(
        a_move_status(will_catch_up=False)
    )


def test_of_several_tables_the_worst_counts_and_the_rest_adds_up() -> None:
    worse = a_move_status(
        source="events",
        state="re-syncing",
        lag_seconds=9.0,
        gaps=1,
        ready=False,
        not_ready=("records were lost",),
        will_catch_up=False,
        limited_by="a pause",
        is_running=False,
        position_age_seconds=70.0,
    )
    both = overall([a_move_status(limited_by="index a"), worse])
    assert (both.state, both.lag_seconds, both.gaps) == ("re-syncing", 9.0, 1)
    assert (both.spool_rows, both.changes_captured, both.shards_open) == (24, 2000, 32)
    assert both.not_ready == ("events: records were lost",)
    assert (both.ready, both.is_running, both.will_catch_up) == (False, False, False)
    assert both.limited_by == "events: a pause"
    assert both.position_age_seconds == 70.0
    assert overall([worse, a_move_status(state="copying", lag_seconds=None)]).lag_seconds is None


def test_no_spike_of_the_lag_is_lost_when_points_are_dropped() -> None:
    history: History[MovePoint] = History(10, merged=with_worst_lag)
    for second in range(1000):
        spike = 50.0 if second == 501 else 0.5
        history.add(move_point([a_move_status(lag_seconds=spike)], float(second)))
    points = list(history)
    assert len(points) <= 11
    assert max(point.lag_seconds or 0.0 for point in points) == 50.0


def test_a_point_without_a_lag_takes_none_from_what_follows() -> None:
    copied, followed = (move_point([a_move_status(lag_seconds=lag)], 1.0) for lag in (None, 3.0))
    assert with_worst_lag(copied, followed).lag_seconds == 3.0
    assert with_worst_lag(followed, copied).lag_seconds == 3.0
    assert with_worst_lag(copied, copied).lag_seconds is None
