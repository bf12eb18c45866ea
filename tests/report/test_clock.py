"""The axis: clock time where something ran, and the rest cut short."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe.events import RunEvent
from dynaferry.report.clock import Stretch, axis_of, of_all, pauses, stretches_of
from tests.report.recorded import ATTEMPTS, BEGAN, SAMPLES


def test_a_table_was_copied_from_its_first_sample_of_an_attempt_to_its_last() -> None:
    assert stretches_of(SAMPLES, ATTEMPTS) == [
        Stretch(BEGAN, BEGAN + 50),
        Stretch(BEGAN + 101, BEGAN + 151),
    ]


def test_a_night_in_which_nothing_ran_takes_a_few_times_only() -> None:
    night = 8 * 3600.0
    axis = axis_of([Stretch(0.0, 600.0), Stretch(600.0 + night, 1200.0 + night)], most=100)
    dead = [time for time in axis.times if 600 < time < 600 + night]
    assert 5 <= len(dead) <= 10
    assert 95 <= len(axis.times) - len(dead) <= 105


def test_times_are_evenly_apart_where_something_ran() -> None:
    axis = axis_of([Stretch(0.0, 3600.0)], most=60)
    assert {after - before for before, after in pairwise(axis.times)} == {60}


def test_stretches_that_overlap_are_one() -> None:
    assert of_all([Stretch(5, 9), Stretch(0, 3), Stretch(2, 4)]) == [Stretch(0, 4), Stretch(5, 9)]


def test_a_pause_lasts_until_it_is_resumed_or_the_attempt_ends() -> None:
    told = [
        RunEvent(time=1, kind="limits", paused=True),
        RunEvent(time=2, kind="throttled"),
        RunEvent(time=5, kind="limits"),
        RunEvent(time=7, kind="limits", paused=True),
        RunEvent(time=9, kind="ended"),
        RunEvent(time=20, kind="started"),
        RunEvent(time=21, kind="limits", paused=True),
    ]
    assert pauses(told, until=30) == [(1, 5), (7, 9), (21, 30)]


def test_a_pause_of_one_table_is_its_own() -> None:
    told = [
        RunEvent(time=1, kind="limits", source="orders", paused=True),
        RunEvent(time=3, kind="limits", write_cap_units=600.0),
        RunEvent(time=5, kind="limits", source="orders"),
    ]
    assert pauses(told, until=30) == []
    assert pauses(told, until=30, source="orders") == [(1, 5)]
    assert pauses(told, until=30, source="users") == []


@given(
    st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)), min_size=1, max_size=8),
    st.integers(1, 300),
)
def test_times_are_in_order_each_once_and_not_many(
    steps: list[tuple[float, float]], most: int
) -> None:
    stretches, now = [], 0.0
    for dead, lasted in steps:
        stretches.append(Stretch(now + dead, now + dead + lasted))
        now += dead + lasted
    axis = axis_of(stretches, most)
    assert list(axis.times) == sorted(set(axis.times))
    assert len(axis.times) <= most + 15 * len(stretches)
    for stretch in stretches:
        assert axis.within(stretch)
