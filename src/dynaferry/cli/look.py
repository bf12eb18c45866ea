"""What a state file and its lock tell of a run, read while it runs and after."""

import time
from pathlib import Path
from typing import Literal

from anyio import to_thread
from msgspec import Struct

from dynaferry.observe import rates
from dynaferry.state.lock import is_locked
from dynaferry.state.sqlite import SqliteStore
from dynaferry.state.store import (
    RunRecord,
    Sample,
    SegmentRecord,
    StateStore,
    TableCounters,
    TableIdentity,
    TableTotals,
)

# The latest rate is that of the last minute for which there are samples.
_RATE_SECONDS = 60.0
# Of a run that goes on only that minute matters; of one that has ended, the whole attempt.
_SAMPLES_WHILE_RUNNING = 600
_SAMPLES_AFTERWARDS = 100_000

State = Literal["running", "complete", "rejected", "interrupted", "failed", "killed"]


class TableLook(Struct, frozen=True, kw_only=True):
    """One table as its state file tells it; `samples` are this attempt's, oldest first."""

    identity: TableIdentity
    totals: TableTotals
    counters: TableCounters
    segments: list[SegmentRecord]
    samples: list[Sample]


class RunLook(Struct, frozen=True, kw_only=True):
    """A run as its state file and its lock tell it at the moment `now`."""

    record: RunRecord
    state: State
    tables: list[TableLook]
    now: float

    @property
    def last_checkpoint(self) -> float | None:
        """When this attempt last stored something, to within a sample."""
        times = [table.samples[-1].time for table in self.tables if table.samples]
        return max(times, default=None)

    @property
    def seconds(self) -> float:
        """How long this attempt has taken."""
        if self.state == "running":
            end: float | None = self.now
        else:
            end = self.record.ended_at or self.last_checkpoint
        return max(0.0, end - self.record.started_at) if end is not None else 0.0


async def look_at(state_dir: Path, run: str) -> RunLook:
    """Reads the state file, whoever else has it open.

    :raises StateError: it is broken, or not one
    """
    store = await SqliteStore.open_for_reading(state_dir, run)
    try:
        record = await store.read_run()
        state: State = record.status
        if state == "running" and not await to_thread.run_sync(is_locked, state_dir, run):
            # A run stores its end before it lets go of its lock: it may have ended just now.
            record = await store.read_run()
            state = "killed" if record.status == "running" else record.status
        tables = [
            await _look_at_table(store, index, identity, record)
            for index, identity in enumerate(record.identity.tables)
        ]
        return RunLook(record=record, state=state, tables=tables, now=time.time())
    finally:
        await store.aclose()


async def _look_at_table(
    store: StateStore, index: int, identity: TableIdentity, record: RunRecord
) -> TableLook:
    running = record.status == "running"
    samples = await store.read_samples(
        index, _SAMPLES_WHILE_RUNNING if running else _SAMPLES_AFTERWARDS
    )
    return TableLook(
        identity=identity,
        totals=await store.read_totals(index),
        counters=await store.read_counters(index),
        segments=await store.read_segments(index),
        samples=[sample for sample in samples if sample.time >= record.started_at],
    )


def items_done(totals: TableTotals) -> int:
    """Items that need no more work."""
    return totals.items_written + totals.items_rejected + totals.items_filtered


def items_per_second(look: RunLook, table: TableLook) -> float | None:
    """Of the last minute while it runs, of the whole attempt afterwards; None when unknown."""
    samples = table.samples
    if look.state == "running" and samples:
        since = samples[-1].time - _RATE_SECONDS
        samples = [sample for sample in samples if sample.time >= since]
    elif look.record.attempts == 1 and look.seconds > 0:
        return items_done(table.totals) / look.seconds
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    return rates.rate_between((first.time, first.items_written), (last.time, last.items_written))


def expected_items(table: TableLook) -> int | None:
    """How many items the table is likely to hold, from its finished segments."""
    done = items_done(table.totals)
    finished = [segment for segment in table.segments if segment.complete]
    return rates.expected_items(
        items_done=done,
        finished_items=sum(segment.items_read for segment in finished),
        segments_complete=len(finished),
        segments_total=table.identity.total_segments,
        reported_items=0,
    )


def seconds_left(look: RunLook, table: TableLook) -> float | None:
    """How long the table will take from here; None when unknown, or when nothing runs."""
    if look.state != "running":
        return None
    done = items_done(table.totals)
    return rates.seconds_left(done, expected_items(table), items_per_second(look, table))
