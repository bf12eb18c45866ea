"""The rates of a table over time, from its samples, at the times of an axis. Pure.

Samples hold totals. Between the last one of an attempt and the first one of the next nothing
was copied, and what a kill lost is counted again: no line is drawn across such a gap.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from msgspec import Struct

from dynaferry.observe.events import RunEvent
from dynaferry.report.clock import Axis
from dynaferry.state.records import Sample

Total = Callable[[Sample], float]
Limit = Callable[[Sample], float | None]


class ChartPoint(Struct, frozen=True, array_like=True):
    """A value at a whole second since the epoch; `is_last` is said of one before a gap."""

    time: int
    value: float
    is_last: bool = False


Line = Sequence[ChartPoint]


def rates(samples: Sequence[Sample], axis: Axis, of: Total) -> list[ChartPoint]:
    """The rates of a total that only grows, each at the end of the time that it is about.

    The first one of a stretch is at its beginning as well: one rate is a line of that length.
    """
    found: list[ChartPoint] = []
    for stretch in axis.stretches:
        inside = [each for each in samples if stretch.began <= each.time <= stretch.ended]
        if len(inside) < 2:
            continue
        began, ended = inside[0].time, inside[-1].time
        times = [time for time in axis.within(stretch) if began - 1 < time < ended + 1]
        found += _line(times, inside, of)
    return found


def _line(times: Sequence[int], samples: Sequence[Sample], of: Total) -> list[ChartPoint]:
    began, ended = samples[0].time, samples[-1].time
    known = [sample.time for sample in samples]
    line: list[ChartPoint] = []
    before = began
    for time in times:
        until = min(max(time, began), ended)
        if until <= before:
            continue
        grown = _at(until, known, samples, of) - _at(before, known, samples, of)
        rate = max(0.0, grown) / (until - before)
        if not line and time != times[0]:
            line.append(ChartPoint(times[0], rate))
        line.append(ChartPoint(time, rate))
        before = until
    return _ending(line)


def _at(moment: float, known: Sequence[float], samples: Sequence[Sample], of: Total) -> float:
    """The total at a moment, as if it grew evenly between two samples."""
    after = min(bisect_right(known, moment), len(samples) - 1)
    first, second = samples[max(0, after - 1)], samples[after]
    seconds = second.time - first.time
    share = 1.0 if seconds <= 0 else min(1.0, max(0.0, (moment - first.time) / seconds))
    return of(first) + (of(second) - of(first)) * share


def limits(samples: Sequence[Sample], axis: Axis, of: Limit) -> list[ChartPoint]:
    """The limits that held, by the samples; no line where there was none."""
    found: list[ChartPoint] = []
    for stretch in axis.stretches:
        inside = [each for each in samples if stretch.began <= each.time <= stretch.ended]
        known = [sample.time for sample in inside]
        values = (
            (time, of(inside[max(0, bisect_right(known, time) - 1)])) if inside else (time, None)
            for time in axis.within(stretch)
        )
        found += _stepped(list(values))
    return found


def caps(
    events: Sequence[RunEvent], axis: Axis, of: Callable[[RunEvent], float | None], source: str
) -> Line:
    """The caps that were in force for a table, by the events: its own or the run's, whichever is
    lower. An attempt begins with none.
    """
    of_both = [_in_force(events, of, name) for name in (None, source)]
    found: list[ChartPoint] = []
    for stretch in axis.stretches:
        values: list[tuple[int, float | None]] = []
        for time in axis.within(stretch):
            held = [cap for cap in (in_force(time) for in_force in of_both) if cap is not None]
            values.append((time, min(held, default=None)))
        found += _stepped(values)
    return found


def _in_force(
    events: Sequence[RunEvent], of: Callable[[RunEvent], float | None], source: str | None
) -> Callable[[int], float | None]:
    """What held within a second, of the run or of one table."""
    told = [
        event
        for event in events
        if event.kind == "started" or (event.kind == "limits" and event.source == source)
    ]
    known = [event.time for event in told]

    def at(time: int) -> float | None:
        before = bisect_right(known, time + 1)
        return of(told[before - 1]) if before else None

    return at


def within_frame(line: Line, highest: float) -> Line:
    """The points that are not above `highest`: what is far above would press the rest flat."""
    return _stepped(
        [(point.time, point.value if point.value <= highest else None) for point in line],
        [point.is_last for point in line],
    )


def sum_of(lines: Sequence[Line], axis: Axis) -> Line:
    """The sum of lines on one axis: no line where none of them has a value."""
    known: list[dict[int, float]] = [{point.time: point.value for point in line} for line in lines]
    found: list[ChartPoint] = []
    for stretch in axis.stretches:
        values: list[tuple[int, float | None]] = []
        for time in axis.within(stretch):
            there = [each[time] for each in known if time in each]
            values.append((time, sum(there) if there else None))
        found += _stepped(values)
    return found


def points(values: Sequence[tuple[float, float | None]]) -> list[ChartPoint]:
    """Values at moments in order, as a line in whole seconds, each once; None is a gap."""
    found: list[ChartPoint] = []
    for moment, value in values:
        time = round(moment)
        if value is None:
            found[-1:] = _ending(found[-1:])
        elif not found or found[-1].time < time:
            found.append(ChartPoint(time, value))
        elif not found[-1].is_last:
            found[-1] = ChartPoint(found[-1].time, value)
    return found


def _stepped(
    values: Sequence[tuple[int, float | None]], ends: Sequence[bool] = ()
) -> list[ChartPoint]:
    """The points with a value; the one before a gap is the last of its line."""
    found: list[ChartPoint] = []
    for index, (time, value) in enumerate(values):
        if value is None:
            found[-1:] = _ending(found[-1:])
        else:
            found.append(ChartPoint(time, value, is_last=bool(ends) and ends[index]))
    return _ending(found)


def _ending(line: list[ChartPoint]) -> list[ChartPoint]:
    if not line:
        return line
    return [*line[:-1], ChartPoint(line[-1].time, line[-1].value, is_last=True)]
