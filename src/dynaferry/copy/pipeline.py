"""One table's copy: readers, writers, checkpoints, and the order in which they stop.

Readers put batches into the lanes of their segments, writers take from them. The end of reading
closes the lanes, and empty closed lanes end the writers. A stop lets them finish the requests in
flight, and send what need not wait; what waits is left, to be read again. Around them runs the
checkpoint; whatever ends the copy, the last checkpoint is made, shielded and with a deadline.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import anyio
from anyio.abc import TaskGroup

from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.counters import counters_of, sample_of
from dynaferry.copy.leader import LeaderLock
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.read_ahead import ReadAhead
from dynaferry.copy.reader import Reader
from dynaferry.copy.segment_order import SegmentQueue
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.copy.writer import Writer
from dynaferry.errors import StateWriteError
from dynaferry.limits import BATCH_MAX_ITEMS, BYTES_PER_WRITE_UNIT
from dynaferry.observe.stats import TableStats
from dynaferry.state.store import CheckpointStore
from dynaferry.stop import StopSignal, cancel_when_over
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.worker_pool import WorkerPool

CHECKPOINT_SECONDS = 0.5
CHECKPOINTS_PER_SAMPLE = 20
# How far reads are ahead follows the rate of the writes this often.
ADJUST_SECONDS = 0.1
# After the first signal, requests in flight have this long to be acknowledged.
GRACE_SECONDS = 4.0
# So many segments may be under way for each Scan that is.
MOST_SEGMENTS_PER_READER = 4
# Where ranges hold everything, so many more come with each look.
MORE_SEGMENTS = 4
LAST_CHECKPOINT_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """The parts of one table's copy, put together by the caller.

    `table` is the table's index in the plan.
    """

    table: int
    ledger: Ledger
    queue: WriteQueue
    reader: Reader
    writer: Writer
    crew: WorkerPool
    read_controller: RateController
    write_controller: RateController
    store: CheckpointStore
    stats: TableStats
    readers: int
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    read_ahead: ReadAhead = field(default_factory=ReadAhead)
    _turn: LeaderLock = field(init=False, default_factory=LeaderLock)

    async def copy(self, stop: StopSignal) -> bool:
        """Copies until every segment is complete or a stop is asked for.

        Returns whether the table is complete. What is acknowledged is stored in either case,
        and also when this raises.

        :raises StoppedError: inside an exception group; the copy cannot go on
        """
        self._note_rates()
        self._look()
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._checkpoint_regularly)
                beside.start_soon(self._look_regularly)
                await self._move(stop)
                beside.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(
                shield=True, deadline=anyio.current_time() + LAST_CHECKPOINT_SECONDS
            ):
                await self._checkpoint()
                await self._sample()
        if self.ledger.changed_records():
            # Only what is stored is done: no run is complete ahead of its watermarks.
            raise StateWriteError(
                f"the last checkpoint was not stored within {LAST_CHECKPOINT_SECONDS:.0f} s",
                hint="look at the disk of the state directory, then run the same command again",
            )
        return self.ledger.is_complete

    async def _move(self, stop: StopSignal) -> None:
        async with anyio.create_task_group() as movers:
            async with anyio.create_task_group() as writers:
                movers.start_soon(self._cancel_when_over, writers, stop)
                self.crew.start(writers, partial(self._write, stop))
                await self._read(stop)
                self.queue.close()
            movers.cancel_scope.cancel()

    async def _cancel_when_over(self, writers: TaskGroup, stop: StopSignal) -> None:
        await cancel_when_over(
            writers.cancel_scope,
            stop,
            in_flight=lambda: self.stats.write_requests_in_flight,
            grace_seconds=GRACE_SECONDS,
        )

    async def _read(self, stop: StopSignal) -> None:
        segments = SegmentQueue(self.ledger.total_segments, self.ledger.segments_to_read())
        async with anyio.create_task_group() as watch:
            async with anyio.create_task_group() as readers:
                watch.start_soon(_cancel_when_asked, readers, stop)
                for _ in range(self.readers):
                    readers.start_soon(self.reader.read, segments, self.queue.put)
                watch.start_soon(self._read_more, readers, segments)
            watch.cancel_scope.cancel()

    async def _read_more(self, readers: TaskGroup, segments: SegmentQueue) -> None:
        """Takes more segments under way where the key ranges of those that are hold writes back: a
        target may have more partitions than a copy has readers.
        """
        under_way, most = self.readers, MOST_SEGMENTS_PER_READER * self.readers
        while True:
            await anyio.sleep(ADJUST_SECONDS)
            if self.queue.needs_more() and under_way < most:
                under_way += MORE_SEGMENTS
                for _ in range(MORE_SEGMENTS):
                    readers.start_soon(self.reader.read, segments, self.queue.put)

    async def _write(self, stop: StopSignal) -> int:
        """Writes the next batches; says how many requests that took, and none at the end."""
        row = await self._next(stop)
        return 0 if row is None else await self.writer.write(row, stop)

    async def _next(self, stop: StopSignal) -> BatchGroup | None:
        """The next batches, admitted; None when there are none any more, or no time to wait.

        One task at a time waits for batches and for the pace: so they go in the lanes' order.
        """
        if self._turn.is_held:
            with self.crew.idle():
                await self._turn.come()
        row = self.writer.take_nowait(self.crew.limit)
        if row is not None and self.writer.acquire_nowait(row):
            self.crew.is_short()
            self._turn.pass_on()
            return row
        with self._turn, self.crew.idle():
            if stop.asked:
                return None
            row = row or await self.writer.take(self.crew.limit)
            if row is not None:
                await self.writer.acquire(row)
            return row

    async def _checkpoint_regularly(self) -> None:
        checkpoints = 0
        while True:
            await anyio.sleep(CHECKPOINT_SECONDS)
            self._note_rates()
            await self._checkpoint()
            checkpoints += 1
            if checkpoints % CHECKPOINTS_PER_SAMPLE == 1:
                await self._sample()

    async def _checkpoint(self) -> None:
        records = self.ledger.changed_records()
        await self.store.checkpoint(self.table, records, counters_of(self.stats))
        self.ledger.stored(records)
        self.stats.checkpointed_at = self.monotonic()

    def _note_rates(self) -> None:
        reads, writes = self.reader.most_units_per_second, self.writer.most_units_per_second
        self.stats.read_rate_limit_units = _finite(min(self.read_controller.rate, reads))
        self.stats.write_rate_limit_units = _finite(min(self.write_controller.rate, writes))

    async def _look_regularly(self) -> None:
        while True:
            await anyio.sleep(ADJUST_SECONDS)
            self._look()

    def _look(self) -> None:
        """Lets reads run ahead of the writes as far as it is worth."""
        cap = self.writer.most_units_per_second
        items_in_flight = self.stats.write_requests_in_flight * BATCH_MAX_ITEMS
        ahead = self.read_ahead.look(
            self.monotonic(),
            items_written=self.stats.items_written,
            items_in_flight=items_in_flight,
            bytes_in_flight=self.ledger.bytes_in_flight(
                self.stats.read_requests_in_flight, items_in_flight
            ),
            bytes_per_item=self.stats.bytes_read / max(1, self.stats.items_read) or 1.0,
            units_per_item=_units_per_item(self.stats),
            units_per_second=min(self.write_controller.rate, cap),
            is_limited=bool(self.stats.throttled_requests or self.stats.unprocessed_items)
            or self.write_controller.is_limited
            or cap < math.inf,
            by_key_range=self.queue.are_held,
            segments=self.reader.under_way or self.readers,
            scans=self.readers,
            scan_seconds=self.read_controller.latency_seconds,
        )
        self.ledger.keep_ahead(ahead.items, ahead.bytes)
        self.reader.keep_small(ahead)

    async def _sample(self) -> None:
        await self.store.add_sample(sample_of(self.stats, self.table, self.clock()))


def _units_per_item(stats: TableStats) -> float:
    """What an item costs to write, by its size where none is written yet; never less than 1."""
    if stats.items_written and stats.write_units:
        return max(1.0, stats.write_units / stats.items_written)
    if stats.items_read:
        return max(1.0, stats.bytes_read / stats.items_read / BYTES_PER_WRITE_UNIT)
    return 1.0


def _finite(rate: float) -> float | None:
    """A rate to be shown: None without one, and 8,000 rather than 8,000.000000000001."""
    return None if rate == math.inf else round(rate, 6)


async def _cancel_when_asked(readers: TaskGroup, stop: StopSignal) -> None:
    """Reading has no effect, so it may end at any point."""
    await stop.finish.wait()
    readers.cancel_scope.cancel()
