"""A cap that is typed now counts before one that was once `set`, and the run says so."""

from typing import Final, Protocol

from msgspec.structs import replace

from dynaferry.observe import formatting
from dynaferry.plan.resume_command import Invocation, RecordedCommand, option_of
from dynaferry.plan.schedule import Schedule, Units
from dynaferry.state.records import Controls, ControlsChange

_SIDES: Final = {"max_read_units": "reads", "max_write_units": "writes"}


class ChangeableControls(Protocol):
    """The store of what was asked, in which it can be taken back."""

    async def read_controls(self) -> Controls:
        """What was asked of the run while it was under way."""
        ...

    async def change_controls(
        self, change: ControlsChange, now: float, by: str | None = None
    ) -> Controls:
        """Stores what `by` asks for."""
        ...


async def take_back_set_caps(
    store: ChangeableControls, invocation: Invocation | None, now: float, schedule: Schedule
) -> list[str]:
    """Takes back the caps that were `set` where a flag says otherwise now; the lines say which.

    To be called once a process, before anybody can have set anything since the flags were typed.
    Where a schedule has a say of that side, which would count before the flag, the typed cap is set
    in the place of the other: somebody has held the run by hand, and goes on to.

    :raises StateError: the state file cannot be read
    :raises StateWriteError: it cannot be written
    """
    if invocation is None or not invocation.typed_caps:
        return []
    controls, lines, change = await store.read_controls(), list[str](), ControlsChange()
    for name, typed in invocation.typed_caps.items():
        was_set: Units | None = getattr(controls, name)
        if was_set is None or was_set == typed:
            continue
        is_scheduled = any(getattr(entry, name) is not None for entry in schedule.schedule)
        change = replace(change, **{name: typed if is_scheduled else "plan"})
        lines.append(
            f"{option_of(name)} {_units(typed)} counts: what was set before for the "
            f"{_SIDES[name]}, {_in_words(was_set)}, is taken back"
        )
    if lines:
        await store.change_controls(change, now, "a flag on the command line")
    return lines


def with_set_caps(command: RecordedCommand, controls: Controls) -> RecordedCommand:
    """The command with what was `set` since in the place of its caps: typed again it lifts none."""
    was_set = {name: getattr(controls, name) for name in _SIDES if name in command.flags}
    numbers = {name: cap for name, cap in was_set.items() if isinstance(cap, float)}
    return replace(command, flags=command.flags | numbers)


def _in_words(cap: Units) -> str:
    return "no limit" if cap == "none" else f"at most {_units(cap)} units/s"


def _units(units: float) -> str:
    return f"{units:g}" if units < 10 else formatting.count(units)
