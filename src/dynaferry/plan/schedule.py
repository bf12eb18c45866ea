"""The schedule: caps by the hour. Pure: the moment is passed in.

Hours are those of the wall clock in the schedule's time zone, so a night stays a night when the
clock is changed: the hour that comes twice matches twice, the one that is left out does not. A
span over midnight belongs to the weekday on which it begins. For each side the first entry that
matches and says something of it counts.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from dynaferry.errors import PlanError
from dynaferry.limits import LEAST_CAP_UNITS

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NoCap = Literal["none"]
Units = Annotated[float, Meta(ge=LEAST_CAP_UNITS)] | NoCap
"""Capacity units a second, or the word that there is no cap."""

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


class ScheduleEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caps for some hours of some weekdays, all if not given. None leaves a side as it is."""

    hours: str | None = None
    weekdays: tuple[Weekday, ...] = ()
    max_read_units: Units | None = None
    max_write_units: Units | None = None


class Schedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[limits]` of a plan: its schedule, first match first, and whose wall clock counts."""

    time_zone: str = "UTC"
    schedule: tuple[ScheduleEntry, ...] = ()


def check_limits(limits: Schedule, named: Callable[[str], str]) -> None:
    """Returns if the schedule makes sense; `named` gives a key as it was written.

    :raises PlanError: it does not; names the entry, counted from 1
    """
    try:
        _zone(limits)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PlanError(
            f"{named('limits.time_zone')} {limits.time_zone!r} is not a time zone",
            hint="it looks like Europe/Berlin or UTC",
        ) from error
    for number, entry in enumerate(limits.schedule, start=1):
        _check_entry(entry, named(f"entry {number} of limits.schedule"))


def _check_entry(entry: ScheduleEntry, where: str) -> None:
    caps = (entry.max_read_units, entry.max_write_units)
    if caps == (None, None):
        raise PlanError(
            f"{where} caps nothing", hint="give it max_read_units or max_write_units, or both"
        )
    for cap in caps:
        if isinstance(cap, float) and not math.isfinite(cap):
            raise PlanError(f"{where} must have a number, not {cap}", hint='no cap is "none"')
    if entry.hours is None:
        return
    if not _HOURS.fullmatch(entry.hours):
        raise PlanError(f"{where} has the hours {entry.hours!r}", hint="write them 22:00-06:00")
    begin, end = _minutes(entry.hours)
    if begin == end:
        raise PlanError(
            f"{where} begins and ends at the same time", hint="leave hours out for the whole day"
        )


def scheduled(limits: Schedule, moment: datetime) -> tuple[Units | None, Units | None]:
    """The caps on reads and on writes at `moment`; None for a side without an entry."""
    if not limits.schedule:
        return None, None
    local = moment.astimezone(_zone(limits))
    matching = [entry for entry in limits.schedule if _matches(entry, local)]
    reads = (entry.max_read_units for entry in matching if entry.max_read_units is not None)
    writes = (entry.max_write_units for entry in matching if entry.max_write_units is not None)
    return next(reads, None), next(writes, None)


def _matches(entry: ScheduleEntry, local: datetime) -> bool:
    day = local
    if entry.hours is not None:
        begin, end = _minutes(entry.hours)
        minute = local.hour * 60 + local.minute
        over_midnight = end < begin
        if over_midnight and minute < end:
            day = local - timedelta(days=1)
        elif not (begin <= minute < end or (over_midnight and minute >= begin)):
            return False
    return not entry.weekdays or _WEEKDAYS[day.weekday()] in entry.weekdays


def _minutes(hours: str) -> tuple[int, int]:
    begin, end = (part.split(":") for part in hours.split("-"))
    return int(begin[0]) * 60 + int(begin[1]), int(end[0]) * 60 + int(end[1])


def _zone(limits: Schedule) -> tzinfo:
    return UTC if limits.time_zone == "UTC" else ZoneInfo(limits.time_zone)
