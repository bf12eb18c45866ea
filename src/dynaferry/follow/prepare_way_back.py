"""Before a move begins: the targets' streams, which a way back needs, enabled and read once.

A target that is created is created with a stream like its source's. One that is there already and
has none gets one: that is asked for by `--way-back keep`. All that a capture does is tried before
the copy, so that nobody finds out behind the switch that there is no way back.
"""

import time
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
import msgspec

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.enable_stream import enable_stream
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    ExpiredIteratorError,
    NotReadyError,
    ServiceGoneError,
    ShardGoneError,
    TableNotFoundError,
    TrimmedError,
)
from dynaferry.follow.enabled_streams import note_creating, note_enabling
from dynaferry.observe.formatting import place
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.ports import StreamListing
from dynaferry.preflight.side_by_side import for_each_table
from dynaferry.preflight.stream_words import call_that_enables
from dynaferry.preflight.streams import open_stream
from dynaferry.run.lifecycle import Say
from dynaferry.throttle.retry import Patience, RetryPolicy

START_SECONDS: Final = 30.0
ENABLING_SECONDS: Final = 300.0
LOOK_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 2.0
WITHOUT: Final = "or continue without a way back: --way-back none"
_ANY: Final = {"S": "dynaferry", "N": "0", "B": "AA=="}


async def prepare_way_back(plan: CopyPlan, target: AccountSession, say: Say) -> None:
    """Returns when every target that is there has a stream that may be read.

    :raises AccessDeniedError: a right is missing
    :raises DynaferryError: a stream cannot be read
    """
    problems: list[DynaferryError] = []

    async def prepared(table: TablePlan) -> None:
        try:
            await _prepare(plan, target, table, say)
        except DynaferryError as error:
            problems.append(_plainly(error))

    await for_each_table(plan.tables, prepared, say=say, done="can go back")
    if problems:
        error = problems[0]
        error.hint = "; ".join(filter(None, (error.hint, WITHOUT)))
        raise error


async def tell_of_created(plan: CopyPlan, target: AccountSession, say: Say) -> None:
    """Beside the copy: reads the streams of targets once they are created, and says what is wrong
    with one, while there is time to mend it.
    """
    async with anyio.create_task_group() as group:
        for table in plan.tables:
            group.start_soon(_tell_of, target, table, say)


async def _tell_of(target: AccountSession, table: TablePlan, say: Say) -> None:
    while True:
        if await _is_told(target, table, say):
            return
        await anyio.sleep(LOOK_SECONDS)


async def _is_told(target: AccountSession, table: TablePlan, say: Say) -> bool:
    """Whether it is there, and was read then."""
    try:
        there = await describe_table(target, table.target_name)
        if there.status != "ACTIVE":
            return False
        await check_readable(target, there)
    except TableNotFoundError:
        return False
    except DynaferryError as error:
        say(f"{table.target_name}: no way back for now: {_plainly(error).message}")
    return True


async def _prepare(plan: CopyPlan, target: AccountSession, table: TablePlan, say: Say) -> None:
    try:
        there = await describe_table(target, table.target_name)
    except TableNotFoundError:
        # It is created with a stream, or the preflight of the copy refuses it.
        if plan.create_target:
            await note_creating(plan.state_dir, plan.run_name, table.target_name)
        return
    if there.stream_arn is None:
        there = await _enabled(plan, target, there, say)
    await check_readable(target, there)


async def _enabled(
    plan: CopyPlan, target: AccountSession, table: TableDescription, say: Say
) -> TableDescription:
    say(f"{place(table.arn)}: enabling a stream with NEW_IMAGE, for the way back")
    await note_enabling(plan.state_dir, plan.run_name, table.arn)
    try:
        there, is_ours = await enable_stream(target, table, say=say)
    except AccessDeniedError as error:
        call = call_that_enables(table, target.region)
        error.hint = "; ".join(filter(None, (error.hint, f"or let whoever may do it: {call}")))
        raise
    arn = there.stream_arn
    await note_enabling(plan.state_dir, plan.run_name, table.arn, arn, is_ours=is_ours)
    return there


async def check_readable(target: AccountSession, table: TableDescription) -> None:
    """Returns if a capture of the table can do all that it has to.

    :raises AccessDeniedError: a right is missing
    :raises NotReadyError: it has no stream, or one that is not enabled yet
    """
    if table.stream_arn is None:
        raise NotReadyError(
            f"the target table {table.name} has no stream, which a way back needs",
            hint=f"enable one: {call_that_enables(table, target.region)}",
            operation="DescribeStream",
            table=table.name,
        )
    retry = RetryPolicy("target", Patience(START_SECONDS))
    async with open_stream(target, table) as stream:
        listing = await _until_enabled(stream, table, retry)
        for shard in listing.shards[:1]:
            await retry.call(partial(_read, stream, shard.id))
    await _look_up(target, table, retry)


async def _until_enabled(
    stream: TableStream, table: TableDescription, retry: RetryPolicy
) -> StreamListing:
    until = time.monotonic() + ENABLING_SECONDS
    while True:
        listing = await retry.call(stream.list_shards)
        if listing.status == "ENABLED":
            return listing
        if listing.status != "ENABLING" or time.monotonic() > until:
            raise NotReadyError(
                f"the stream of the target table {table.name} is {listing.status}, and a way back"
                " needs one that is ENABLED",
                hint="run the same command again once it is",
                operation="DescribeStream",
                table=table.name,
            )
        await anyio.sleep(_POLL_SECONDS)


async def _read(stream: TableStream, shard: str) -> None:
    with suppress(TrimmedError, ShardGoneError, ExpiredIteratorError):
        await stream.read_changes(await stream.newest(shard), most=1)


async def _look_up(target: AccountSession, table: TableDescription, retry: RetryPolicy) -> None:
    """A key, as what has no image is read again from the target."""
    key = msgspec.json.encode({each.name: {each.type: _ANY[each.type]} for each in table.keys})
    async with open_client(
        target, table=table.called, endpoint=table.endpoint, connections=1
    ) as client:
        lookup = BatchGetLookup(client, table=table.called, side="target")
        await retry.call(partial(lookup.find_items, [key]))


def _plainly(error: DynaferryError) -> DynaferryError:
    """The error as it was before anybody lost patience."""
    cause = error.__cause__
    if isinstance(error, ServiceGoneError) and isinstance(cause, DynaferryError):
        return cause
    return error
