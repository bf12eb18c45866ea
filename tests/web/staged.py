"""A run as a page may find it, made up: hours in a moment, ten thousand segments, many tables."""

import math
import random
from collections.abc import Sequence

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.stats import RunStats, TableStats
from tests.observe.test_segment_map import Clock

SEGMENTS = 10_000
UNDER_WAY = 64
SOURCE, TARGET = (f"arn:aws:dynamodb:us-east-1:{account * 12}:table/" for account in "12")


class StagedTable:
    """A table that is copied as fast as a test turns its clock."""

    def __init__(self, name: str, segments: int, clock: Clock, dice: random.Random) -> None:
        self._dice = dice
        self._clock = clock
        self.stats = TableStats(
            source=name,
            target=name,
            segments_total=segments,
            expected_items=segments * 1000,
            dollars_per_read_unit=0.125e-6,
            dollars_per_write_unit=0.625e-6,
        )
        self.stats.source_arn, self.stats.target_arn = SOURCE + name, TARGET + name
        self.stats.segments._clock = clock
        self._waiting = [s for s in range(segments) if s % 10 != 3]
        dice.shuffle(self._waiting)
        self.is_browned_out = False

    def begin(self) -> None:
        """Runs from now on."""
        self.stats.state, self.stats.started_at = "running", self._clock.now

    def end(self) -> None:
        """Everything of it is copied."""
        self.stats.state, self.stats.segments_complete = "complete", self.stats.segments_total
        self.stats.items_written = max(self.stats.items_written, self.stats.expected_items)

    def second(self) -> None:
        """Lets one second go by."""
        if self.is_browned_out:
            self.throttle(3)
            return
        table, now = self.stats, self._clock.now
        limit = 18_000 + 6_000 * math.sin(now / 90)
        used = limit * self._dice.uniform(0.86, 0.99)
        table.write_rate_limit_units, table.read_rate_limit_units = limit, None
        table.write_units += used
        table.read_units += used / 8
        items = int(used * 0.9)
        table.items_read += items
        table.items_written += items
        table.bytes_read += items * 1000
        table.read_requests += 20
        table.write_requests += items // 25
        table.segments_complete += self._move_segments(items)
        for _ in range(20):
            table.scans.note("ok", self._dice.lognormvariate(-3.6, 0.5))
        for _ in range(40):
            table.batch_writes.note("ok", self._dice.lognormvariate(-4.6, 0.4))
        if self._dice.random() < 0.3:
            self.throttle(self._dice.randrange(1, 12))

    def _move_segments(self, items: int) -> int:
        segments, done = self.stats.segments, 0
        for segment, began in list(segments.running.items()):
            slow = 9 if 4100 < segment < 4400 else 1
            segments.read(segment, int(400 / slow))
            if self._clock.now - began > slow * self._dice.uniform(1, 4):
                segments.done(segment)
                done += 1
        while len(segments.running) < min(UNDER_WAY, len(self._waiting)) and items:
            segments.begun(self._waiting.pop())
        return done

    def throttle(self, times: int) -> None:
        """So many requests are throttled."""
        reasons = (
            "TableWriteKeyRangeThroughputExceeded",
            "TableWriteProvisionedThroughputExceeded",
        )
        reason = self._dice.choice(reasons)
        for _ in range(times):
            self.stats.note_throttle("BatchWriteItem", [reason])
        self.stats.unprocessed_items += 9 * times
        self.stats.bottleneck = f"a key range of {self.stats.target}"


class StagedRun:
    """A copy of one large table, or of many, that goes on as fast as a test turns its clock."""

    def __init__(
        self,
        segments: int | Sequence[int] = SEGMENTS,
        seed: int = 7,
        names: Sequence[str] = ("orders",),
    ) -> None:
        dice = random.Random(seed)
        each = [segments] * len(names) if isinstance(segments, int) else segments
        self.clock = Clock()
        self.monitor = RunMonitor("orders", readers=8, clock=self.clock)
        self.tables = [
            StagedTable(name, number, self.clock, dice)
            for name, number in zip(names, each, strict=True)
        ]
        self.table = self.tables[0].stats
        self.monitor.stats = RunStats("orders", [table.stats for table in self.tables])
        self.monitor.phase = "running"
        self.tables[0].begin()

    @property
    def is_browned_out(self) -> bool:
        """Whether the service throttles all that is sent."""
        return self.tables[0].is_browned_out

    @is_browned_out.setter
    def is_browned_out(self, value: bool) -> None:
        self.tables[0].is_browned_out = value

    def go_on(self, seconds: int) -> None:
        """Lets so many seconds go by."""
        for _ in range(seconds):
            self.clock.now += 1.0
            for table in self.tables:
                if table.stats.state == "running":
                    table.second()
            self.monitor.refresh()


def many_tables(tables: int = 100, segments: int = SEGMENTS) -> StagedRun:
    """A run of many tables which all run at once, with so many segments together."""
    names = [f"production-table-{number:03}" for number in range(tables)]
    run = StagedRun(segments // tables, names=names)
    for table in run.tables:
        table.begin()
    return run
