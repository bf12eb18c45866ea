"""Rates at the times of an axis: nothing is lost, and no line is drawn across a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe.events import RunEvent
from dynaferry.report.clock import Axis, axis_of, stretches_of
from dynaferry.report.rates import ChartPoint, caps, limits, points, rates, sum_of, within_frame
from dynaferry.state.records import Sample
from tests.report.recorded import ATTEMPTS, BEGAN, SAMPLES, sample_at


def items(sample: Sample) -> float:
    return sample.items_written


def axis() -> Axis:
    return axis_of(stretches_of(SAMPLES, ATTEMPTS))


def test_a_rate_is_what_lies_between_two_samples() -> None:
    found = rates(SAMPLES, axis(), items)
    first, second = (
        [p.value for p in found if (p.time < BEGAN + 100) is it] for it in (True, False)
    )
    assert set(map(round, first)) == {10}
    assert set(map(round, second)) == {20}
    assert found[0].time == BEGAN


def test_two_samples_are_a_line_already() -> None:
    found = rates(SAMPLES[:2], axis_of(stretches_of(SAMPLES[:2], ATTEMPTS), most=1), items)
    assert found == [ChartPoint(int(BEGAN), 10.0), ChartPoint(int(BEGAN) + 10, 10.0, is_last=True)]


def test_between_two_attempts_no_line_is_drawn() -> None:
    found = rates(SAMPLES, axis(), items)
    assert [point.time - BEGAN for point in found if point.is_last] == [50, 151]
    assert not any(BEGAN + 50 < point.time < BEGAN + 101 for point in found)


def test_limits_are_those_of_their_moments() -> None:
    found = limits(SAMPLES, axis(), lambda sample: sample.write_limit_units)
    assert {point.value for point in found} == {50.0}
    assert (found[0].time, found[-1].time) == (BEGAN, BEGAN + 50)
    assert found[-1].is_last


def test_a_cap_holds_from_its_event_on_and_ends_with_the_attempt() -> None:
    told = [
        RunEvent(time=BEGAN, kind="started"),
        RunEvent(time=BEGAN + 20, kind="limits", write_cap_units=600.0),
        RunEvent(time=BEGAN + 40, kind="limits", write_cap_units=None),
        RunEvent(time=BEGAN + 45, kind="limits", write_cap_units=7.0),
        RunEvent(time=BEGAN + 100, kind="started"),
    ]
    found = caps(told, axis(), lambda event: event.write_cap_units, "orders")
    assert {point.time - BEGAN for point in found if point.value == 600.0} == set(range(19, 39))
    assert all(point.time < BEGAN + 100 for point in found)
    assert sum(point.is_last for point in found) == 2


def test_the_lower_of_a_tables_own_cap_and_that_of_the_run_is_drawn() -> None:
    told = [
        RunEvent(time=BEGAN, kind="started"),
        RunEvent(time=BEGAN, kind="limits", write_cap_units=600.0),
        RunEvent(time=BEGAN + 10, kind="limits", source="orders", write_cap_units=50.0),
        RunEvent(time=BEGAN + 20, kind="limits", source="users", write_cap_units=1.0),
        RunEvent(time=BEGAN + 30, kind="limits", source="orders", write_cap_units=None),
    ]
    found = caps(told, axis(), lambda event: event.write_cap_units, "orders")
    drawn = {point.time - BEGAN: point.value for point in found if point.time < BEGAN + 100}
    assert [drawn[second] for second in (5, 15, 25, 40)] == [600.0, 50.0, 50.0, 600.0]


def test_what_is_far_above_is_left_out_and_the_line_ends_before_it() -> None:
    line = [ChartPoint(1, 5.0), ChartPoint(2, 50.0), ChartPoint(3, 6.0)]
    assert within_frame(line, 10.0) == [
        ChartPoint(1, 5.0, is_last=True),
        ChartPoint(3, 6.0, is_last=True),
    ]


def test_no_line_is_drawn_across_a_gap() -> None:
    line = [(0.0, 5.0), (10.0, 6.0), (100.0, None), (100.0, 7.0), (110.0, 8.0)]
    assert points(line) == [
        ChartPoint(0, 5.0),
        ChartPoint(10, 6.0, is_last=True),
        ChartPoint(100, 7.0),
        ChartPoint(110, 8.0),
    ]


def test_of_two_values_in_one_second_the_later_one_is_drawn() -> None:
    assert points([(0.2, 5.0), (0.4, 6.0), (0.6, 7.0)]) == [ChartPoint(0, 6.0), ChartPoint(1, 7.0)]


@pytest.mark.parametrize("line", [[], [(1.0, None), (2.0, None)]])
def test_a_line_without_a_value_has_no_points(line: list[tuple[float, float | None]]) -> None:
    assert points(line) == []


def test_without_an_attempt_there_is_nothing() -> None:
    nothing = axis_of(stretches_of(SAMPLES, []))
    assert rates(SAMPLES, nothing, items) == []
    assert limits(SAMPLES, nothing, lambda sample: sample.write_limit_units) == []
    assert sum_of([[]], nothing) == []


def of_one_attempt(grown: list[tuple[float, int]]) -> list[Sample]:
    samples, second, total = [sample_at(0, 0)], 0.0, 0
    for seconds, more in grown:
        second, total = second + seconds, total + more
        samples.append(sample_at(second, total))  # type: ignore[arg-type]  # also between seconds
    return samples


@given(
    st.lists(st.tuples(st.floats(0.01, 5_000), st.integers(0, 10**9)), min_size=1, max_size=60),
    st.integers(2, 300),
)
def test_the_area_under_a_line_is_what_was_copied(
    grown: list[tuple[float, int]], most: int
) -> None:
    samples = of_one_attempt(grown)
    line = rates(samples, axis_of(stretches_of(samples, ATTEMPTS[:1]), most), items)
    area, before = 0.0, samples[0].time
    for point in line:
        until = min(max(point.time, before), samples[-1].time)
        area, before = area + point.value * (until - before), until
    if samples[-1].time - samples[0].time >= 2:
        assert area == pytest.approx(samples[-1].items_written, rel=1e-6, abs=1e-3)
