"""Acknowledged -> stored: the checkpoints of one table, and the samples for its report."""

import time
from collections.abc import Callable, Iterable

import anyio

from dynaferry.copy.counters import counters_of, sample_of
from dynaferry.copy.ledger import Ledger
from dynaferry.errors import StateWriteError
from dynaferry.observe.segment_sums import SegmentTally
from dynaferry.observe.stats import TableStats
from dynaferry.state.records import SegmentRecord
from dynaferry.state.store import CheckpointStore

CHECKPOINT_SECONDS = 0.5
CHECKPOINTS_PER_SAMPLE = 20
LAST_CHECKPOINT_SECONDS = 5.0


class Checkpointer:
    """Stores the watermarks that moved, and the counters; `table` is its index in the plan.

    `before_each` is called before each regular checkpoint, to bring the counters up to date.
    """

    def __init__(
        self,
        store: CheckpointStore,
        ledger: Ledger,
        stats: TableStats,
        *,
        table: int,
        before_each: Callable[[], None],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._stats = stats
        self._table = table
        self._before_each = before_each
        self._clock = clock
        self._monotonic = monotonic
        self._tally = SegmentTally()
        self._note(ledger.records())

    async def regularly(self) -> None:
        """Makes one twice a second, until it is cancelled.

        :raises StateWriteError: one could not be stored
        """
        checkpoints = 0
        while True:
            await anyio.sleep(CHECKPOINT_SECONDS)
            self._before_each()
            await self._checkpoint()
            checkpoints += 1
            if checkpoints % CHECKPOINTS_PER_SAMPLE == 1:
                await self._sample()

    async def last(self) -> None:
        """Makes the last one, shielded and with a deadline: `check_stored` says whether it is.

        :raises StateWriteError: it could not be stored
        """
        with anyio.move_on_after(LAST_CHECKPOINT_SECONDS, shield=True):
            await self._checkpoint()
            await self._sample()

    def check_stored(self) -> None:
        """Returns if all that is acknowledged is stored.

        Only what is stored is done: no run is complete ahead of its watermarks.

        :raises StateWriteError: some of it is not
        """
        if self._ledger.changed_records():
            raise StateWriteError(
                f"the last checkpoint was not stored within {LAST_CHECKPOINT_SECONDS:.0f} s",
                hint="look at the disk of the state directory, then run the same command again",
            )

    async def _checkpoint(self) -> None:
        records = self._ledger.changed_records()
        await self._store.checkpoint(self._table, records, counters_of(self._stats))
        self._ledger.stored(records)
        self._note(records)
        self._stats.checkpointed_at = self._monotonic()

    def _note(self, stored: Iterable[SegmentRecord]) -> None:
        """The estimate of what is left takes what is stored, and what was seen of segments here."""
        for record in stored:
            self._tally.note(record.segment, record.items_read, complete=record.complete)
        for segment, seen, settled in self._ledger.segments_here():
            self._tally.note(segment, seen, complete=False, settled=settled)
        self._stats.segment_sums = self._tally.sums()

    async def _sample(self) -> None:
        await self._store.add_sample(sample_of(self._stats, self._table, self._clock()))
