"""The inspection of the sources' streams for a move, by what a move does: it lists the shards,
reads a record, and looks up a key. Nothing is written, and all tables' problems are told at once.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio
import msgspec

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.dynamodb.tables.stream_readers import functions_reading
from dynaferry.errors import (
    DynaferryError,
    ExpiredIteratorError,
    NotReadyError,
    ServiceGoneError,
    ShardGoneError,
    ThrottledError,
    TrimmedError,
    UnavailableError,
)
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.ports import Shard, StreamListing
from dynaferry.preflight.checks import check_region, check_usable
from dynaferry.preflight.side_by_side import for_each_table
from dynaferry.preflight.stream_words import StreamFindings, no_stream, not_enabled
from dynaferry.preflight.table_inspection import describe_source
from dynaferry.shared.problems import all_of
from dynaferry.throttle.retry import Patience, RetryPolicy

# A wrong address is more likely than an outage before anything has worked.
START_SECONDS: Final = 30.0
ENABLING_SECONDS: Final = 300.0
_ENABLING_POLL_SECONDS: Final = 2.0
# A shard whose two readers were met once may have room a moment later.
_READS: Final = 3
_READ_AGAIN_SECONDS: Final = 0.5
_CONNECTIONS: Final = 4
_MOST_SHARDS_WATCHED: Final = 16
FULL_PAGE_RECORDS: Final = 500
_OF_STREAMS: Final = ("DescribeStream", "GetShardIterator", "GetRecords")
_ANOTHER_HOST: Final = (
    "DynamoDB Streams has a host of its own, and in a VPC an interface endpoint of its own, which"
    " --source-streams-endpoint-url names"
)
# Any key does: whether there is an item of it makes no difference.
_ANY: Final = {"S": "dynaferry", "N": "0", "B": "AA=="}

Say = Callable[[str], None]


async def inspect_streams(
    plan: CopyPlan, source: AccountSession, *, waits: bool, say: Say = lambda _: None
) -> tuple[StreamFindings, ...]:
    """Inspects the stream of each source of the plan; `waits` for one that is being enabled.

    :raises PreflightError: a source has no stream, and the plan enables none
    :raises AccessDeniedError: a right is missing that a move needs
    :raises UnavailableError: the service did not respond
    """

    problems: dict[str, list[DynaferryError]] = {}

    async def inspect(table: TablePlan) -> StreamFindings | None:
        problems[table.target] = []
        try:
            return await _inspect(plan, source, table, problems[table.target], waits=waits, say=say)
        except DynaferryError as error:
            problems[table.target].append(error)
            return None

    seen = await for_each_table(plan.tables, inspect, say=say, done="inspected")
    in_order = [problem for table in plan.tables for problem in problems[table.target]]
    if in_order:
        raise all_of(in_order)
    return tuple(each for each in seen if each is not None)


async def _inspect(
    plan: CopyPlan,
    source: AccountSession,
    table: TablePlan,
    problems: list[DynaferryError],
    *,
    waits: bool,
    say: Say,
) -> StreamFindings:
    """What is found, and what speaks against it, which does not end the inspection."""
    check_region("source", table.source, plan.source, source.region)
    described = await describe_source(source, table.source)
    check_usable("source", described)
    described = await with_replication(source, described)
    retry = RetryPolicy("source", Patience(min(plan.patience_seconds, START_SECONDS)))
    found = StreamFindings(source=described, status=None)
    if described.stream_arn is not None:
        try:
            found = await _inspect_stream(source, described, retry, waits=waits, say=say)
        except DynaferryError as error:
            problems.append(_plainly(error))
    elif not plan.enable_stream:
        problems.append(no_stream(described, source.region, source.acting_as))
    try:
        await _look_up(source, described, retry)
    except DynaferryError as error:
        problems.append(_plainly(error))
    return found


async def _inspect_stream(
    session: AccountSession,
    source: TableDescription,
    retry: RetryPolicy,
    *,
    waits: bool,
    say: Say,
) -> StreamFindings:
    async with open_stream(session, source) as stream:
        listing = await _listing(stream, source, retry, waits=waits, say=say)
        if listing.status not in ("ENABLED", "ENABLING"):
            raise not_enabled(source, listing.status)
        open_shards = [shard for shard in listing.shards if shard.ending is None]
        first = [*open_shards, *listing.shards][:1]
        return StreamFindings(
            source=source,
            status=listing.status,
            open_shards=len(open_shards),
            is_shared=bool(first) and await _is_shared(stream, first[0], retry),
            functions=await functions_reading(session, source.stream_arn or ""),
        )


@asynccontextmanager
async def open_stream(
    source: AccountSession, table: TableDescription
) -> AsyncIterator[TableStream]:
    """The stream of a table that has one."""
    async with open_client(
        source,
        table=table.name,
        endpoint=await streams_endpoint(source),
        connections=_CONNECTIONS,
        api_prefix=STREAMS_API_PREFIX,
    ) as client:
        arn, view = table.stream_arn or "", table.stream_view_type or ""
        yield TableStream(client, arn=arn, table=table.name, view=view)


async def _listing(
    stream: TableStream, source: TableDescription, retry: RetryPolicy, *, waits: bool, say: Say
) -> StreamListing:
    """The shards, once the stream is enabled where it is being enabled."""
    until = time.monotonic() + ENABLING_SECONDS
    is_said = False
    while True:
        listing = await retry.call(stream.list_shards)
        if listing.status != "ENABLING" or not waits:
            return listing
        if time.monotonic() >= until:
            raise NotReadyError(
                f"the stream of the source table {source.name} is ENABLING for more than "
                f"{ENABLING_SECONDS:.0f} s",
                hint="run the same command again once it is ENABLED",
                operation="DescribeStream",
                table=source.name,
            )
        if not is_said:
            say(f"{source.name}: waiting until its stream is enabled; Ctrl-C is safe")
            is_said = True
        await anyio.sleep(_ENABLING_POLL_SECONDS)


async def _is_shared(stream: TableStream, shard: Shard, retry: RetryPolicy) -> bool:
    """Reads one record of the shard; whether others read it so that we may not."""
    for _ in range(_READS):
        try:
            await retry.call(partial(_read_one, stream, shard.id))
        except _SharedError:
            await anyio.sleep(_READ_AGAIN_SECONDS)
        else:
            return False
    return True


class _SharedError(Exception):
    """A shard has two readers already."""


async def _read_one(stream: TableStream, shard: str) -> None:
    try:
        await stream.read_changes(await stream.iterator(shard, None), most=1)
    except (TrimmedError, ShardGoneError, ExpiredIteratorError):
        return  # it may be read; whether there is anything in it is another question
    except ThrottledError as error:
        if error.code == "LimitExceededException" and error.operation == "GetRecords":
            raise _SharedError from error
        raise


async def _look_up(source: AccountSession, table: TableDescription, retry: RetryPolicy) -> None:
    """Looks up a key: images that are refused, spilt or lost are read again from the source."""
    key = msgspec.json.encode({each.name: {each.type: _ANY[each.type]} for each in table.keys})
    async with open_client(
        source, table=table.called, endpoint=table.endpoint, connections=1
    ) as client:
        lookup = BatchGetLookup(client, table=table.called, side="source")
        await retry.call(partial(lookup.find_items, [key]))


def _plainly(error: DynaferryError) -> DynaferryError:
    """The error as it was before anybody lost patience. For streams there may be a way to them
    that nobody has named.
    """
    if not isinstance(error, ServiceGoneError):
        return error
    cause = error.__cause__
    if not isinstance(cause, DynaferryError):
        return error
    if isinstance(cause, UnavailableError) and cause.operation in _OF_STREAMS:
        cause.hint = "; ".join(filter(None, (cause.hint, _ANOTHER_HOST)))
    return cause


async def measured_rate(
    source: AccountSession,
    table: TableDescription,
    *,
    seconds: float,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> float | None:
    """The changes a second that come now, by what some open shards show for so long; None where
    that cannot be seen.
    """
    retry = RetryPolicy("source", Patience(START_SECONDS))
    try:
        async with open_stream(source, table) as stream:
            listing = await retry.call(stream.list_shards)
            shards = [shard for shard in listing.shards if shard.ending is None]
            watched = shards[:_MOST_SHARDS_WATCHED]
            if not watched:
                return None
            began = time.monotonic()
            iterators = [await retry.call(partial(stream.newest, shard.id)) for shard in watched]
            await sleep(seconds)
            took = time.monotonic() - began
            changes = sum([await _changes_behind(stream, each, retry) for each in iterators])
    except DynaferryError:
        return None
    return changes / took * len(shards) / len(watched)


async def _changes_behind(stream: TableStream, iterator: str | None, retry: RetryPolicy) -> int:
    changes = 0
    while iterator is not None:
        page = await retry.call(partial(stream.read_changes, iterator))
        changes += len(page.changes)
        iterator = page.next_iterator if len(page.changes) >= FULL_PAGE_RECORDS else None
    return changes
