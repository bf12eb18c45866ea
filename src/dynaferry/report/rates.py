"""The rates of a table over time, from its samples. Pure.

Samples hold totals. Between the last one of an attempt and the first one of the next nothing
was copied, and what a kill lost is counted again: no rate is drawn across such a gap.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from dynaferry.state.records import (
    AttemptRecord,
    Sample,
)

MOST_SAMPLES = 400


class Rate(Struct, frozen=True):
    """A rate at a moment, in seconds since the first attempt began; None where there is a gap."""

    seconds: float
    per_second: float | None


def rates(
    samples: Sequence[Sample], attempts: Sequence[AttemptRecord], of: Callable[[Sample], float]
) -> list[Rate]:
    """The rates of a total that only grows, each at the end of the time that it is about.

    The first one of a stretch is at its beginning as well: one rate is a line of that length.
    """
    if not attempts:
        return []
    origin = attempts[0].started_at
    starts = [attempt.started_at for attempt in attempts]
    found = []
    for before, after in pairwise(thinned(samples)):
        seconds = after.time - before.time
        crosses = any(before.time < start <= after.time for start in starts)
        if crosses or seconds <= 0:
            found.append(Rate(after.time - origin, None))
            continue
        rate = max(0.0, of(after) - of(before)) / seconds
        if not found or found[-1].per_second is None:
            found.append(Rate(before.time - origin, rate))
        found.append(Rate(after.time - origin, rate))
    return found


def limits(
    samples: Sequence[Sample],
    attempts: Sequence[AttemptRecord],
    of: Callable[[Sample], float | None],
) -> list[Rate]:
    """The limits that held when the samples were taken."""
    if not attempts:
        return []
    origin = attempts[0].started_at
    return [Rate(sample.time - origin, of(sample)) for sample in thinned(samples)]


def thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """At most `MOST_SAMPLES` of the samples, evenly apart, the last one among them."""
    if len(samples) <= MOST_SAMPLES:
        return samples
    step = -(-len(samples) // MOST_SAMPLES)
    kept = list(samples[::step])
    return kept if kept[-1] is samples[-1] else [*kept, samples[-1]]
