"""A cap that is typed now counts before one that was set once, and the run says so."""

import pytest

from dynaferry.control.typed_caps import take_back_set_caps, with_set_caps
from dynaferry.plan.resume_command import Invocation, recorded_command
from dynaferry.plan.schedule import Schedule, ScheduleEntry, Units
from dynaferry.state.records import Controls, ControlsChange, TableControls, changed


class Asked:
    """What was asked of a run, in memory."""

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        self.changes = 0

    async def read_controls(self) -> Controls:
        return self.controls

    async def change_controls(
        self, change: ControlsChange, now: float, by: str | None = None
    ) -> Controls:
        assert by == "a flag on the command line"
        self.changes += 1
        self.controls = changed(self.controls, change, now)
        return self.controls


def _typed(**caps: float) -> Invocation:
    return Invocation(recorded_command("copy", {"source": "a", "target": "b", **caps}, "/work"))


@pytest.mark.parametrize(
    ("was_set", "words"), [("none", "no limit"), (50.0, "at most 50 units/s"), (2.5, "at most 2.5")]
)
async def test_a_flag_takes_back_what_was_set_and_says_what(was_set: Units, words: str) -> None:
    asked = Asked(Controls(paused_at=1.0, max_write_units=was_set, max_read_units=9.0))
    (line,) = await take_back_set_caps(asked, _typed(max_write_units=700.0), 5.0, Schedule())
    assert line.startswith("--max-write-units 700 counts: what was set before for the writes, ")
    assert words in line
    # The other side and the pause are as they were.
    assert asked.controls == Controls(paused_at=1.0, max_read_units=9.0, changed_at=5.0)


async def test_both_sides_are_taken_back_at_once() -> None:
    asked = Asked(Controls(max_write_units=1.0, max_read_units="none"))
    typed = _typed(max_write_units=700.0, max_read_units=5.0)
    assert len(await take_back_set_caps(asked, typed, 5.0, Schedule())) == 2
    assert (asked.controls, asked.changes) == (Controls(changed_at=5.0), 1)


@pytest.mark.parametrize(
    "invocation",
    [
        None,
        _typed(),
        _typed(max_write_units=50.0),
        Invocation(_typed(max_write_units=700.0).command, typed_now=False),
    ],
    ids=["no command", "no flag", "the same", "typed long ago"],
)
async def test_otherwise_what_was_set_holds(invocation: Invocation | None) -> None:
    controls = Controls(max_write_units=50.0, tables={"b": TableControls(max_write_units=1.0)})
    asked = Asked(controls)
    assert await take_back_set_caps(asked, invocation, 5.0, Schedule()) == []
    assert (asked.controls, asked.changes) == (controls, 0)


async def test_beside_a_schedule_the_typed_cap_takes_the_place_of_what_was_set() -> None:
    """Else the schedule would count, which may say far more than either."""
    schedule = Schedule(schedule=(ScheduleEntry(max_write_units=8_000.0),))
    asked = Asked(Controls(max_write_units=200.0, max_read_units=9.0))
    typed = _typed(max_write_units=300.0, max_read_units=5.0)
    lines = await take_back_set_caps(asked, typed, 5.0, schedule)
    assert len(lines) == 2
    assert asked.controls == Controls(max_write_units=300.0, changed_at=5.0)


def test_a_command_that_is_typed_again_lifts_nothing_that_was_set() -> None:
    command = _typed(max_write_units=5_000.0, max_read_units=10.0).command
    shown = with_set_caps(command, Controls(max_write_units=200.0, max_read_units="none"))
    assert shown.flags["max_write_units"] == 200.0
    assert shown.flags["max_read_units"] == 10.0
    without = _typed().command
    assert with_set_caps(without, Controls(max_write_units=200.0)) == without
