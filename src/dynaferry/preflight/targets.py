"""Targets made ready to be written: created, waited for while they are being created, warmed up."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.create import create_table_like, until_active
from dynaferry.dynamodb.tables.describe import NotKnown, has_items
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.warm_throughput import raises_for
from dynaferry.errors import NotReadyError, PreflightError, TableNotFoundError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.checks import (
    check_created_where_meant,
    check_keys_agree,
    check_not_the_same,
    check_usable,
)
from dynaferry.preflight.notices import Findings

# A table that was made a moment ago may not be found everywhere yet.
DESCRIBE_AGAIN_SECONDS: Final = 2.0

Say = Callable[[str], None]


def is_being_created(table: TableDescription | None) -> bool:
    """Whether the table is CREATING: it exists, and takes no writes yet."""
    return table is not None and table.status == "CREATING"


async def ready_target(
    plan: CopyPlan,
    table: TablePlan,
    found: Findings,
    target: AccountSession,
    *,
    must_be_empty: bool,
    say: Say,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> TableDescription:
    """The target, created like its source or waited for until it can be written.

    One that somebody else has created meanwhile is checked as one that was there before.

    :raises PreflightError: it is not fit to be copied to
    :raises NotReadyError: it is not ACTIVE within the run's patience
    """
    if found.target is None:
        tags = () if isinstance(found.tags, NotKnown) else found.tags
        made = await create_table_like(
            target,
            found.source,
            tags,
            table.target_name,
            patience_seconds=plan.patience_seconds,
            say=say,
        )
        check_created_where_meant(table.target, made)
    else:
        made = await until_active(
            target, found.target.called, patience_seconds=plan.patience_seconds, say=say
        )
    check_not_the_same(found.source, made)
    check_usable("target", made)
    check_keys_agree(found.source, made)
    if must_be_empty:
        await _once_it_is_found(
            partial(check_empty, target, made.called), plan.patience_seconds, sleep
        )
    return made


async def check_empty(session: AccountSession, table: str) -> None:
    """Returns if the table holds nothing.

    :raises PreflightError: it holds something
    """
    if await has_items(session, table):
        raise PreflightError(
            f"the target table {table} is not empty",
            hint="empty it or name another; with --allow-non-empty-target items of the same key "
            "are overwritten and all others stay",
            table=table,
        )


async def _once_it_is_found(
    inspect: Callable[[], Awaitable[None]],
    patience_seconds: float,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Calls `inspect` for a table that was just made, again while the table is not found."""
    waited_seconds = 0.0
    while True:
        try:
            return await inspect()
        except TableNotFoundError as error:
            if waited_seconds >= patience_seconds:
                raise NotReadyError(
                    f"{error.message}, though it was made {waited_seconds:.0f} s ago",
                    hint="run the same command again",
                    operation=error.operation,
                    table=error.table,
                ) from error
        await sleep(DESCRIBE_AGAIN_SECONDS)
        waited_seconds += DESCRIBE_AGAIN_SECONDS


def warming(target: TableDescription, write_units: int) -> tuple[str, ...]:
    """The warm throughput that --warm-target asks for, in words."""
    places = [
        f"{each.what} ({each.before.write_units:,})" for each in raises_for(target, write_units)
    ]
    if not places:
        return (f"the target is warm for {write_units:,} write units a second already",)
    return (
        f"--warm-target asks for {write_units:,} warm write units a second of "
        f"{', '.join(places)} and waits until they are ready; it is billed, by a price that is "
        "not known here, and never decreases",
    )
