from datetime import UTC, datetime

import pytest

from dynaferry.control.effective import CapInForce, effective_controls, in_words
from dynaferry.plan.schedule import Schedule, ScheduleEntry, Units
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.records import (
    Controls,
    ControlsChange,
    changed,
)

NOON, NIGHT = (datetime(2026, 3, 4, hour, tzinfo=UTC) for hour in (12, 23))
PLAN = CopyPlan(
    tables=(TablePlan("orders", "orders"),),
    max_write_units=1000.0,
    limits=Schedule(
        schedule=(
            ScheduleEntry(hours="22:00-06:00", max_write_units="none"),
            ScheduleEntry(hours="22:00-24:00", max_read_units=50.0),
        )
    ),
)


@pytest.mark.parametrize(
    ("was_set", "moment", "write"),
    [
        (None, NOON, CapInForce(1000.0, "plan")),
        (None, NIGHT, CapInForce(None, "schedule")),
        (300.0, NOON, CapInForce(300.0, "set")),
        (300.0, NIGHT, CapInForce(300.0, "set")),
        ("none", NOON, CapInForce(None, "set")),
    ],
)
def test_what_was_set_comes_before_the_schedule_and_that_before_the_plan(
    was_set: Units | None, moment: datetime, write: CapInForce
) -> None:
    assert effective_controls(PLAN, Controls(max_write_units=was_set), moment).write == write


def test_each_side_is_decided_by_itself() -> None:
    held = effective_controls(PLAN, Controls(max_write_units=5.0), NIGHT)
    assert held.read == CapInForce(50.0, "schedule")
    assert held.write == CapInForce(5.0, "set")


@pytest.mark.parametrize(
    ("controls", "moment", "words"),
    [
        (Controls(), NOON, "writes at most 1,000 units/s (as planned)"),
        (
            Controls(paused_at=1.0, max_write_units=2.5),
            NIGHT,
            "paused, writes at most 2.5 units/s (set by hand), "
            "reads at most 50 units/s (by the schedule)",
        ),
        (Controls(max_write_units="none"), NOON, "no limit on writes (set by hand)"),
    ],
)
def test_the_words_say_which_controls_are_effective_and_who_set_them(
    controls: Controls, moment: datetime, words: str
) -> None:
    assert in_words(effective_controls(PLAN, controls, moment)) == words


def test_where_nothing_is_set_there_are_no_words() -> None:
    plan = CopyPlan(tables=PLAN.tables)
    assert in_words(effective_controls(plan, Controls(), NOON)) is None


def test_a_change_leaves_alone_what_it_says_nothing_of() -> None:
    first = changed(Controls(), ControlsChange(paused=True, max_read_units=7.0), 10.0)
    second = changed(first, ControlsChange(max_write_units="none"), 20.0)
    assert second == Controls(
        paused_at=10.0, max_read_units=7.0, max_write_units="none", changed_at=20.0
    )


def test_paused_twice_it_is_paused_since_the_first_time() -> None:
    paused = changed(Controls(), ControlsChange(paused=True), 10.0)
    assert changed(paused, ControlsChange(paused=True), 20.0).paused_at == 10.0
    assert changed(paused, ControlsChange(paused=False), 20.0).paused_at is None


def test_plan_takes_back_what_was_set() -> None:
    was_set = Controls(max_read_units=7.0, max_write_units="none")
    back = changed(was_set, ControlsChange(max_read_units="plan", max_write_units="plan"), 1.0)
    assert (back.max_read_units, back.max_write_units) == (None, None)
