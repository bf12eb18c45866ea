"""One table that is followed: its capture and its applier, put together.

The capture is opened before the first Scan and runs until the move ends. What it holds is applied
once the copy is complete; `lag_seconds` says how far behind the source the target is then.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.limiters import Limiters
from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.follow.applier import Applier
from dynaferry.follow.applier_work import RejectedChanges
from dynaferry.follow.capture import RETENTION_SECONDS, Capture
from dynaferry.follow.lineage import Gap, Lineage
from dynaferry.follow.measured import MeasuredTarget
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.observe.request_counters import ReadCounters, WriteCounters
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.stream_words import no_stream
from dynaferry.run.assembly import SidePatience
from dynaferry.run.sides import Sides
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.retry import RetryPolicy

STREAM_CONNECTIONS = 16


@asynccontextmanager
async def open_spool(
    path: Path, spool_id: str, *, is_new: bool
) -> AsyncIterator[tuple[Spool, bool]]:
    """The spool of a table, and whether it was lost since it was made: that is a gap.

    :raises StateError: it is damaged, or belongs to another move
    """
    lost = False

    def opened() -> SpoolFile:
        nonlocal lost
        found = None if is_new else SpoolFile.open(path, spool_id)
        lost = found is None and not is_new
        return found or SpoolFile.create(path, spool_id)

    spool = await Spool.opened_by(opened)
    try:
        yield spool, lost
    finally:
        await spool.aclose()


@asynccontextmanager
async def open_capture(
    session: AccountSession,
    table: TableDescription,
    spool: Spool,
    *,
    endpoint: str,
    was_lost: bool = False,
    clock: Callable[[], float] = time.time,
    keys_only: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Capture]:
    """The capture of a table's stream, where an earlier one stopped or from now on. Not running.

    When this returns, every change from now on will be captured: the scan may begin.

    :raises PreflightError: the table has no stream
    :raises StoppedError: the stream may not be read
    """
    if table.stream_arn is None:
        raise no_stream(table, session.region, session.acting_as)
    async with open_client(
        session,
        table=table.name,
        endpoint=endpoint,
        connections=STREAM_CONNECTIONS,
        api_prefix=STREAMS_API_PREFIX,
    ) as client:
        source = TableStream(
            client, arn=table.stream_arn, table=table.name, view=table.stream_view_type or ""
        )
        lineage, start = await _lineage_of(source, table.stream_arn, spool, clock(), was_lost)
        yield Capture(source, spool, lineage, start=start, clock=clock, keys_only=keys_only)


async def _lineage_of(
    source: TableStream, arn: str, spool: Spool, now: float, was_lost: bool
) -> tuple[Lineage, float]:
    """The shards as the spool knows them, or as the stream lists them now, and since when their
    changes are captured.
    """
    origin = await spool.run(SpoolFile.origin)
    gap = _gap_before(origin.stream, arn, origin.alive_at, now, was_lost)
    gaps = [] if gap is None else [gap]
    if origin.stream == arn and origin.begun_at is not None:
        if gaps:
            storing = partial(
                SpoolFile.store, changes=(), positions=(), now=now, gaps=gaps, alive_at=now
            )
            await spool.run(storing)
        return Lineage(await spool.run(SpoolFile.positions)), origin.begun_at
    lineage = Lineage()
    lineage.begin((await source.list_shards()).shards, now)
    positions = lineage.take_changed()
    await spool.run(partial(SpoolFile.begin, stream=arn, at=now, positions=positions, gaps=gaps))
    return lineage, now


def _gap_before(
    before: str | None, stream: str, alive_at: float | None, now: float, was_lost: bool
) -> Gap | None:
    """What was lost while nobody captured."""
    if was_lost:
        return Gap("", "the spool was lost")
    if before is not None and before != stream:
        return Gap("", f"the table has another stream now: {stream}")
    if alive_at is not None and now - alive_at > RETENTION_SECONDS:
        return Gap("", "nothing was captured for more than 24 hours")
    return None


@asynccontextmanager
async def open_applier(
    plan: CopyPlan,
    table: int,
    sides: Sides,
    source: TableDescription,
    target: TableDescription,
    spool: Spool,
    rejected: RejectedChanges,
    stats: TableStats,
    caps: RunCaps,
) -> AsyncIterator[Applier]:
    """The applier of a table, at the rates that the copy had. Not running."""
    patience, limits = SidePatience.of(plan, caps), plan.tables[table]
    keys = KeyReader([key.name for key in source.keys])
    read_retry = RetryPolicy("source", patience.source)
    write_retry = RetryPolicy("target", patience.target)
    writes, reads = WriteCounters(stats), ReadCounters(stats)
    limiters = Limiters(
        caps.read_limiter(limits.max_read_units), caps.write_limiter(limits.max_write_units)
    )
    async with _open_clients(plan, sides, source, target, patience) as (
        source_client,
        target_client,
    ):
        yield Applier(
            spool,
            MeasuredTarget(
                BatchWriteTarget(target_client, table=target.called, keys=keys), stats, limiters
            ),
            BatchGetLookup(source_client, table=source.called, side="source"),
            rejected,
            writes=LimitedCall(limiters.write, write_retry, writes),
            reads=LimitedCall(limiters.read, read_retry, reads),
            write_retry=write_retry,
            read_retry=read_retry,
            workers=plan.writers,
        )


@asynccontextmanager
async def _open_clients(
    plan: CopyPlan,
    sides: Sides,
    source: TableDescription,
    target: TableDescription,
    patience: SidePatience,
) -> AsyncIterator[tuple[DynamoClient, DynamoClient]]:
    async with (
        open_client(
            sides.source,
            table=source.called,
            endpoint=source.endpoint,
            connections=plan.readers,
            patience=patience.source,
        ) as source_client,
        open_client(
            sides.target,
            table=target.called,
            endpoint=target.endpoint,
            connections=plan.writers,
            patience=patience.target,
        ) as target_client,
    ):
        yield source_client, target_client
