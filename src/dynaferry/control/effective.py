"""The controls in force at a moment: pause and caps, and who set them. Pure.

One rule, for reads and for writes each: what was `set` while the run was under way, else what the
schedule says of the hour, else what the plan or its flag says. A table's own pause and caps hold
beside all of them: what was `set` for it, else what the plan says of it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from dynaferry.observe import formatting
from dynaferry.observe.limiting_factor import Signs, limiting_factors
from dynaferry.plan.schedule import Schedule, Units, scheduled
from dynaferry.state.records import Controls, TableControls

Origin = Literal["set", "schedule", "plan"]


class PlannedCaps(Protocol):
    """The caps that are planned for a table, or for a run."""

    @property
    def max_read_units(self) -> float | None:
        """The cap on reads, in units a second."""
        ...

    @property
    def max_write_units(self) -> float | None:
        """The cap on writes, in units a second."""
        ...


class Planned(PlannedCaps, Protocol):
    """The caps of a plan, or of what a state file keeps of one."""

    @property
    def limits(self) -> Schedule:
        """The schedule."""
        ...


class CapInForce(Struct, frozen=True):
    """A cap in units a second, None for no cap, and its origin."""

    units_per_second: float | None
    origin: Origin


class EffectiveControls(Struct, frozen=True, kw_only=True):
    """The controls in force; `paused_at` is in seconds since the epoch, None if not paused."""

    paused_at: float | None
    read: CapInForce
    write: CapInForce


def effective_controls(planned: Planned, controls: Controls, moment: datetime) -> EffectiveControls:
    """The controls in force at `moment`, whose time zone counts for the schedule."""
    reads, writes = scheduled(planned.limits, moment)
    return EffectiveControls(
        paused_at=controls.paused_at,
        read=_first(controls.max_read_units, reads, planned.max_read_units),
        write=_first(controls.max_write_units, writes, planned.max_write_units),
    )


def effective_for_table(planned: PlannedCaps, controls: TableControls | None) -> EffectiveControls:
    """A table's own controls in force: they hold beside those of its run, which are not in here."""
    controls = controls or TableControls()
    return EffectiveControls(
        paused_at=controls.paused_at,
        read=_first(controls.max_read_units, None, planned.max_read_units),
        write=_first(controls.max_write_units, None, planned.max_write_units),
    )


def set_by_hand(effective: EffectiveControls) -> EffectiveControls:
    """The controls of these that were set by hand; the plan, flags and schedule are left out."""
    return EffectiveControls(
        paused_at=effective.paused_at,
        read=effective.read if effective.read.origin == "set" else CapInForce(None, "plan"),
        write=effective.write if effective.write.origin == "set" else CapInForce(None, "plan"),
    )


def _first(was_set: Units | None, by_hour: Units | None, planned: float | None) -> CapInForce:
    if was_set is not None:
        return CapInForce(_number(was_set), "set")
    if by_hour is not None:
        return CapInForce(_number(by_hour), "schedule")
    return CapInForce(planned, "plan")


def _number(units: Units) -> float | None:
    return None if units == "none" else units


_ORIGINS: dict[Origin, str] = {
    "set": "set by hand",
    "schedule": "by the schedule",
    "plan": "as planned",
}


def in_words(effective: EffectiveControls) -> str | None:
    """The controls in words for people: a pause, caps, a cap that was lifted. None for nothing."""
    caps = (*_cap_in_words("writes", effective.write), *_cap_in_words("reads", effective.read))
    signs = Signs(paused=effective.paused_at is not None, caps=caps)
    return ", ".join(each.reason for each in limiting_factors(signs)) or None


def tables_in_words(tables: Mapping[str, EffectiveControls]) -> str | None:
    """What was set by hand of tables, by their names; None for nothing."""
    lines = ((name, in_words(set_by_hand(of_table))) for name, of_table in tables.items())
    return "; ".join(f"{name}: {words}" for name, words in lines if words) or None


def _cap_in_words(verb: str, cap: CapInForce) -> Iterator[str]:
    units = cap.units_per_second
    if units is not None:
        most = f"{units:g}" if units < 10 else formatting.count(units)
        yield f"{verb} at most {most} units/s ({_ORIGINS[cap.origin]})"
    elif cap.origin != "plan":
        yield f"no limit on {verb} ({_ORIGINS[cap.origin]})"
