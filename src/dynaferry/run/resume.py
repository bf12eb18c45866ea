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
from dynaferry.observe.stats import MOST_REASONS, RunStats
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.lifecycle import Say, closing, error_record
from dynaferry.state.directory import exposures, has_state
from dynaferry.state.identity import check_identity, check_names, same_copy
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

    :raises StateError: the file is broken, another process works on it, or it is of other tables
    """
    if not await to_thread.run_sync(has_state, plan.state_dir, plan.run_name):
        return None
    store = await SqliteStore.open(plan.state_dir, plan.run_name)
    async with closing(store):
        run = await store.read_run()
    names = [(table.source_name, table.target_name) for table in plan.tables]
    check_names(run.identity, names, run=plan.run_name)
    return run


async def check_state_can_be_kept(plan: CopyPlan) -> None:
    """Returns if the state of a new run can be written, before anything else is.

    :raises StateError: the directory cannot be made or written, or another process works there
    """
    await to_thread.run_sync(RunFile.try_out, plan.state_dir, plan.run_name)


def identity_of(
    plan: CopyPlan,
    checked: Sequence[TablePreflight],
    stored: RunRecord | None,
    move: str | None = None,
) -> RunIdentity:
    """The identity of the run that the plan asks for; a new one is part of this move.

    Where nobody asks for a number of segments, a resumed run keeps the one that it began with:
    the table has grown since, and its keys are good only for that number [M:Scan].
    """
    resumed = None if stored is None or plan.restart else stored.identity
    began_with = () if resumed is None else resumed.tables
    tables = []
    for index, (table, checked_table) in enumerate(zip(plan.tables, checked, strict=True)):
        asked_for = table.segments or plan.segments
        keep = asked_for is None and index < len(began_with)
        segments = began_with[index].total_segments if keep else checked_table.total_segments
        if checked_table.target is None:
            raise StateError(f"the target {checked_table.table.target} is not there")
        tables.append(table_identity(checked_table.source, checked_table.target, segments))
    return RunIdentity(tables=tuple(tables), move=move if resumed is None else resumed.move)


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
    plan: CopyPlan,
    identity: RunIdentity,
    stored: RunRecord | None,
    settings: RecordedSettings,
    say: Say,
) -> AsyncIterator[StateStore]:
    """The open state of the run: new, the stored one, or new in the place of the stored one.

    :raises StateError: the stored run is another (invariant 7); it is left as it is
    """
    run = plan.run_name
    for exposure in await to_thread.run_sync(exposures, plan.state_dir, run):
        say(exposure)
    if stored is not None:
        before = with_current_endpoints(stored.identity, identity)
        if not (plan.restart and same_copy(before, identity)):
            check_identity(before, identity, run=run)
    if stored is not None and plan.restart:
        aside = await SqliteStore.set_aside(plan.state_dir, run, time.time())
        say(f"starting over; the state of the earlier run is kept as {aside}")
    if stored is not None and not plan.restart:
        store = await SqliteStore.open(plan.state_dir, run)
        async with _closed_on_error(store):
            # Somebody may have started it over since it was looked at.
            now = (await store.read_run()).identity
            check_identity(with_current_endpoints(now, identity), identity, run=run)
    else:
        store = await SqliteStore.create(
            plan.state_dir, run, identity, settings, __version__, time.time()
        )
    async with closing(store):
        yield store


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
    run: RunRecord, checked: Sequence[TablePreflight], store: StateStore
) -> RunStats:
    """Counters that go on from where the stored ones stand."""
    stats = RunStats(run.run)
    for index, checked_table in enumerate(checked):
        totals, counters = await store.read_totals(index), await store.read_counters(index)
        table = stats_of(
            totals,
            counters,
            source=checked_table.table.source_name,
            target=checked_table.table.target_name,
            segments_total=run.identity.tables[index].total_segments,
            expected_items=checked_table.source.item_count,
            dollars_per_read_unit=checked_table.estimate.dollars_per_read_unit,
            dollars_per_write_unit=checked_table.estimate.dollars_per_write_unit,
        )
        table.source_arn = run.identity.tables[index].source_arn
        table.target_arn = run.identity.tables[index].target_arn
        table.segment_sums = await store.read_segment_sums(index)
        estimate = checked_table.estimate
        table.planned_seconds = estimate.seconds if isfinite(estimate.seconds) else None
        table.planned_write_units = float(estimate.write_units)
        reasons = await store.count_dead_letters(index, MOST_REASONS)
        table.rejections = {f"{e.error_code}: {e.error_message}": e.items for e in reasons}
        if table.segments_complete == table.segments_total:
            table.state = "rejected" if table.items_rejected else "complete"
        stats.tables.append(table)
    return stats


@asynccontextmanager
async def _closed_on_error(store: StateStore) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await store.aclose()
        raise
