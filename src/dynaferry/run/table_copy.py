"""How one table of a run is copied: in this process, through the network edge of both sides.

`run/copy_tables` is handed a `CopyOneTable`. The one that stands here is the default; what copies
a table elsewhere, by several workers, would stand in its place.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pipeline import Pipeline
from dynaferry.copy.rejects import RejectionLimit
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.http.compression import wants_packed
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.new_table import NewTable
from dynaferry.dynamodb.items.replication_attributes import pages_of
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import StateError, StoppedError
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.ports import BatchTarget, PageSource
from dynaferry.preflight.estimate import polite_read_units
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.assembly import SidePatience, assemble
from dynaferry.run.sides import Sides
from dynaferry.run.table_log import log_end, log_segment, log_start
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTask:
    """One table to be copied: its number in the plan, what is known of it, and what its run has.

    `stats` are its own counters, in which it is left how the copy ended. The tables of a run share
    `caps`, which hold them back, `rejections`, which counts what they may refuse, and `store`.
    """

    plan: CopyPlan
    table: int
    sides: Sides
    checked: TablePreflight
    total_segments: int
    store: StateStore
    stats: TableStats
    caps: RunCaps
    rejections: RejectionLimit
    stop: StopSignal


# Copies a table until it is complete or a stop is asked for. What ends it before is raised: a
# `StoppedError`, as a rule inside an exception group.
CopyOneTable: TypeAlias = Callable[[TableTask], Awaitable[None]]


async def copy_one_table(task: TableTask) -> None:
    """Copies a table in this process and leaves in its `stats` how that ended.

    :raises StateError: the target is not there
    :raises StoppedError: inside an exception group; the copy cannot go on
    """
    checked, stats = task.checked, task.stats
    if checked.target is None:
        raise StateError(f"the target {checked.table.target} is not there")
    patience = SidePatience.of(task.plan, task.caps.of_table(task.plan.tables[task.table]))
    records = await task.store.read_segments(task.table)
    stats.segments.done_before(record.segment for record in records if record.complete)
    stats.segments.read_before((each.segment, each.items_read) for each in records)
    async with _opened(task, checked.target, patience) as (source, target):
        pipeline = assemble(
            task.plan,
            task.table,
            source,
            target,
            Ledger(task.total_segments, records, on_complete=partial(_segment_done, stats)),
            task.store,
            stats,
            task.caps,
            rejections=task.rejections,
            most_read_units=polite_read_units(checked.source),
            item_bytes=checked.estimate.average_item_bytes,
            patience=patience,
        )
        await _copy_and_note(pipeline, stats, task.stop)


@asynccontextmanager
async def _opened(
    task: TableTask, there: TableDescription, patience: SidePatience
) -> AsyncIterator[tuple[PageSource, BatchTarget]]:
    """The data path to both sides."""
    plan, seen = task.plan, task.checked.source
    async with (
        open_client(
            task.sides.source,
            table=seen.called,
            endpoint=seen.endpoint,
            connections=plan.readers,
            accepts_gzip=await wants_packed(plan.compress, seen.endpoint),
            patience=patience.source,
        ) as source,
        open_client(
            task.sides.target,
            table=there.called,
            endpoint=there.endpoint,
            connections=plan.writers,
            patience=patience.target,
        ) as target,
    ):
        yield _source_of(task, source), _target_of(task, target, there)


def _source_of(task: TableTask, client: DynamoClient) -> PageSource:
    scans = ScanSource(
        client,
        table=task.checked.source.called,
        total_segments=task.total_segments,
        consistent_read=task.plan.consistent_read,
    )
    return pages_of(scans, leave_out=task.checked.source.is_legacy_global)


def _target_of(task: TableTask, client: DynamoClient, there: TableDescription) -> BatchTarget:
    keys = KeyReader([key.name for key in task.checked.source.keys])
    target = BatchWriteTarget(client, table=there.called, keys=keys)
    return NewTable(target, clock=task.caps.clock) if task.checked.just_made else target


def _segment_done(stats: TableStats, segment: int) -> None:
    stats.segments.done(segment)
    log_segment(stats, segment)


async def _copy_and_note(pipeline: Pipeline, stats: TableStats, stop: StopSignal) -> None:
    stats.started_at = time.monotonic()
    stats.state = "running"
    log_start(stats)
    try:
        if await pipeline.copy(stop):
            stats.state = "rejected" if stats.items_rejected else "complete"
        else:
            stats.state = "interrupted"
    except* StoppedError:
        stats.state = "failed"
        raise
    finally:
        stats.ended_at = time.monotonic()
        log_end(stats)
