"""Replays and follows: what waits is applied until a stop is asked for, under the run's controls.

The capture is not held by a pause: what comes meanwhile waits in the spool.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

import anyio

from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.counters import stats_of
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.follow.after_go import AfterGo
from dynaferry.follow.applier import Applier
from dynaferry.follow.chosen import NotFollowed, plan_of
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.held_back import HeldBack
from dynaferry.follow.open_switching import open_switching
from dynaferry.follow.rejections import MoveRejections, rejections_of
from dynaferry.follow.resync import Resync
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.table import open_applier
from dynaferry.observe.progress import PlainLog
from dynaferry.observe.stats import MOST_REASONS, RunStats, TableStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.item_cost import billed_for_each, unit_price
from dynaferry.run.lifecycle import Say, Watch, closing, watched
from dynaferry.run.sides import Sides, credentials_left
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal

# How long what is on its way is waited for when a stop is asked for.
DRAIN_SECONDS: Final = 10.0
_SAY_CONTROLS_SECONDS: Final = 1.0


async def follow(
    plan: CopyPlan,
    sides: Sides,
    tables: Sequence[FollowedTable],
    stop: StopSignal,
    *,
    watch: Watch[RunStats] | None,
    say: Say,
    goes_forward: bool = False,
    without: Sequence[NotFollowed] = (),
) -> None:
    """Applies what is captured until a stop is asked for, with `watch` beside it, and repairs gaps.
    With `goes_forward` it follows again behind a way back.

    `plan` names all tables of the run by their numbers; nothing is switched while some of them are
    `without` a process that follows them.

    :raises DynaferryError: it cannot go on, or too much was refused
    """
    store = await SqliteStore.open(plan.state_dir, plan.run_name)
    async with closing(store), AsyncExitStack() as stack:
        targets = await _described(sides, tables)
        stats, caps = await stats_of_copied(plan, sides, tables, targets, store), RunCaps(plan)
        controls = ControlFollower(plan, store, (caps,), stats)
        for line in await controls.begin():
            say(line)
        rejections = await rejections_of(plan, store, tables, stats)
        applying = partial(_applying, plan, sides, stats, caps)
        of_tables = zip(tables, targets, rejections, strict=True)
        appliers = [await stack.enter_async_context(applying(*each)) for each in of_tables]
        opened = partial(open_switching, plan, sides, tables, targets, appliers, stop, say)
        opening = opened(goes_forward=goes_forward, without=without)
        switching = await stack.enter_async_context(opening)
        await _run(
            stop,
            tables,
            appliers,
            switching.run,
            controls.follow,
            partial(_say_controls, stats, say),
            partial(watched, watch, stats),
            Resync(plan, tables, rejections, caps, stop, say).run,
            AfterGo(plan_of(plan, tables), sides.target, tables, stop, say).run,
        )


async def _run(
    stop: StopSignal,
    tables: Sequence[FollowedTable],
    appliers: Sequence[Applier],
    *beside: Callable[[], Coroutine[Any, Any, object]],
) -> None:
    """Runs the appliers, the captures of a way back and what is beside them, until a stop."""
    async with anyio.create_task_group() as group:
        for run in beside:
            group.start_soon(run)
        for table, applier in zip(tables, appliers, strict=True):
            group.start_soon(applier.run)
            if table.way_back is not None:
                group.start_soon(table.way_back.run)
        await _until_stopped(stop, tables, appliers)
        group.cancel_scope.cancel()


async def _described(sides: Sides, tables: Sequence[FollowedTable]) -> list[TableDescription]:
    """The targets as they are now."""
    return [
        await with_replication(sides.target, await describe_table(sides.target, table.target))
        for table in tables
    ]


async def _until_stopped(
    stop: StopSignal, tables: Sequence[FollowedTable], appliers: Sequence[Applier]
) -> None:
    """Until a stop is asked for, and what is on its way has arrived: nothing is in doubt then."""
    await stop.finish.wait()
    with anyio.move_on_after(DRAIN_SECONDS):
        for table, applier in zip(tables, appliers, strict=True):
            await applier.drain()
            await table.spool.run(partial(SpoolFile.note_clean, is_clean=True))


@asynccontextmanager
async def _applying(
    plan: CopyPlan,
    sides: Sides,
    stats: RunStats,
    caps: RunCaps,
    table: FollowedTable,
    there: TableDescription,
    rejected: MoveRejections,
) -> AsyncIterator[Applier]:
    """The applier of a table, which is told of. Not running."""
    number, own = table.number, _stats_of(stats, table)
    clock = table.capture.clock
    opening = open_applier(
        plan, number, sides, table.seen, there, table.spool, rejected, own, caps, clock=clock
    )
    async with opening as applier:
        await table.spool.run(partial(SpoolFile.note_clean, is_clean=False))
        own_cap = plan.tables[number].max_write_units
        table.apply_by(applier, HeldBack(stats, own, own_cap), clock())
        yield applier


def _stats_of(stats: RunStats, table: FollowedTable) -> TableStats:
    return next(each for each in stats.tables if each.number == table.number)


async def _say_controls(stats: RunStats, say: Say) -> None:
    """Says when the pause or the caps have changed."""
    log = PlainLog(stats.limits_in_words)
    while True:
        await anyio.sleep(_SAY_CONTROLS_SECONDS)
        for line in log.news(stats):
            say(line)


class CopiedTable(Protocol):
    """A table whose copy is complete: its number in the plan, its names, its source as seen."""

    @property
    def number(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def seen(self) -> TableDescription: ...


async def stats_of_copied(
    plan: CopyPlan,
    sides: Sides,
    tables: Sequence[CopiedTable],
    targets: Sequence[TableDescription],
    store: StateStore,
) -> RunStats:
    """Counters that go on from where the copy's stand; its tables are complete."""
    stats = RunStats(plan.run_name, credentials_left=credentials_left(sides))
    identities = (await store.read_run()).identity.tables
    for table, there in zip(tables, targets, strict=True):
        totals = await store.read_totals(table.number)
        counters = await store.read_counters(table.number)
        own = stats_of(
            totals,
            counters,
            source=table.source,
            target=table.target,
            segments_total=identities[table.number].total_segments,
            dollars_per_read_unit=unit_price(table.seen, plan.price_per_million_reads),
            dollars_per_write_unit=unit_price(there, plan.price_per_million_writes)
            * billed_for_each(there),
        )
        own.number = table.number
        own.dollars_before = counters.dollars - own.dollars
        own.source_arn = identities[table.number].source_arn
        own.target_arn = identities[table.number].target_arn
        own.state = "rejected" if totals.items_rejected else "complete"
        own.segments.done_before(range(own.segments_total))
        reasons = await store.count_dead_letters(table.number, MOST_REASONS)
        own.rejections = {f"{e.error_code}: {e.error_message}": e.items for e in reasons}
        stats.tables.append(own)
    return stats
