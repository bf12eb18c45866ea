"""One table's copy: readers and writers, what runs beside them, and the order in which they stop.

Readers put batches into the lanes of their segments, writers take from them. The end of reading
closes the lanes, and empty closed lanes end the writers. A stop lets them finish the requests in
flight, and send what need not wait; what waits is left, to be read again. Around them runs the
checkpoint; whatever ends the copy, the last checkpoint is made, shielded and with a deadline.
"""

from dataclasses import dataclass, field
from functools import partial

import anyio
from anyio.abc import TaskGroup

from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.checkpoint import Checkpointer
from dynaferry.copy.leader import LeaderLock
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.limiters import Limiters
from dynaferry.copy.pages_ahead import PagesAhead
from dynaferry.copy.reader import Reader
from dynaferry.copy.segment_order import SegmentOrder
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.copy.writer import Writer
from dynaferry.observe.stats import TableStats
from dynaferry.stop import StopSignal, cancel_when_over
from dynaferry.throttle.worker_pool import WorkerPool

# After the first signal, requests in flight have this long to be acknowledged.
GRACE_SECONDS = 4.0
# So many segments may be under way for each Scan that is.
MOST_SEGMENTS_PER_READER = 4
# Where ranges hold everything, so many more come with each look, this often.
MORE_SEGMENTS = 4
MORE_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """The parts of one table's copy, put together by the caller: it makes none itself.

    `segments` names the segment to be read next, `limiters` is what `reader` and `writer` are held
    to, and `checkpointer` has the store.
    """

    segments: SegmentOrder
    limiters: Limiters
    ledger: Ledger
    queue: WriteQueue
    reader: Reader
    writer: Writer
    crew: WorkerPool
    checkpointer: Checkpointer
    pages_ahead: PagesAhead
    stats: TableStats
    readers: int
    _turn: LeaderLock = field(init=False, default_factory=LeaderLock)

    async def copy(self, stop: StopSignal) -> bool:
        """Copies until every segment is complete or a stop is asked for.

        Returns whether the table is complete. What is acknowledged is stored in either case,
        and also when this raises.

        :raises StoppedError: inside an exception group; the copy cannot go on
        """
        self.limiters.note_rates(self.stats)
        self.pages_ahead.adjust()
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self.checkpointer.regularly)
                beside.start_soon(self.pages_ahead.adjust_regularly)
                await self._move(stop)
                beside.cancel_scope.cancel()
        finally:
            await self.checkpointer.last()
        self.checkpointer.check_stored()
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
        async with anyio.create_task_group() as watch:
            async with anyio.create_task_group() as readers:
                watch.start_soon(_cancel_when_asked, readers, stop)
                for _ in range(self.readers):
                    readers.start_soon(self.reader.read, self.segments, self.queue.put)
                watch.start_soon(self._read_more, readers)
            watch.cancel_scope.cancel()

    async def _read_more(self, readers: TaskGroup) -> None:
        """Takes more segments under way where the key ranges of those that are hold writes back: a
        target may have more partitions than a copy has readers.
        """
        under_way, most = self.readers, MOST_SEGMENTS_PER_READER * self.readers
        while True:
            await anyio.sleep(MORE_SECONDS)
            if self.queue.needs_more() and under_way < most:
                under_way += MORE_SEGMENTS
                for _ in range(MORE_SEGMENTS):
                    readers.start_soon(self.reader.read, self.segments, self.queue.put)

    async def _write(self, stop: StopSignal) -> int:
        """Writes the next batches; says how many requests that took, and none at the end."""
        row = await self._next(stop)
        return 0 if row is None else await self.writer.write(row, stop)

    async def _next(self, stop: StopSignal) -> BatchGroup | None:
        """The next batches, admitted; None when there are none any more, or no time to wait.

        One task at a time waits for batches and for the pace: so they go in the lanes' order.
        """
        if self._turn.is_locked:
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


async def _cancel_when_asked(readers: TaskGroup, stop: StopSignal) -> None:
    """Reading has no effect, so it may end at any point."""
    await stop.finish.wait()
    readers.cancel_scope.cancel()
