"""The target's stream, read from the go on, to know which keys the application has written.

Only where no way back captures it anyway: a shard takes two readers. Its spool keeps keys alone. It
begins a second before the go, since the service gives whole seconds.
"""

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import DynaferryError
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.table import open_capture, open_spool
from dynaferry.follow.table_capture import TableCapture
from dynaferry.follow.written_behind import WatchedStream
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say, first_reason
from dynaferry.state.directory import witness_path

NO_STREAM: Final = "the target has no stream"
TOO_YOUNG: Final = "the target's stream was enabled behind the switch"
_ROUNDING_SECONDS: Final = 1.0


@asynccontextmanager
async def open_witness(
    plan: CopyPlan, target: AccountSession, table: FollowedTable, switched_at: float, say: Say
) -> AsyncIterator[tuple[WatchedStream | None, str | None]]:
    """The stream of the target, which is read while the block lasts; or why it is not."""
    there = await describe_table(target, table.target)
    enabled_at = there.stream_enabled_at
    if there.stream_arn is None or (enabled_at is not None and enabled_at > switched_at):
        yield None, NO_STREAM if there.stream_arn is None else TOO_YOUNG
        return
    capture: TableCapture | None = None
    why: str | None = None
    path = witness_path(plan.state_dir, plan.run_name, table.number)
    async with AsyncExitStack() as stack:
        try:
            capture = await _opened(stack, path, target, table, there, switched_at)
        except DynaferryError as error:
            why = error.message
        if capture is None:
            yield None, why
            return
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(_read, capture, table.target, say)
        yield WatchedStream(path, capture), None
        group.cancel_scope.cancel()


async def _opened(
    stack: AsyncExitStack,
    path: Path,
    target: AccountSession,
    table: FollowedTable,
    there: TableDescription,
    switched_at: float,
) -> TableCapture:
    origin = await table.spool.run(SpoolFile.origin)
    is_new = not await to_thread.run_sync(path.exists)
    opening = open_spool(path, f"{origin.id}/target", is_new=is_new)
    spool = await stack.enter_async_context(opening)
    return await stack.enter_async_context(
        open_capture(
            target,
            there,
            spool,
            endpoint=await streams_endpoint(target),
            clock=table.capture.clock,
            keys_only=lambda: True,
            since=math.floor(switched_at) - _ROUNDING_SECONDS,
        )
    )


async def _read(capture: TableCapture, target: str, say: Say) -> None:
    """Until it is cancelled. Where it cannot go on, nobody knows what is written from then on."""
    try:
        await capture.run()
    except* DynaferryError as group:
        say(f"{target}: its stream is not read any more: {first_reason(group).message}")
