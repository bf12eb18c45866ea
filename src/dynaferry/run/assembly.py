"""Puts one table's copy together: the network edge of both sides behind the pipeline's ports."""

import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import NamedTuple, Self

from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.measured import MeasuredSource
from dynaferry.copy.pipeline import Pipeline
from dynaferry.copy.reader import Reader
from dynaferry.copy.rejects import RejectedItems, RejectionLimit
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.copy.writer import Writer
from dynaferry.dynamodb.account.session import AccountSession, ServiceModels, Side, open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.http.compression import wants_packed
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.new_table import NewTable
from dynaferry.dynamodb.items.replication_attributes import pages_of
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.errors import (
    RetryableError,
    ServiceGoneError,
    StateError,
    StoppedError,
    ThrottledError,
)
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import Account, CopyPlan
from dynaferry.ports import BatchTarget, PageSource
from dynaferry.preflight.estimate import polite_read_units
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.lifecycle import Say
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal
from dynaferry.throttle.concurrency_limit import Concurrency
from dynaferry.throttle.retry import Patience, RetryPolicy
from dynaferry.throttle.worker_pool import WorkerPool

# A wrong address is more likely than an outage before anything has worked.
START_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Sides(NamedTuple):
    """Both accounts, opened."""

    source: AccountSession
    target: AccountSession


@asynccontextmanager
async def open_sides(plan: CopyPlan, say: Say | None = None) -> AsyncIterator[Sides]:
    """Opens both accounts of a valid plan; `say` is told of credentials that nothing renews.

    :raises PlanError: a profile or a region is missing
    :raises AccessDeniedError: there are no credentials, or a role may not be assumed
    """
    models = ServiceModels()
    async with (
        open_side(plan, plan.source, "source", models, say) as source_session,
        open_side(plan, plan.target, "target", models, say) as target_session,
    ):
        for session in (source_session, target_session):
            if session.end_in_words is not None and say is not None:
                say(session.end_in_words)
        yield Sides(source_session, target_session)


@asynccontextmanager
async def open_side(
    plan: CopyPlan,
    account: Account,
    side: Side,
    models: ServiceModels | None = None,
    say: Say | None = None,
) -> AsyncIterator[AccountSession]:
    """Opens one account; whoever gives credentials may be away for a moment, which `say` is told.

    :raises PlanError: a profile or a region is missing
    :raises AccessDeniedError: there are no credentials, or a role may not be assumed
    :raises RetryableError: whoever gives them was away for longer
    """
    patience = Patience(min(plan.patience_seconds, START_SECONDS))
    told = say is None
    async with AsyncExitStack() as stack:

        async def attempt() -> AccountSession:
            nonlocal told
            try:
                return await stack.enter_async_context(
                    open_account(
                        account, side, sts_endpoint_url=plan.sts_endpoint_url, models=models
                    )
                )
            except RetryableError as error:
                if say is not None and not told:
                    say(f"tried again for up to {patience.seconds:,.0f} s: {error}")
                    told = True
                raise

        try:
            session = await RetryPolicy(side, patience).call(attempt)
        except ServiceGoneError as gone:  # what it was is more to the point
            raise gone.__cause__ or gone from None
        yield session


class SidePatience(NamedTuple):
    """How long each side of a table may accept nothing."""

    source: Patience
    target: Patience

    @classmethod
    def of(cls, plan: CopyPlan, caps: RunCaps) -> Self:
        """As long as the plan says."""
        seconds = plan.patience_seconds
        return cls(caps.patience(seconds), caps.patience(seconds))


async def copy_one_table(
    plan: CopyPlan,
    table: int,
    sides: Sides,
    checked: TablePreflight,
    *,
    total_segments: int,
    store: StateStore,
    stats: TableStats,
    caps: RunCaps,
    rejections: RejectionLimit,
    stop: StopSignal,
) -> None:
    """Copies the plan's table number `table` and leaves in `stats` how it ended.

    :raises StoppedError: inside an exception group; the copy cannot go on
    """
    seen, there = checked.source, checked.target
    if there is None:
        raise StateError(f"the target {checked.table.target} is not there")
    patience = SidePatience.of(plan, caps)
    async with (
        open_client(
            sides.source,
            table=seen.called,
            endpoint=seen.endpoint,
            connections=plan.readers,
            packed_answers=await wants_packed(plan.compress, seen.endpoint),
            patience=patience.source,
        ) as source_client,
        open_client(
            sides.target,
            table=there.called,
            endpoint=there.endpoint,
            connections=plan.writers,
            patience=patience.target,
        ) as target_client,
    ):
        source = pages_of(
            ScanSource(
                source_client,
                table=seen.called,
                total_segments=total_segments,
                consistent_read=plan.consistent_read,
            ),
            leave_out=checked.has_replication_attributes,
        )
        keys = KeyReader([key.name for key in seen.keys])
        target: BatchTarget = BatchWriteTarget(target_client, table=there.called, keys=keys)
        if checked.just_made:
            target = NewTable(target, clock=caps.clock)
        records = await store.read_segments(table)
        stats.segments.done_before(record.segment for record in records if record.complete)
        ledger = Ledger(total_segments, records, on_complete=partial(_segment_done, stats))
        pipeline = assemble(
            plan,
            table,
            source,
            target,
            ledger,
            store,
            stats,
            caps,
            rejections=rejections,
            most_read_units=polite_read_units(seen),
            item_bytes=checked.estimate.average_item_bytes,
            patience=patience,
        )
        await _copy_and_note(pipeline, stats, stop)


def assemble(
    plan: CopyPlan,
    table: int,
    source: PageSource,
    target: BatchTarget,
    ledger: Ledger,
    store: StateStore,
    stats: TableStats,
    caps: RunCaps,
    *,
    rejections: RejectionLimit | None = None,
    most_read_units: float = math.inf,
    item_bytes: float = 0.0,
    patience: SidePatience | None = None,
) -> Pipeline:
    """The pipeline from any source to any target, with the plan's settings.

    `rejections` is what the tables of a run share, None where there is but this one. Unless a cap
    is given, the source is read with at most `most_read_units` a second. `item_bytes` is the size
    of an average item, 0 where nobody knows.
    """
    limits = plan.tables[table]
    given = limits.max_read_units or plan.max_read_units
    read_limiter = caps.read_limiter(limits.max_read_units, math.inf if given else most_read_units)
    if not given and most_read_units < math.inf:
        stats.read_limit_reason = "half of the source's provisioned read units"
    write_limiter = caps.write_limiter(limits.max_write_units)
    patience = patience or SidePatience.of(plan, caps)
    clock = caps.clock
    queue = WriteQueue(ledger.total_segments, clock=clock)
    reader = Reader(
        MeasuredSource(source, stats),
        ledger,
        stats,
        limiter=read_limiter,
        retry=RetryPolicy("source", patience.source),
        item_bytes=item_bytes,
        requests=plan.readers,
        monotonic=clock,
    )
    writer = Writer(
        target,
        ledger,
        queue,
        stats,
        limiter=write_limiter,
        retry=RetryPolicy("target", patience.target, passing=(ThrottledError,)),
        rejected_items=RejectedItems(
            store,
            table=table,
            target=stats.target,
            key_of=target.key_of,
            limit=rejections or RejectionLimit(plan.max_rejected),
            on_reject=plan.on_reject,
        ),
        monotonic=clock,
    )
    return Pipeline(
        table=table,
        ledger=ledger,
        queue=queue,
        reader=reader,
        writer=writer,
        crew=WorkerPool(Concurrency(plan.writers, now=clock()), clock=clock),
        read_controller=read_limiter.controller,
        write_controller=write_limiter.controller,
        store=store,
        stats=stats,
        readers=plan.readers,
        monotonic=clock,
    )


def _segment_done(stats: TableStats, segment: int) -> None:
    stats.segments.done(segment)
    _log.debug("segment done", extra=_table_event(stats) | {"segment": segment})


def _table_event(stats: TableStats) -> dict[str, object]:
    return {"source": stats.source, "target": stats.target}


async def _copy_and_note(pipeline: Pipeline, stats: TableStats, stop: StopSignal) -> None:
    stats.started_at = time.monotonic()
    stats.state = "running"
    _log.info("table begun", extra=_table_event(stats))
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
        ending = {"status": stats.state, "items": stats.items_done}
        _log.info("table ended", extra=_table_event(stats) | ending)
