"""Enables the stream of a table, and disables one that it has enabled: the only calls by which
dynaferry ever changes a source that is not gone back to, and only where they were asked for.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.create import call_when_allowed, is_active
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import NotReadyError, RequestRefusedError

NEW_STREAM: Final = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
NO_STREAM: Final = {"StreamEnabled": False}
PATIENCE_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 2.0

Say = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]


async def enable_stream(
    session: AccountSession,
    table: TableDescription,
    *,
    say: Say = lambda _: None,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Sleep = anyio.sleep,
) -> tuple[TableDescription, bool]:
    """Enables a stream of new images and waits until the table has it. A table that has one by
    then keeps it: the second value is whether this call has enabled it, or somebody else.

    :raises AccessDeniedError: the role lacks dynamodb:UpdateTable
    :raises NotReadyError: not now: the table is not ACTIVE within `patience_seconds`
    """
    deadline = time.monotonic() + patience_seconds
    await _until(session, table, deadline, sleep, has_stream=False)
    is_ours = True
    try:
        await call_when_allowed(
            session,
            "UpdateTable",
            table.called,
            patience_seconds=patience_seconds,
            say=say,
            sleep=sleep,
            TableName=table.called,
            StreamSpecification=NEW_STREAM,
        )
    except RequestRefusedError:
        # "Table already has an enabled stream": somebody was faster, which is as good.
        if (await describe_table(session, table.called)).stream_arn is None:
            raise
        is_ours = False
    return await _until(session, table, deadline, sleep, has_stream=True), is_ours


async def disable_stream(
    session: AccountSession,
    table: TableDescription,
    *,
    say: Say = lambda _: None,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Asks for the end of the table's stream: its shards are closed some seconds later, and are
    readable for a day. A table that has none by then is left as it is.

    :raises AccessDeniedError: the role lacks dynamodb:UpdateTable
    :raises NotReadyError: not now: the table is not ACTIVE within `patience_seconds`
    """
    try:
        await call_when_allowed(
            session,
            "UpdateTable",
            table.called,
            patience_seconds=patience_seconds,
            say=say,
            sleep=sleep,
            TableName=table.called,
            StreamSpecification=NO_STREAM,
        )
    except RequestRefusedError:
        # "Table is already disabled", or so: what is asked for is there.
        if (await describe_table(session, table.called)).stream_arn is not None:
            raise


async def _until(
    session: AccountSession,
    table: TableDescription,
    deadline: float,
    sleep: Sleep,
    *,
    has_stream: bool,
) -> TableDescription:
    """The table once it is ACTIVE, which is when it takes a change and when it has made one."""
    while True:
        seen = await describe_table(session, table.called)
        if is_active(seen) and (seen.stream_arn is not None or not has_stream):
            return seen
        if time.monotonic() >= deadline:
            raise NotReadyError(
                f"the {session.side} table {table.name} is {seen.status}, so its stream cannot be "
                "enabled now",
                hint="run the same command again once it is ACTIVE",
                operation="UpdateTable",
                table=table.name,
            )
        await sleep(_POLL_SECONDS)
