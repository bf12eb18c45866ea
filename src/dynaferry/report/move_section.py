"""A report's section on one table of a move: its states, changes and lag, what was lost. Pure."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from msgspec import Struct

from dynaferry.observe import formatting
from dynaferry.observe.move_history import MovePoint
from dynaferry.observe.move_words import line_of, losing_line
from dynaferry.report.charts import Chart, ChartGroup
from dynaferry.report.rates import points
from dynaferry.report.stored_move import StoredMove

# Between samples that lie further apart, and much further than those before, no process moved it.
_GAP_SECONDS: Final = 60.0
_GAP_TIMES: Final = 4.0
_Values: TypeAlias = list[tuple[float, float | None]]
_SHARDS: Final = {
    "unread": "being read, or to be",
    "done": "read to their end",
    "passed": "closed before the capture began",
    "lost": "gone before they were read",
}


class MoveSection(Struct, frozen=True, kw_only=True):
    """The section of one table of a move."""

    name: str
    line: str
    losing: str | None
    facts: Sequence[tuple[str, str]]
    drawn: ChartGroup
    states: Sequence[Sequence[str]]
    against: Sequence[str]
    gaps: Sequence[Sequence[str]]
    shards: Sequence[Sequence[str]]


def move_section(move: StoredMove) -> MoveSection:
    """The section of a table of a move as its spool keeps it."""
    status = move.status
    return MoveSection(
        name=f"{status.source} → {status.target}",
        line=line_of(status),
        losing=None if status.will_catch_up else losing_line(status),
        facts=_facts(move),
        drawn=ChartGroup(charts=_charts(move.samples)),
        states=_states(move),
        against=status.not_ready,
        gaps=[(_moment(g.at), g.why, _mended(g.mended_at)) for g in move.gaps],
        shards=[(f"{count:,}", _SHARDS.get(state, state)) for state, count in move.shards.items()],
    )


def _facts(move: StoredMove) -> Sequence[tuple[str, str]]:
    """The first five add up: captured = applied + compacted + refused + waiting."""
    status = move.status
    lags = [sample.lag_seconds for sample in move.samples if sample.lag_seconds is not None]
    return (
        ("changes captured", formatting.count(status.changes_captured)),
        ("= applied", formatting.count(status.changes_applied)),
        ("+ replaced while they waited", formatting.count(status.changes_compacted)),
        ("+ rejected", formatting.count(status.changes_rejected)),
        ("+ waiting", formatting.count(status.spool_rows)),
        ("of them read again", formatting.count(status.spool_read_again)),
        ("behind now", _seconds(status.lag_seconds)),
        ("behind at most", _seconds(max(lags, default=None))),
        ("spool", f"{formatting.megabytes(status.spool_bytes)} MB"),
        ("losses of records", f"{status.gaps_ever:,}, {status.gaps:,} not repaired"),
        ("writes in doubt", formatting.count(status.doubts)),
        ("dead letters of the move", formatting.count(status.rejected)),
        ("late writes", formatting.count(status.late_writes)),
    )


def _charts(samples: Sequence[MovePoint]) -> list[Chart]:
    return [
        Chart(
            title="Seconds behind the source",
            hue="--accent",
            rates=points(_values(samples, lambda sample: sample.lag_seconds)),
        ),
        Chart(
            title="Changes captured a second, and applied (dashed)",
            hue="--reads",
            rates=points(_rates(samples, lambda sample: sample.captured)),
            limits=points(_rates(samples, lambda sample: sample.out)),
            together=True,
        ),
        Chart(
            title="Changes that wait",
            hue="--accent",
            rates=points(_values(samples, lambda sample: float(sample.spool_rows))),
        ),
    ]


def _values(samples: Sequence[MovePoint], of: Callable[[MovePoint], float | None]) -> _Values:
    found: _Values = []
    for sample, crosses in _with_gaps(samples):
        if crosses:
            found.append((sample.seconds, None))
        found.append((sample.seconds, of(sample)))
    return found


def _rates(samples: Sequence[MovePoint], of: Callable[[MovePoint], float]) -> _Values:
    found: _Values = []
    before: MovePoint | None = None
    for sample, crosses in _with_gaps(samples):
        if crosses:
            found.append((sample.seconds, None))
        elif before is not None:
            rate = max(0.0, of(sample) - of(before)) / (sample.seconds - before.seconds)
            found.append((sample.seconds, rate))
        before = sample
    return found


def _with_gaps(samples: Sequence[MovePoint]) -> list[tuple[MovePoint, bool]]:
    """Each sample, and whether nobody moved the table since the one before."""
    steps = [later.seconds - earlier.seconds for earlier, later in pairwise(samples)]
    found = [(sample, False) for sample in samples[:1]]
    for sample, step, before in zip(samples[1:], steps, [None, *steps], strict=False):
        usual = _GAP_TIMES * (before or step)
        found.append((sample, step <= 0 or (step > _GAP_SECONDS and step > usual)))
    return found


def _states(move: StoredMove) -> list[Sequence[str]]:
    """Each state: when it began, and for how long it lasted."""
    ends = [at for at, _ in move.states[1:]] + [move.status.at]
    return [
        (_moment(began), state, formatting.duration(max(0.0, end - began)))
        for (began, state), end in zip(move.states, ends, strict=False)
    ]


def last_applied_at(moved: Sequence[StoredMove]) -> float:
    """When changes were last applied, by the samples; 0 where none was."""
    steps = [step for move in moved for step in pairwise(move.samples)]
    return max((later.seconds for before, later in steps if later.out > before.out), default=0.0)


def _mended(at: float | None) -> str:
    return "not yet" if at is None else _moment(at)


def _seconds(seconds: float | None) -> str:
    return formatting.UNKNOWN if seconds is None else f"{seconds:,.1f} s"


def _moment(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
