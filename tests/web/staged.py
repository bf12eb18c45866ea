"""A run as a page may find it, made up: hours in a moment, ten thousand segments."""

import math
import random

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.stats import RunStats, TableStats
from tests.observe.test_segment_map import Clock

SEGMENTS = 10_000


class StagedRun:
    """A copy of one large table that goes on as fast as a test turns its clock."""

    def __init__(self, segments: int = SEGMENTS, seed: int = 7) -> None:
        self._dice = random.Random(seed)
        self.clock = Clock()
        self.monitor = RunMonitor("orders", readers=8, clock=self.clock)
        self.table = TableStats(
            source="orders",
            target="orders",
            segments_total=segments,
            expected_items=segments * 1000,
            state="running",
            dollars_per_read_unit=0.125e-6,
            dollars_per_write_unit=0.625e-6,
        )
        self.table.segments._clock = self.clock
        self.table.started_at = self.clock.now
        self.monitor.stats = RunStats("orders", [self.table])
        self.monitor.phase = "running"
        self._waiting = [s for s in range(segments) if s % 10 != 3]
        self._dice.shuffle(self._waiting)
        self.is_browned_out = False

    def go_on(self, seconds: int) -> None:
        """Lets so many seconds go by."""
        for _ in range(seconds):
            self.clock.now += 1.0
            self._second()
            self.monitor.refresh()

    def _second(self) -> None:
        if self.is_browned_out:
            self._throttle(3)
            return
        table, now = self.table, self.clock.now
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
            self._throttle(self._dice.randrange(1, 12))

    def _move_segments(self, items: int) -> int:
        segments, done = self.table.segments, 0
        for segment, began in list(segments.running.items()):
            slow = 9 if 4100 < segment < 4400 else 1
            if self.clock.now - began > slow * self._dice.uniform(1, 4):
                segments.done(segment)
                done += 1
        while len(segments.running) < min(64, len(self._waiting)) and items:
            segments.begun(self._waiting.pop())
        return done

    def _throttle(self, times: int) -> None:
        reasons = (
            "TableWriteKeyRangeThroughputExceeded",
            "TableWriteProvisionedThroughputExceeded",
        )
        reason = self._dice.choice(reasons)
        for _ in range(times):
            self.table.note_throttle("BatchWriteItem", [reason])
        self.table.unprocessed_items += 9 * times
        self.table.bottleneck = "a key range of orders"
