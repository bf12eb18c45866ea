"""Passes converge, rest between, and tell the outage of a switch as they have measured it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dynaferry.follow.passes import convergence
from dynaferry.follow.passes.convergence import (
    has_converged,
    lag_seconds,
    outage,
    outage_line,
    pass_lines,
    reasons_against_go,
    rest_seconds,
)
from dynaferry.state.move_records import TablePass
from tests.follow.passes.records import a_pass


@pytest.mark.parametrize(
    ("found", "has"),
    [
        ((), False),
        ((90,), True),
        ((900,), True),  # of a million: a thousandth
        ((50_000,), False),
        ((50_000, 30_000), False),
        ((50_000, 30_000, 25_000), True),
        ((50_000, 60_000), True),
    ],
)
def test_passes_have_converged_once_they_find_few_or_shrink_no_more(
    found: tuple[int, ...], has: bool
) -> None:
    passes = [a_pass(number, found=each) for number, each in enumerate(found, 1)]
    assert has_converged(passes) == has


def test_a_pass_that_did_not_come_to_its_end_says_nothing() -> None:
    ended = replace(a_pass(2, found=0), is_complete=False)
    assert not has_converged([a_pass(1, found=50_000), ended])
    assert outage([ended], 2_000.0, 0.0) is None
    assert lag_seconds([ended], 2_000.0) is None


def test_the_outage_is_one_pass_at_its_rate_and_the_keys_that_will_differ_by_then() -> None:
    # 500 keys a second changed; 200 of them are repaired in a second.
    before = a_pass(1, began_at=1_000.0, found=200_000)
    newest = a_pass(2, began_at=1_400.0, found=200_000, reading=90.0, repairing=1_000.0)
    told = outage([before, newest], 1_400.0 + 60.0, 0.0)
    assert told is not None
    assert told.reading_seconds == pytest.approx(90.0 + 1.0 + 2.0)
    a_second = 200_000 / 400
    assert told.keys == pytest.approx(a_second * 60, rel=0.01)
    assert told.writing_seconds == pytest.approx(a_second * 60 / 200, rel=0.01)
    assert told.seconds == told.reading_seconds + told.writing_seconds


def test_the_first_pass_finds_what_changed_since_the_copy_began() -> None:
    first = a_pass(1, began_at=11_000.0, found=100_000, reading=100.0, repairing=100.0)
    told = outage([first], 11_000.0 + 1_000.0, 1_000.0)
    assert told is not None
    assert told.keys == pytest.approx(10_000)
    assert told.writing_seconds == pytest.approx(10.0)


def test_the_longer_ago_the_newest_pass_is_the_longer_is_the_outage() -> None:
    passes = [
        a_pass(1, began_at=0.0, found=10_000),
        a_pass(2, began_at=500.0, found=10_000, repairing=50.0),
    ]
    told = [outage(passes, now, 0.0) for now in (700.0, 900.0, 3_000.0)]
    seconds = [each.seconds for each in told if each is not None]
    assert len(seconds) == 3
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[-1]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9), st.floats(0.0, 1e6), st.floats(0.0, 1e6), st.floats(0.0, 1e5)
        ),
        min_size=1,
        max_size=6,
    ),
    st.floats(0.0, 1e9),
)
def test_an_outage_is_never_less_than_a_pass_nor_without_end(
    passes: list[tuple[int, float, float, float]], now: float
) -> None:
    made = [
        a_pass(number, found=found, began_at=began, reading=reading, repairing=repairing)
        for number, (found, began, reading, repairing) in enumerate(passes, 1)
    ]
    told = outage(made, now, 0.0)
    assert told is not None
    assert made[-1].reading_seconds <= told.reading_seconds <= told.seconds < 1e18
    assert 0 <= told.keys <= max(made[-1].items, made[-1].found)


def test_a_pass_reads_a_fifth_of_the_time_at_most() -> None:
    for seconds in (0.1, 10.0, 100.0, 400.0):
        made = a_pass(reading=seconds)
        assert rest_seconds(made) >= min(4 * seconds, convergence.MOST_REST_SECONDS)
    assert rest_seconds(a_pass(reading=0.1)) == convergence.LEAST_REST_SECONDS
    assert rest_seconds(a_pass(reading=9_999.0)) == convergence.MOST_REST_SECONDS


def test_a_pass_is_told_with_what_it_found_and_how_long() -> None:
    made = a_pass(2, found=1_204, reading=161.0, repairing=9.0, in_flux=4)
    (line,) = pass_lines(made)
    assert line == (
        "orders: pass 2: 1,204 of 1,000,000 items differed, 1,200 were repaired, 4 changed while"
        " they were looked at; 2m 55s (2m 41s of it reading)"
    )
    assert pass_lines(a_pass(3))[0].startswith("orders: pass 3: all of 1,000,000 items are equal")
    assert pass_lines(replace(made, error="throttled")) == [
        "pass 2 did not come to its end: throttled"
    ]
    assert pass_lines(replace(made, is_complete=False)) == ["pass 2 was ended"]


def test_the_outage_is_told_with_its_parts() -> None:
    passes = [
        a_pass(1, began_at=0.0, found=10_000),
        a_pass(2, began_at=1_000.0, found=10_000, repairing=100.0),
    ]
    told = outage(passes, 3_000.0, 0.0)
    assert told is not None
    assert outage_line(told) == (
        "a switch now takes an outage of about 5m 03s: one pass of both tables at these rates,"
        " 1m 43s, and about 20,000 keys to write, 3m 20s; warm both tables to make it shorter"
    )


def test_only_tables_that_are_equal_and_still_lead_to_a_go() -> None:
    equal = a_pass(found=10)
    assert reasons_against_go(equal, changed=0) == ()
    assert "somebody writes still: 3 items" in reasons_against_go(equal, changed=3)[0]
    moving = a_pass(found=10, in_flux=2)
    assert "somebody writes still: 2 items" in reasons_against_go(moving, changed=0)[0]
    assert reasons_against_go(replace(equal, error="gone"), 0) != ()
    assert reasons_against_go(replace(equal, is_complete=False), 0) != ()
    for table in (
        TablePass(source="orders", target="orders", left=2),
        TablePass(source="orders", target="orders", left=2, refused=2),
        TablePass(source="orders", target="orders", rejected=2),
        TablePass(source="orders", target="orders", is_equal=False),
    ):
        (reason,) = reasons_against_go(replace(equal, tables=(table,)), 0)
        assert reason.startswith("orders: ")
