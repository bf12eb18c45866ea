from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.errors import PlanError
from dynaferry.plan.schedule import Schedule, ScheduleEntry, check_limits, scheduled

NIGHT = ScheduleEntry(hours="22:00-06:00", max_write_units=5000.0)
WEEKEND = ScheduleEntry(weekdays=("sat", "sun"), max_write_units="none")
DAY = ScheduleEntry(max_write_units=200.0, max_read_units=100.0)
WEEK = Schedule(schedule=(WEEKEND, NIGHT, DAY))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "writes"),
    [
        ("2026-03-04 12:00", 200.0),  # a Wednesday
        ("2026-03-04 21:59", 200.0),
        ("2026-03-04 22:00", 5000.0),
        ("2026-03-05 05:59", 5000.0),
        ("2026-03-05 06:00", 200.0),
        ("2026-03-07 12:00", "none"),
        ("2026-03-08 23:59", "none"),
    ],
)
def test_the_first_entry_that_matches_counts(moment: str, writes: float | str) -> None:
    assert scheduled(WEEK, utc(moment)) == (100.0, writes)


def test_a_span_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    limits = Schedule(
        schedule=(ScheduleEntry(hours="22:00-06:00", weekdays=("sat",), max_write_units=1.0),)
    )
    assert scheduled(limits, utc("2026-03-07 05:00")) == (None, None)  # the night of Friday
    assert scheduled(limits, utc("2026-03-07 22:00")) == (None, 1.0)
    assert scheduled(limits, utc("2026-03-08 05:59")) == (None, 1.0)  # Sunday by now
    assert scheduled(limits, utc("2026-03-08 22:00")) == (None, None)


def test_an_entry_that_says_nothing_of_a_side_leaves_it_to_the_next() -> None:
    reads = ScheduleEntry(hours="08:00-12:00", max_read_units=7.0)
    limits = Schedule(schedule=(reads, DAY))
    assert scheduled(limits, utc("2026-03-04 09:00")) == (7.0, 200.0)
    assert scheduled(limits, utc("2026-03-04 13:00")) == (100.0, 200.0)


def test_hours_are_those_of_the_wall_clock_in_the_time_zone() -> None:
    limits = Schedule(
        time_zone="America/New_York",
        schedule=(ScheduleEntry(hours="09:00-17:00", max_write_units=1.0),),
    )
    assert scheduled(limits, utc("2026-01-15 13:59")) == (None, None)
    assert scheduled(limits, utc("2026-01-15 14:00")) == (None, 1.0)  # winter: five hours
    assert scheduled(limits, utc("2026-07-15 13:00")) == (None, 1.0)  # summer: four


@pytest.mark.parametrize(
    ("day", "minutes"),
    [("2026-03-28", 7 * 60), ("2026-10-24", 9 * 60), ("2026-06-01", 8 * 60)],
)
def test_a_night_stays_a_night_when_the_clock_is_changed(day: str, minutes: int) -> None:
    """22:00-06:00 in Berlin: an hour less in the night to summer time, one more in autumn."""
    limits = Schedule(
        time_zone="Europe/Berlin",
        schedule=(ScheduleEntry(hours="22:00-06:00", max_write_units=1.0),),
    )
    noon = utc(f"{day} 12:00")
    night = sum(
        scheduled(limits, noon + timedelta(minutes=minute)) == (None, 1.0)
        for minute in range(24 * 60)
    )
    assert night == minutes


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 23), st.integers(0, 23))
def test_a_span_and_the_rest_of_the_day_share_every_moment(
    moment: datetime, begin: int, end: int
) -> None:
    if begin == end:
        return
    hours = (f"{begin:02}:00-{end:02}:00", f"{end:02}:00-{begin:02}:00")
    matches = [
        scheduled(Schedule(schedule=(ScheduleEntry(hours=each, max_write_units=1.0),)), moment)[1]
        for each in hours
    ]
    assert sorted(matches, key=str) == [1.0, None]


def test_without_a_schedule_nothing_is_said() -> None:
    assert scheduled(Schedule(), utc("2026-03-04 12:00")) == (None, None)


def test_a_day_may_end_at_24() -> None:
    limits = Schedule(schedule=(ScheduleEntry(hours="12:00-24:00", max_write_units=1.0),))
    assert scheduled(limits, utc("2026-03-04 23:59")) == (None, 1.0)
    assert scheduled(limits, utc("2026-03-05 00:00")) == (None, None)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Schedule(time_zone="Mars/Olympus"), "is not a time zone"),
        (Schedule(time_zone="../etc"), "is not a time zone"),
        (Schedule(schedule=(ScheduleEntry(hours="22:00-06:00"),)), "entry 1 .* caps nothing"),
        (
            Schedule(schedule=(DAY, ScheduleEntry(hours="22-6", max_read_units=1.0))),
            "entry 2 .*22-6",
        ),
        (Schedule(schedule=(ScheduleEntry(hours="25:00-06:00", max_read_units=1.0),)), "25:00"),
        (Schedule(schedule=(ScheduleEntry(hours="06:00-06:00", max_read_units=1.0),)), "same time"),
        (Schedule(schedule=(ScheduleEntry(max_read_units=float("inf")),)), "not inf"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_place(limits: Schedule, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        check_limits(limits, str)
