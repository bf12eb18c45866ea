"""One table's copy: readers, writers, checkpoints, and the order in which they stop.

Readers hand batches over to writers through one bounded queue. The end of reading closes it, and a
closed queue that is empty ends the writers. Around them runs the checkpoint; whatever ends
the copy, the last checkpoint is made, shielded and with a deadline.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from dynaferry.copy.handover import Handover
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.reader import Reader
from dynaferry.copy.stop import StopSignal
from dynaferry.copy.writer import Writer
from dynaferry.errors import StateWriteError
from dynaferry.observe.stats import TableStats
from dynaferry.state.store import Sample, StateStore, TableCounters

CHECKPOINT_SECONDS = 1.0
CHECKPOINTS_PER_SAMPLE = 10
# After the first signal, what is in flight has this long to be acknowledged.
GRACE_SECONDS = 4.0
LAST_CHECKPOINT_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """The parts of one table's copy, put together by the caller.

    `table` is the table's index in the plan.
    """

    table: int
    ledger: Ledger
    reader: Reader
    writer: Writer
    store: StateStore
    stats: TableStats
    readers: int
    writers: int
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    async def copy(self, stop: StopSignal) -> bool:
        """Copies until every segment is complete or a stop is asked for.

        Returns whether the table is complete. What is acknowledged is stored in either case,
        and also when this raises.

        :raises StoppedError: inside an exception group; the copy cannot go on
        """
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._checkpoint_regularly)
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
        handover = Handover(self.writers, takers=self.writers)
        async with anyio.create_task_group() as movers:
            async with anyio.create_task_group() as writers:
                movers.start_soon(_cancel_when_over, writers, stop)
                for _ in range(self.writers):
                    writers.start_soon(self._write, handover)
                await self._read(handover, stop)
                await handover.close()
            movers.cancel_scope.cancel()

    async def _read(self, handover: Handover, stop: StopSignal) -> None:
        segments = iter(self.ledger.segments_to_read())
        async with anyio.create_task_group() as watch:
            async with anyio.create_task_group() as readers:
                watch.start_soon(_cancel_when_asked, readers, stop)
                for _ in range(self.readers):
                    readers.start_soon(self.reader.read, segments, handover.put)
            watch.cancel_scope.cancel()

    async def _write(self, handover: Handover) -> None:
        async for batch in handover.each():
            await self.writer.write(batch)
            del batch  # as in `Handover.each`

    async def _checkpoint_regularly(self) -> None:
        checkpoints = 0
        while True:
            await anyio.sleep(CHECKPOINT_SECONDS)
            await self._checkpoint()
            checkpoints += 1
            if checkpoints % CHECKPOINTS_PER_SAMPLE == 1:
                await self._sample()

    async def _checkpoint(self) -> None:
        records = self.ledger.changed_records()
        await self.store.checkpoint(self.table, records, counters_of(self.stats))
        self.ledger.stored(records)
        self.stats.checkpointed_at = self.monotonic()

    async def _sample(self) -> None:
        await self.store.add_sample(
            Sample(
                table=self.table,
                time=self.clock(),
                items_written=self.stats.items_written,
                bytes_read=self.stats.bytes_read,
                read_units=self.stats.read_units,
                write_units=self.stats.write_units,
                throttled_requests=self.stats.throttled_requests,
                read_limit_units=self.stats.read_rate_limit_units,
                write_limit_units=self.stats.write_rate_limit_units,
            )
        )


def counters_of(stats: TableStats) -> TableCounters:
    """What a checkpoint stores of the counters."""
    return TableCounters(
        read_units=stats.read_units,
        write_units=stats.write_units,
        throttled_requests=stats.throttled_requests,
        retried_requests=stats.retried_requests,
        unprocessed_items=stats.unprocessed_items,
        dollars=stats.dollars,
    )


async def _cancel_when_asked(readers: TaskGroup, stop: StopSignal) -> None:
    """Reading has no effect, so it may end at any point."""
    await stop.finish.wait()
    readers.cancel_scope.cancel()


async def _cancel_when_over(writers: TaskGroup, stop: StopSignal) -> None:
    """Asked once, what is in flight has its grace; asked twice, it ends at once."""
    await stop.finish.wait()
    with anyio.move_on_after(GRACE_SECONDS):
        await stop.cancel.wait()
    writers.cancel_scope.cancel()
