"""What is said of a delay is true of it, whatever rounding, polls and clocks add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.follow.delays import (
    LOCAL_ROUNDED_SECONDS,
    ROUNDED_SECONDS,
    DelayWatch,
    ReadRecords,
    rounding_of,
)
from dynaferry.follow.quiet import LEAST_SECONDS, QuietWatch

NOW = 1_800_000_000.0
LATENCY = 0.05


def read(delay: float, *, before: float = 0.2, since: float = 60.0) -> ReadRecords:
    """A record that was made `delay` seconds before its page came."""
    made = NOW - delay
    return ReadRecords(NOW, NOW, made, made, NOW - since, NOW - before)


def test_a_delay_lies_between_what_rounding_and_polls_leave_of_it_and_all_of_it() -> None:
    watch = DelayWatch()
    watch.note(read(4.0))
    assert watch.at_least == pytest.approx(4.0 - ROUNDED_SECONDS - 0.2)
    assert watch.at_most == pytest.approx(4.0)


def test_of_times_that_are_rounded_to_the_minute_only_what_is_over_it_is_a_delay() -> None:
    watch = DelayWatch(LOCAL_ROUNDED_SECONDS)
    watch.note(read(59.5, since=600.0))
    assert watch.at_least == 0.0
    assert watch.at_most == pytest.approx(0.5)
    watch.note(read(70.0, since=600.0))
    assert watch.at_least == pytest.approx(9.8)


def test_the_streams_of_dynamodb_local_are_known_by_their_region() -> None:
    arn = "arn:aws:dynamodb:{}:000000000000:table/orders/stream/2026-11-29T12:00:00.000"
    assert rounding_of(arn.format("ddblocal")) == LOCAL_ROUNDED_SECONDS
    assert rounding_of(arn.format("eu-central-1")) == ROUNDED_SECONDS


def test_a_record_from_the_future_shows_that_our_clock_is_behind() -> None:
    watch = DelayWatch()
    watch.note(read(-4.0))  # made in four seconds, says its time
    watch.note(read(1.0))
    assert watch.at_most == pytest.approx(5.0)
    assert watch.at_least == pytest.approx(5.0 - ROUNDED_SECONDS - 0.2)


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[float, float]]:
    """When records are written, and when they begin to show: in order, each some time later."""
    pauses = st.floats(0.01, 3.0)
    written, shown, records = 0.0, 0.0, []
    for pause, delay in draw(st.lists(st.tuples(pauses, st.floats(0.0, 6.0)), min_size=1)):
        written += pause
        shown = max(shown, written + delay)
        records.append((written, shown))
    return records


@given(streams(), st.lists(st.floats(0.2, 1.9), min_size=3, max_size=30), st.floats(-3.0, 3.0))
def test_the_true_delays_lie_within_and_are_waited_for_twice(
    records: list[tuple[float, float]], polls: list[float], skew: float
) -> None:
    """Our clock is `skew` seconds ahead: then delays are longer, never shorter, than they are."""
    watch, now, given_before, number = QuietWatch(NOW + skew), NOW, 0, 0
    watch.opened("shard", NOW + skew)
    watch.read("shard", NOW + skew, NOW + skew + LATENCY)
    longest = 0.0
    while given_before < len(records):
        now += polls[number % len(polls)]
        number += 1
        page = [each for each in records[given_before:] if NOW + each[1] <= now]
        given_before += len(page)
        asked_at, came_at = now + skew, now + skew + LATENCY
        if not page:
            watch.read("shard", asked_at, came_at)
            continue
        says = [float(int(NOW + written)) for written, _ in page]
        longest = max(longest, *(shown - written for written, shown in page))
        watch.read(
            "shard",
            asked_at,
            came_at + 0.3,
            records=len(page),
            came_at=came_at,
            created_at=(min(says), says[-1]),
        )
    assert watch.delays.at_least <= longest + max(0.0, skew) + 1e-6
    if skew >= 0.0:
        assert watch.delays.at_most >= longest - 1e-6
        assert watch.asked_seconds >= max(LEAST_SECONDS, 2 * longest) - 1e-6
