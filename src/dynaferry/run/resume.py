"""New or resumed: finds the state that a plan's run has, checks that it is its own, opens it."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from math import isfinite
from pathlib import Path

import msgspec
from anyio import to_thread

from dynaferry._version import __version__
from dynaferry.copy.counters import stats_of
from dynaferry.dynamodb.environment.settings import THE_SERVICE_ITSELF, whose_endpoint
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import DynaferryError, StateError
from dynaferry.observe.stats import MOST_REASONS, RunStats, TableStats
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.lifecycle import Say, closing, error_record
from dynaferry.run.tables import RunTables
from dynaferry.state.directory import exposures, has_state
from dynaferry.state.identity import check_tables, shares_tables
from dynaferry.state.lock import is_locked
from dynaferry.state.records import (
    RunIdentity,
    RunRecord,
    TableIdentity,
)
from dynaferry.state.sqlite.run_file import RunFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore


async def stored_run(plan: CopyPlan) -> RunRecord | None:
    """The run that the state directory holds under this plan's name, or None.

    :raises StateError: the file is broken, or another process works on it
    """
    if not await to_thread.run_sync(has_state, plan.state_dir, plan.run_name):
        return None
    store = await SqliteStore.open(plan.state_dir, plan.run_name)
    async with closing(store):
        return await store.read_run()


async def check_state_can_be_kept(plan: CopyPlan) -> None:
    """Returns if the state of a new run can be written, before anything else is.

    :raises StateError: the directory cannot be made or written, or another process works there
    """
    await to_thread.run_sync(RunFile.try_out, plan.state_dir, plan.run_name)


def identity_of(
    tables: RunTables,
    checked: Sequence[TablePreflight],
    stored: RunRecord | None,
    move: str | None = None,
) -> RunIdentity:
    """The identity of the run that a plan asks for; a new one is part of this move.

    Where nobody asks for a number of segments, a table that resumes keeps the one that it began
    with: it has grown since, and its keys are good only for that number [M:Scan].
    """
    plan = tables.plan
    resumed = None if stored is None or plan.restart else stored.identity
    known = () if resumed is None else resumed.tables
    of_run = {number: _standing(tables, number, seen) for number, seen in enumerate(known)}
    for number, table, seen in zip(tables.numbers, plan.tables, checked, strict=True):
        keeps = number < len(known) and number not in tables.restarted
        asked_for = table.segments or plan.segments
        is_kept = asked_for is None and keeps
        segments = known[number].total_segments if is_kept else seen.total_segments
        if seen.target is None:
            raise StateError(f"the target {seen.table.target} is not there")
        of_run[number] = table_identity(seen.source, seen.target, segments)
    in_order = tuple(of_run[number] for number in range(len(of_run)))
    return RunIdentity(tables=in_order, move=move if resumed is None else resumed.move)


def _standing(tables: RunTables, number: int, seen: TableIdentity) -> TableIdentity:
    """A table that the run knows, with whether its plan names it."""
    if number not in tables.left:
        return msgspec.structs.replace(seen, left_at=None)
    return msgspec.structs.replace(seen, left_at=seen.left_at or time.time())


def with_current_endpoints(stored: RunIdentity, wanted: RunIdentity) -> RunIdentity:
    """A stored identity with its endpoints as they are told today.

    Earlier versions stored what the plan named, and of an endpoint that the environment named
    nothing: there the one that is wanted is taken.
    """
    endpoints = {(table.source_arn, table.target_arn): table for table in wanted.tables}
    tables = []
    for table in stored.tables:
        now = endpoints.get((table.source_arn, table.target_arn), table)
        is_earlier = table.source_created_at is None and table.target_created_at is None
        current = {
            side: getattr(now, side)
            if is_earlier and getattr(table, side) == THE_SERVICE_ITSELF
            else whose_endpoint(getattr(table, side))
            for side in ("source_endpoint", "target_endpoint")
        }
        tables.append(msgspec.structs.replace(table, **current))
    return msgspec.structs.replace(stored, tables=tuple(tables))


def seconds_of(moment: datetime | None) -> float | None:
    """A moment in seconds since the epoch."""
    return None if moment is None else moment.timestamp()


def table_identity(
    source: TableDescription, target: TableDescription, total_segments: int
) -> TableIdentity:
    """What a state file keeps of two tables, to tell them from others of their names later."""
    return TableIdentity(
        source_arn=source.arn,
        source_table_id=source.table_id,
        source_endpoint=whose_endpoint(source.endpoint),
        source_created_at=seconds_of(source.created_at),
        target_arn=target.arn,
        target_table_id=target.table_id,
        target_endpoint=whose_endpoint(target.endpoint),
        target_created_at=seconds_of(target.created_at),
        total_segments=total_segments,
    )


@asynccontextmanager
async def open_state(
    tables: RunTables,
    identity: RunIdentity,
    stored: RunRecord | None,
    say: Say,
) -> AsyncIterator[StateStore]:
    """The open state of the run: new, the stored one, or new in the place of the stored one.

    :raises StateError: the stored run is another (invariant 7); it is left as it is
    """
    plan, run = tables.plan, tables.plan.run_name
    for exposure in await to_thread.run_sync(exposures, plan.state_dir, run):
        say(exposure)
    if stored is not None:
        before = with_current_endpoints(stored.identity, identity)
        if not (plan.restart and shares_tables(before, identity)):
            _check(before, identity, tables)
    if stored is not None and plan.restart:
        aside = await SqliteStore.set_aside(plan.state_dir, run, time.time())
        say(f"starting over; the state of the earlier run is kept as {aside}")
    if stored is not None and not plan.restart:
        store = await SqliteStore.open(plan.state_dir, run)
        async with _closed_on_error(store):
            # Somebody may have started it over since it was looked at.
            now = (await store.read_run()).identity
            if now != stored.identity:
                raise StateError(
                    f"the run {run!r} was changed by another process just now",
                    hint="run the same command again",
                )
            _check(with_current_endpoints(now, identity), identity, tables)
    else:
        settings = recorded_settings(tables.of_run)
        store = await SqliteStore.create(
            plan.state_dir, run, identity, settings, __version__, time.time()
        )
    async with closing(store):
        yield store


def _check(before: RunIdentity, identity: RunIdentity, tables: RunTables) -> None:
    check_tables(
        before, identity, tables.numbers, restarted=tables.restarted, run=tables.plan.run_name
    )


async def note_stall(state_dir: Path, run: str, error: DynaferryError) -> None:
    """Stores that this process's attempt at a run ends with `error`, from beside its event loop.

    As far as it goes: without it, the run is one that was killed, which resumes as well.
    """
    try:
        store = await SqliteStore.open_to_control(state_dir, run)
        async with closing(store):
            record = await store.read_run()
            # The attempt has begun, and is ours: nobody else has the lock.
            if record.status == "running" and await to_thread.run_sync(is_locked, state_dir, run):
                await store.end_attempt("failed", time.time(), error_record(error))
    except DynaferryError:
        return


async def stats_from(
    run: RunRecord, numbers: Sequence[int], checked: Sequence[TablePreflight], store: StateStore
) -> RunStats:
    """Counters of the tables with these numbers, that go on from where the stored ones stand."""
    stats = RunStats(run.run)
    for number, checked_table in zip(numbers, checked, strict=True):
        totals, counters = await store.read_totals(number), await store.read_counters(number)
        table = stats_of(
            totals,
            counters,
            source=checked_table.table.source_name,
            target=checked_table.table.target_name,
            segments_total=run.identity.tables[number].total_segments,
            expected_items=checked_table.source.item_count,
            dollars_per_read_unit=checked_table.estimate.dollars_per_read_unit,
            dollars_per_write_unit=checked_table.estimate.dollars_per_write_unit,
        )
        table.source_arn = run.identity.tables[number].source_arn
        table.target_arn = run.identity.tables[number].target_arn
        table.segment_sums = await store.read_segment_sums(number)
        estimate = checked_table.estimate
        table.planned_seconds = estimate.seconds if isfinite(estimate.seconds) else None
        table.planned_write_units = float(estimate.write_units)
        table.number = number
        reasons = await store.count_dead_letters(number, MOST_REASONS)
        table.rejections = {f"{e.error_code}: {e.error_message}": e.items for e in reasons}
        if table.segments_complete == table.segments_total:
            table.segments.done_before(range(table.segments_total))
            table.state = "rejected" if table.items_rejected else "complete"
        stats.tables.append(table)
    return stats


async def stored_stats(
    number: int, of_run: CopyPlan, identity: RunIdentity, store: StateStore
) -> TableStats:
    """The counters of a table that nobody has looked at, from what is stored of it."""
    named, seen = of_run.tables[number], identity.tables[number]
    table = stats_of(
        await store.read_totals(number),
        await store.read_counters(number),
        source=named.source_name,
        target=named.target_name,
        segments_total=seen.total_segments,
    )
    table.number, table.source_arn, table.target_arn = number, seen.source_arn, seen.target_arn
    table.segment_sums = await store.read_segment_sums(number)
    return table


@asynccontextmanager
async def _closed_on_error(store: StateStore) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await store.aclose()
        raise
