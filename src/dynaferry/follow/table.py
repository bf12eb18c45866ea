"""One table that is followed: its capture and its applier, put together.

The capture is opened before the first Scan and runs until the move ends. What it holds is applied
once the copy is complete; `lag_seconds` says how far behind the source the target is then.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread

from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.limiters import Limiters
from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.replication_attributes import lookup_of
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import ThrottledError
from dynaferry.follow.applier import Applier
from dynaferry.follow.applier_work import RejectedChanges
from dynaferry.follow.from_now import FromNow
from dynaferry.follow.lanes import Lanes
from dynaferry.follow.measured import MeasuredLookup, MeasuredTarget
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_connection import SpoolLostError, set_aside
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.table_capture import TableCapture
from dynaferry.observe.request_counters import ReadCounters, WriteCounters
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.ports import ChangeRecord, ChangeSource, KeyLookup, StreamListing
from dynaferry.preflight.stream_words import no_stream
from dynaferry.run.assembly import SidePatience
from dynaferry.run.sides import Sides
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.retry import RetryPolicy

STREAM_CONNECTIONS = 16


@asynccontextmanager
async def open_spool(path: Path, spool_id: str, *, is_new: bool) -> AsyncIterator[Spool]:
    """The spool of a table.

    One that is missing, damaged or of another move makes room for another, which begins with the
    gap that this is; so does, with the next start, one that is found to be damaged while in use.

    :raises StateError: it cannot be read, or is of a later version
    """

    def opened() -> SpoolFile:
        if is_new:
            return SpoolFile.create(path, spool_id)
        try:
            found = SpoolFile.open(path, spool_id)
        except SpoolLostError as error:
            aside = set_aside(path)
            return SpoolFile.create(path, spool_id, f"{error.message}; it is kept as {aside.name}")
        return found or SpoolFile.create(path, spool_id, f"the spool {path} is missing")

    spool = await Spool.opened_by(opened)
    try:
        yield spool
    finally:
        await spool.aclose()
        if spool.is_damaged:
            await to_thread.run_sync(set_aside, path)


# Whether what a stream shows is passed over, and who is told of it then.
PassesOver = tuple[Callable[[], bool], Callable[[Sequence[ChangeRecord]], None]]


class _Streams:
    """The streams of one table of an account. A `TableStreams`."""

    def __init__(
        self,
        session: AccountSession,
        table: str,
        client: DynamoClient,
        passes_over: PassesOver | None,
        *,
        leave_out: bool,
    ) -> None:
        self._session = session
        self._table = table
        self._client = client
        self._leave_out = leave_out
        self._passes_over = passes_over

    async def latest(self) -> str | None:
        """See `TableStreams`."""
        return (await describe_table(self._session, self._table)).stream_arn

    async def opened(self, arn: str) -> tuple[ChangeSource, StreamListing]:
        """See `TableStreams`."""
        listing = await self._stream(arn, "").list_shards()
        stream = self._stream(arn, listing.view)
        if self._passes_over is None:
            return stream, listing
        return FromNow(stream, *self._passes_over), listing

    def _stream(self, arn: str, view: str) -> TableStream:
        return TableStream(
            self._client, arn=arn, table=self._table, view=view, leave_out=self._leave_out
        )


@asynccontextmanager
async def open_capture(
    session: AccountSession,
    table: TableDescription,
    spool: Spool,
    *,
    endpoint: str,
    clock: Callable[[], float] = time.time,
    keys_only: Callable[[], bool] = lambda: False,
    passes_over: PassesOver | None = None,
    since: float | None = None,
    is_to_end: bool = False,
) -> AsyncIterator[TableCapture]:
    """The capture of a table, where an earlier one stopped or from now on. Not running.

    When this returns, every change from now on will be captured: the scan may begin. While
    `passes_over` says so, what the stream showed before is not read, and what it shows is told;
    `since` and `is_to_end` are as `TableCapture` has them.

    :raises PreflightError: the table has no stream
    :raises StoppedError: the stream may not be read
    """
    if table.stream_arn is None and not is_to_end:
        raise no_stream(table, session.region, session.acting_as)
    table = await with_replication(session, table)
    async with open_client(
        session,
        table=table.name,
        endpoint=endpoint,
        connections=STREAM_CONNECTIONS,
        api_prefix=STREAMS_API_PREFIX,
    ) as client:
        leave_out = table.is_legacy_global
        streams = _Streams(session, table.name, client, passes_over, leave_out=leave_out)
        capture = TableCapture(streams, spool, clock=clock, keys_only=keys_only, since=since)
        capture.is_to_end = is_to_end
        await capture.open()
        yield capture


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
    *,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Applier]:
    """The applier of a table, at the rates that the copy had. Not running."""
    own = caps.of_table(plan.tables[table])
    patience = SidePatience.of(plan, own)
    keys = KeyReader([key.name for key in source.keys])
    source = await with_replication(sides.source, source)
    read_retry = RetryPolicy("source", patience.source)
    write_retry = RetryPolicy("target", patience.target, passing=(ThrottledError,))
    writes, reads = WriteCounters(stats), ReadCounters(stats)
    limiters = Limiters(own.read_limiter(), own.write_limiter())
    async with _open_clients(plan, sides, source, target, patience) as clients:
        lookup = _lookup_in(source, clients[0])
        writer = BatchWriteTarget(clients[1], table=target.called, keys=keys)
        yield Applier(
            spool,
            MeasuredTarget(writer, stats, limiters),
            MeasuredLookup(lookup, stats),
            rejected,
            writes=LimitedCall(limiters.write, write_retry, writes),
            reads=LimitedCall(limiters.read, read_retry, reads),
            write_retry=write_retry,
            read_retry=read_retry,
            lanes=Lanes(_partition_key(source)),
            clock=clock,
            workers=plan.writers,
        )


def _lookup_in(source: TableDescription, client: DynamoClient) -> KeyLookup:
    lookup = BatchGetLookup(client, table=source.called, side="source")
    return lookup_of(lookup, leave_out=source.is_legacy_global)


def _partition_key(table: TableDescription) -> str | None:
    """The name of the partition key; None where it is the whole key."""
    return None if len(table.keys) == 1 else next(k.name for k in table.keys if k.role == "HASH")


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
