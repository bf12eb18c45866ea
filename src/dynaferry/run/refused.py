"""A run that has begun goes on without the tables that are refused now: these fail alone.

What is refused before anything has begun is refused as a whole, and so is a table that joins.
"""

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

import anyio

from dynaferry.errors import AccessDeniedError, DynaferryError, RefusedError, StateError
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.completed import is_finished
from dynaferry.run.lifecycle import closing
from dynaferry.run.resume import identity_of, with_current_endpoints
from dynaferry.run.tables import RunTables, tables_of
from dynaferry.state.identity import check_tables
from dynaferry.state.records import RunIdentity, RunRecord
from dynaferry.state.sqlite.store import SqliteStore

_AT_ONCE: Final = 8
# What concerns a table, and not the service or the state of all.
_OF_A_TABLE: Final = (RefusedError, AccessDeniedError)


class Inspect(Protocol):
    """The preflight of the tables of an attempt."""

    def __call__(
        self, tables: RunTables, *, dry_run: bool
    ) -> Awaitable[tuple[TablePreflight, ...]]: ...


class Inspected(NamedTuple):
    """The tables that are copied, and those that are refused, by their numbers, each with why."""

    tables: RunTables
    checked: tuple[TablePreflight, ...]
    identity: RunIdentity
    refused: Mapping[int, DynaferryError]


async def inspected(
    plan: CopyPlan, stored: RunRecord | None, look: Inspect, move: str | None
) -> Inspected:
    """Inspects the tables of an attempt, and leaves out those that are refused where others go on.

    :raises DynaferryError: they are refused as a whole, or nothing would be left to do
    """
    tables, refused = tables_of(plan, stored), dict[int, DynaferryError]()
    try:
        checked = await look(tables, dry_run=False)
    except _OF_A_TABLE as error:
        if stored is None or not _may_go_on(tables, plan):
            raise
        refused = await _refused_by_preflight(plan, stored, tables, look)
        tables = await _without(plan, stored, tables, refused, error)
        checked = await look(tables, dry_run=False)
    identity = identity_of(tables, checked, stored, move)
    if stored is None or not _may_go_on(tables, plan):
        return Inspected(tables, checked, identity, refused)
    others = _of_other_tables(tables, stored, identity)
    if others:
        refused |= others
        seen = dict(zip(tables.numbers, checked, strict=True))
        tables = await _without(plan, stored, tables, refused, next(iter(others.values())))
        checked = tuple(seen[number] for number in tables.numbers)
        identity = identity_of(tables, checked, stored, move)
    return Inspected(tables, checked, identity, refused)


def _may_go_on(tables: RunTables, plan: CopyPlan) -> bool:
    begins = plan.restart or tables.joined
    return not (begins or plan.fail_fast) and len(tables.numbers) > 1


async def _refused_by_preflight(
    plan: CopyPlan, stored: RunRecord, tables: RunTables, look: Inspect
) -> dict[int, DynaferryError]:
    """Looks at each table by itself."""
    errors: dict[int, DynaferryError] = {}
    turns = anyio.CapacityLimiter(_AT_ONCE)

    async def look_at(number: int) -> None:
        alone = tables_of(plan, stored, without=set(tables.numbers) - {number})
        async with turns:
            try:
                await look(alone, dry_run=True)
            except _OF_A_TABLE as error:
                errors[number] = error

    async with anyio.create_task_group() as group:
        for number in tables.numbers:
            group.start_soon(partial(look_at, number))
    return {number: errors[number] for number in tables.numbers if number in errors}


def _of_other_tables(
    tables: RunTables, stored: RunRecord, identity: RunIdentity
) -> dict[int, DynaferryError]:
    """Those that are not the tables that were copied any more, as where one was made anew."""
    before, errors = with_current_endpoints(stored.identity, identity), dict[int, DynaferryError]()
    for number in tables.numbers:
        try:
            check_tables(
                before, identity, [number], restarted=tables.restarted, run=tables.plan.run_name
            )
        except StateError as error:
            errors[number] = error
    return errors


async def _without(
    plan: CopyPlan,
    stored: RunRecord,
    tables: RunTables,
    refused: Mapping[int, DynaferryError],
    error: DynaferryError,
) -> RunTables:
    """The tables that go on.

    :raises DynaferryError: `error`, where none is refused by itself, or nothing is left to do
    """
    if not refused or set(tables.numbers) <= set(refused):
        raise error
    rest = tables_of(plan, stored, without=set(refused))
    store = await SqliteStore.open_for_reading(plan.state_dir, plan.run_name)
    async with closing(store):
        if await is_finished(rest, store):
            raise error
    return rest
