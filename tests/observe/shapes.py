"""Shapes of runs: tables, how their items lie in segments, and how fast both sides were.

A shape is replayed in steps of seconds: segments under way share the table's rate, none is faster
than one partition takes, and tables take their turns. What a run's counters and its state file
would show at each moment goes into `RunStats`, so that an estimator can be held against the end.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dynaferry.observe.segment_sums import SegmentTally
from dynaferry.observe.stats import RunStats, TableStats

# A page of the service holds a megabyte.
PAGE_ITEMS = 1_000


@dataclass(frozen=True)
class TableShape:
    """A table: the items of its segments in the order in which they are read, its item count as the
    service tells it, its rate in items a second, and the one that a partition takes.
    """

    segments: Sequence[int]
    reported: int
    per_second: float
    partition_per_second: float = float("inf")
    planned_factor: float = 1.0
    readers: int = 8

    @property
    def items(self) -> int:
        return sum(self.segments)


@dataclass(frozen=True)
class RunShape:
    """Tables, of which so many are copied at once, under a cap in items a second."""

    tables: Sequence[TableShape]
    at_once: int = 1
    cap: float | None = None
    noise: float = 0.1
    browned_out: Sequence[tuple[float, float]] = ()
    seed: int = 1


@dataclass
class _Copied:
    """One table while it is copied."""

    shape: TableShape
    stats: TableStats
    begun: dict[int, float] = field(default_factory=dict)
    next_segment: int = 0
    tally: SegmentTally = field(default_factory=SegmentTally)
    noise: float = 0.0

    def go_on(self, seconds: float, per_second: float) -> None:
        """Copies for so long: segments under way have equal parts, as far as they take them."""
        budget, most = seconds * per_second, seconds * self.shape.partition_per_second
        taken: dict[int, float] = {}
        self._begin()
        while budget > 1e-9:
            takers = [one for one in self.begun if taken.get(one, 0.0) < most]
            if not takers:
                break
            part = budget / len(takers)
            for one in takers:
                left = self.shape.segments[one] - self.begun[one]
                step = min(part, left, most - taken.get(one, 0.0))
                taken[one] = taken.get(one, 0.0) + step
                self.begun[one] += step
                budget -= step
                if step == left:
                    self._end(one)
            self._begin()
        self._note()

    def _begin(self) -> None:
        while len(self.begun) < self.shape.readers and self.next_segment < len(self.shape.segments):
            segment, self.next_segment = self.next_segment, self.next_segment + 1
            self.begun[segment] = 0.0
            if not self.shape.segments[segment]:
                self._end(segment)

    def _end(self, segment: int) -> None:
        del self.begun[segment]
        self.stats.segments_complete += 1
        self.tally.note(segment, self.shape.segments[segment], complete=True)

    def _note(self) -> None:
        for segment, items in self.begun.items():
            # A page is read before the first of its items is written.
            seen = min(self.shape.segments[segment], (int(items) // PAGE_ITEMS + 1) * PAGE_ITEMS)
            self.tally.note(segment, seen, complete=False, settled=int(items))
        sums = self.tally.sums()
        self.stats.segment_sums = sums
        self.stats.items_written = sums.items + sum(map(int, self.begun.values()))
        self.stats.write_units = float(self.stats.items_written)
        if self.stats.segments_complete == len(self.shape.segments):
            self.stats.state = "complete"

    @property
    def most_per_second(self) -> float:
        active = [one for one in self.begun if self.begun[one] < self.shape.segments[one]]
        count = len(active) or min(self.shape.readers, len(self.shape.segments))
        return min(self.shape.per_second, count * self.shape.partition_per_second)


def replayed(shape: RunShape, *, step: float = 1.0) -> Iterator[tuple[float, RunStats]]:
    """The run at each moment, its first and its last one too."""
    rng = random.Random(shape.seed)
    stats = RunStats("shape", tables_at_once=shape.at_once)
    stats.write_cap_units = shape.cap
    tables = [_copied(table, stats) for table in shape.tables]
    now = 0.0
    while True:
        _take_turns(tables, shape.at_once)
        yield now, stats
        running = [table for table in tables if table.stats.state == "running"]
        if not running:
            return
        for table in running:
            table.noise = 0.9 * table.noise + rng.gauss(0, shape.noise) * 0.44
        rates = [max(0.05, 1 + table.noise) * table.most_per_second for table in running]
        held = min(1.0, shape.cap / sum(rates)) if shape.cap else 1.0
        if any(begin <= now < end for begin, end in shape.browned_out):
            held = 0.0
            for table in running:
                table.stats.throttled_requests += 1
        for table, rate in zip(running, rates, strict=True):
            table.go_on(step, rate * held)
        now += step


def _copied(shape: TableShape, run: RunStats) -> _Copied:
    stats = TableStats("t", "t", segments_total=len(shape.segments), expected_items=shape.reported)
    stats.planned_seconds = shape.planned_factor * shape.reported / shape.per_second
    stats.planned_write_units = float(shape.reported)
    run.tables.append(stats)
    return _Copied(shape, stats)


def _take_turns(tables: Sequence[_Copied], at_once: int) -> None:
    waiting = [table for table in tables if table.stats.state == "waiting"]
    running = sum(table.stats.state == "running" for table in tables)
    for table in waiting[: max(0, at_once - running)]:
        table.stats.state = "running"


def even(count: int, segments: int, seed: int = 0, spread: float = 0.05) -> list[int]:
    """So many items, in segments of about a size."""
    rng = random.Random(seed)
    sizes = [max(0.0, rng.gauss(1, spread)) for _ in range(segments)]
    whole = sum(sizes)
    return [round(count * size / whole) for size in sizes]


def with_hot_key(count: int, segments: int, *, share: float, at: int, seed: int = 0) -> list[int]:
    """One key holds a share of the items, in the segment that is the `at`-th to be read."""
    sizes = even(round(count * (1 - share)), segments, seed)
    sizes[at] += round(count * share)
    return sizes


def with_empty_segments(count: int, segments: int, *, keys: int, seed: int = 0) -> list[int]:
    """So few partition keys that most segments are empty."""
    rng = random.Random(seed)
    sizes = [0] * segments
    for _ in range(keys):
        sizes[rng.randrange(segments)] += count // keys
    return sizes


def _table(segments: Sequence[int], per_second: float) -> TableShape:
    return TableShape(segments, sum(segments), per_second)


def _off(table: TableShape, by: float) -> TableShape:
    return replace(table, reported=round(table.items * by))


_MILLION = 1_000_000
# Items, segments and items a second of the tables of a plan.
_EIGHT = (
    (55 * _MILLION, 320, 30_000.0),
    (21 * _MILLION, 192, 16_000.0),
    (13 * _MILLION, 128, 12_000.0),
    (8 * _MILLION, 96, 12_000.0),
    (5 * _MILLION, 64, 8_000.0),
    (3 * _MILLION, 64, 4_000.0),
    (2 * _MILLION, 64, 4_000.0),
    (1 * _MILLION, 64, 4_000.0),
)
_OFF_BY = (0.7, 1.3, 1.0, 0.7, 1.3, 1.0, 0.7, 1.3)


def _hot(at: int) -> RunShape:
    segments = with_hot_key(_MILLION, 256, share=0.4, at=at)
    return RunShape([replace(_table(segments, 4_000.0), partition_per_second=1_000.0)])


def shapes() -> dict[str, RunShape]:
    """The shapes that an estimator has to be right about."""
    steady = _table(even(2 * _MILLION, 64), 4_000.0)
    wide = replace(_table(even(5 * _MILLION, 256), 9_000.0), readers=16)
    shrunk = [round(size * (1 - 0.2 * at / 256)) for at, size in enumerate(wide.segments)]
    few_keys = with_empty_segments(3 * _MILLION, 512, keys=320)
    eight = [_table(even(items, count, items), rate) for items, count, rate in _EIGHT]
    eight_off = [_off(table, by) for table, by in zip(eight, _OFF_BY, strict=True)]
    return {
        "one even table": RunShape([steady]),
        "a count that is 30% too low": RunShape([_off(wide, 0.7)]),
        "a count that is 30% too high": RunShape([_off(wide, 1.3)]),
        "a count of 0": RunShape([replace(wide, reported=0)]),
        "a table that shrinks": RunShape([replace(wide, segments=shrunk)]),
        "one hot key, read early": _hot(at=3),
        "one hot key, read late": _hot(at=200),
        "few keys, most segments empty": RunShape([_table(few_keys, 5_000.0)]),
        "eight tables": RunShape(eight, at_once=4),
        "eight tables under one cap": RunShape(eight, at_once=4, cap=20_000.0),
        "eight tables, counts off": RunShape(eight_off, at_once=4),
        "a brown-out": RunShape([steady], browned_out=[(100.0, 160.0)]),
    }
