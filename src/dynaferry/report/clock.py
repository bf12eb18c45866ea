"""The time axis of the charts: real clock time where something ran, and the rest cut short. Pure.

A chart's library puts its times at even distances, whatever lies between them. So an axis has its
times evenly apart within each stretch of work, and a few in the dead time between two.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from dynaferry.observe.events import RunEvent
from dynaferry.state.records import AttemptRecord, Sample

MOST_TIMES: Final = 300
# So wide is the dead time between two attempts, however long it was.
_DEAD_TIMES: Final = 10


class Stretch(Struct, frozen=True):
    """A time in which something ran, in seconds since the epoch."""

    began: float
    ended: float


class Axis(Struct, frozen=True):
    """Times in whole seconds since the epoch, in order and each once, and what ran when."""

    times: Sequence[int]
    stretches: Sequence[Stretch]

    def within(self, stretch: Stretch) -> list[int]:
        """The times that lie in this stretch, to the second."""
        began, ended = math.floor(stretch.began), math.ceil(stretch.ended)
        return [time for time in self.times if began <= time <= ended]


def axis_of(stretches: Sequence[Stretch], most: int = MOST_TIMES) -> Axis:
    """The axis of stretches that are in order; about `most` times are in them."""
    step = max(1.0, sum(each.ended - each.began for each in stretches) / most)
    times: list[int] = []
    for before, stretch in zip([None, *stretches], stretches, strict=False):
        found = [*_dead(before, stretch, step), *_evenly(stretch.began, stretch.ended, step)]
        times += [time for time in dict.fromkeys(found) if not times or time > times[-1]]
    return Axis(times, stretches)


def _dead(before: Stretch | None, stretch: Stretch, step: float) -> list[int]:
    """Times between two stretches, where nothing is drawn."""
    if before is None or stretch.began - before.ended < 2 * step:
        return []
    seconds = stretch.began - before.ended
    return _evenly(before.ended, stretch.began, max(step, seconds / _DEAD_TIMES))[1:-1]


def _evenly(began: float, ended: float, step: float) -> list[int]:
    first, last = math.floor(began), math.ceil(ended)
    count = max(1, math.ceil((last - first) / step))
    return [first + round((last - first) * each / count) for each in range(count + 1)]


def stretches_of(samples: Sequence[Sample], attempts: Sequence[AttemptRecord]) -> list[Stretch]:
    """When a table was copied in each attempt, by its samples; nothing of one that has none."""
    return [Stretch(each[0].time, each[-1].time) for each in by_attempt(samples, attempts)]


def by_attempt(
    samples: Sequence[Sample], attempts: Sequence[AttemptRecord]
) -> Iterator[list[Sample]]:
    """The samples of each attempt that has any."""
    starts = [attempt.started_at for attempt in attempts] + [math.inf]
    for began, next_began in pairwise(starts):
        found = [sample for sample in samples if began <= sample.time < next_began]
        if found:
            yield found


def of_all(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The stretches in which any of these lies: in order, and apart."""
    found: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda each: each.began):
        if found and stretch.began <= found[-1].ended:
            found[-1] = Stretch(found[-1].began, max(found[-1].ended, stretch.ended))
        else:
            found.append(stretch)
    return found


def pauses(
    events: Sequence[RunEvent], until: float, source: str | None = None
) -> list[tuple[float, float]]:
    """When the run was paused while a process copied it, in seconds since the epoch.

    With a `source` those of that table alone.
    """
    found: list[tuple[float, float]] = []
    since: float | None = None
    for event in events:
        is_of_it = event.kind == "limits" and event.source == source
        if not is_of_it and event.kind not in ("started", "ended"):
            continue
        if since is not None and not event.paused:
            found.append((since, event.time))
            since = None
        elif since is None and event.paused:
            since = event.time
    return found if since is None else [*found, (since, until)]
