"""The whole story: plan, preflight, new or resumed state, copy, summary."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import anyio

from dynaferry._version import __version__
from dynaferry.control.effective import effective_controls, in_words
from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.rejects import RejectionLimit
from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.errors import DynaferryError, StateWriteError
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunSummary
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.inspection import TablePreflight, preflight
from dynaferry.run.assembly import Sides, copy_one_table, open_sides
from dynaferry.run.completed import check_still_there, completed_at, is_complete
from dynaferry.run.outcome import Outcome, first_reason, status_of, summarize, without_summary
from dynaferry.run.resume import (
    check_state_can_be_kept,
    identity_of,
    open_state,
    stats_from,
    stored_run,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import Controls, RunRecord, StateStore
from dynaferry.stop import StopSignal

__all__ = ["Outcome", "copy_table", "dry_run", "execute"]

Say = Callable[[str], None]
Watch = Callable[[RunStats], Awaitable[None]]

END_OF_ATTEMPT_SECONDS = 5.0

_log = logging.getLogger(__name__)


async def copy_table(plan: CopyPlan, *, stop: StopSignal | None = None) -> RunSummary:
    """Copies what the plan says, or goes on where an earlier call stopped.

    Returns the summary of a run that is complete, complete but for rejected items, or stopped by
    `stop`: see its `status`.

    :raises PlanError: the plan makes no sense
    :raises RefusedError: going on would not be safe; nothing was written
    :raises StoppedError: the run cannot go on now; the same call resumes it
    """
    outcome = await execute(plan, stop=stop)
    if outcome.error is not None:
        raise outcome.error
    return outcome.summary


async def execute(
    plan: CopyPlan,
    *,
    stop: StopSignal | None = None,
    watch: Watch | None = None,
    say: Say | None = None,
) -> Outcome:
    """Does what `copy_table` does, and tells errors in the outcome.

    `watch` runs beside the copy and is cancelled when it ends; `say` is given what people should
    know, line by line. A stop that is asked for before the copy has begun cancels at once.
    """
    stop, outcome, error = stop or StopSignal(), None, None
    begun, resumes = anyio.Event(), anyio.Event()
    try:
        async with anyio.create_task_group() as beside:
            beside.start_soon(_cancel_before_it_begins, beside.cancel_scope, stop, begun)
            outcome = await _prepare_and_copy(
                plan, stop, watch, say or _say_nothing, begun, resumes
            )
            beside.cancel_scope.cancel()
    except* DynaferryError as group:
        error = first_reason(group)
    return outcome or without_summary(plan, error, begun=begun.is_set(), resumes=resumes.is_set())


async def _prepare_and_copy(
    plan: CopyPlan,
    stop: StopSignal,
    watch: Watch | None,
    say: Say,
    begun: anyio.Event,
    resumes: anyio.Event,
) -> Outcome:
    plan = validate(plan)
    async with open_sides(plan, say) as sides:
        stored = await stored_run(plan)
        if stored is None:
            await check_state_can_be_kept(plan)
        elif not plan.restart:
            resumes.set()
        checked = await _look(plan, sides, stored, dry_run=False, say=say)
        identity = identity_of(plan, checked, stored)
        async with open_state(plan, identity, stored, recorded_settings(plan), say) as store:
            if stored is not None and not plan.restart and is_complete(stored):
                await check_still_there(stored, store, checked, sides.target, say)
            begun.set()
            return await _Attempt(plan, sides, checked, store, stop, watch, say).make()


async def _cancel_before_it_begins(
    preparing: anyio.CancelScope, stop: StopSignal, begun: anyio.Event
) -> None:
    await stop.finish.wait()
    if not begun.is_set():
        preparing.cancel()


async def dry_run(plan: CopyPlan, *, say: Say | None = None) -> tuple[TablePreflight, ...]:
    """Looks at everything that `execute` would look at, and writes nothing.

    :raises DynaferryError: what `execute` would refuse or fail with
    """
    plan = validate(plan)
    async with open_sides(plan, say) as sides:
        stored = await stored_run(plan)
        if stored is not None and say is not None:
            say(_standing(stored, restarts=plan.restart))
        if plan.limits.schedule and say is not None:
            held = in_words(effective_controls(plan, Controls(), datetime.now(UTC)))
            say(f"at this hour: {held or 'no caps'}; the estimate leaves the schedule out")
        checked = await _look(plan, sides, stored, dry_run=True, say=say)
        if stored is not None and not plan.restart and is_complete(stored):
            store = await SqliteStore.open_for_reading(plan.state_dir, plan.run_name)
            try:
                await check_still_there(stored, store, checked, sides.target, say or _say_nothing)
            finally:
                await store.aclose()
        return checked


async def _look(
    plan: CopyPlan,
    sides: Sides,
    stored: RunRecord | None,
    *,
    dry_run: bool,
    say: Say | None = None,
) -> tuple[TablePreflight, ...]:
    resuming = stored is not None and not plan.restart
    # What such a target holds this very run has written: for a restart no reason to refuse.
    written_before = () if stored is None else stored.identity.tables
    return await preflight(
        plan,
        *sides,
        resuming=resuming,
        dry_run=dry_run,
        written_before={table.target_table_id for table in written_before},
        say=say or _say_nothing,
    )


class _Attempt:
    """One attempt at a run, from its state as it is to its state when the attempt ends."""

    def __init__(
        self,
        plan: CopyPlan,
        sides: Sides,
        checked: Sequence[TablePreflight],
        store: StateStore,
        stop: StopSignal,
        watch: Watch | None,
        say: Say,
    ) -> None:
        self._plan = plan
        self._sides = sides
        self._checked = checked
        self._store = store
        self._stop = stop
        self._watch = watch
        self._say = say

    async def make(self) -> Outcome:
        run = await self._store.read_run()
        if run.status == "complete" or run.status == "rejected":
            self._say(
                f"already complete: the run {run.run} was completed {completed_at(run)} and has "
                "nothing left to copy; --restart copies everything anew"
            )
            stats = await stats_from(run, self._checked, self._store)
            return Outcome(await summarize(run.run, run.status, stats, self._store))
        await self._store.begin_attempt(__version__, time.time())
        _log.info("attempt begun", extra={"attempt": run.attempts + 1})
        await self._store.keep_settings(recorded_settings(self._plan))
        stats = await stats_from(run, self._checked, self._store)
        stats.credentials_left = {
            session.side: partial(_seconds_left, session) for session in self._sides
        }
        self._say_what_matters(run, stats)
        error: DynaferryError | None = None
        try:
            await self._copy_all(run, stats)
        except BaseExceptionGroup as group:
            reasons, bugs = group.split(DynaferryError)
            if reasons is None:
                raise
            # A reason to stop may have brought other failures with it: it is what people need.
            error = first_reason(reasons)
            if bugs is not None:
                error.__cause__ = bugs
        return await self._end(run, stats, error)

    async def _copy_all(self, run: RunRecord, stats: RunStats) -> None:
        async with anyio.create_task_group() as beside:
            rejected = sum(table.items_rejected for table in stats.tables)
            rejections = RejectionLimit(self._plan.max_rejected, so_far=rejected)
            caps = RunCaps(self._plan)
            steering = ControlFollower(self._plan, self._store, (caps,), stats)
            for line in await steering.begin():
                self._say(line)
            beside.start_soon(self._be_watched, stats)
            beside.start_soon(steering.follow)
            turns = anyio.CapacityLimiter(self._plan.tables_at_once)
            async with anyio.create_task_group() as tables:
                for table in range(len(self._plan.tables)):
                    tables.start_soon(
                        self._copy_in_turn, table, run, stats, caps, rejections, turns
                    )
            beside.cancel_scope.cancel()

    async def _be_watched(self, stats: RunStats) -> None:
        if self._watch is not None:
            await self._watch(stats)

    async def _copy_in_turn(
        self,
        table: int,
        run: RunRecord,
        stats: RunStats,
        caps: RunCaps,
        rejections: RejectionLimit,
        turns: anyio.CapacityLimiter,
    ) -> None:
        async with turns:
            if self._stop.asked:
                return
            await copy_one_table(
                self._plan,
                table,
                self._sides,
                self._checked[table],
                total_segments=run.identity.tables[table].total_segments,
                store=self._store,
                stats=stats.tables[table],
                caps=caps,
                rejections=rejections,
                stop=self._stop,
            )

    async def _end(self, run: RunRecord, stats: RunStats, error: DynaferryError | None) -> Outcome:
        with anyio.move_on_after(END_OF_ATTEMPT_SECONDS, shield=True):
            try:
                status = status_of(stats, error)
                await self._store.end_attempt(status, time.time(), _stored_error(error))
            except StateWriteError as not_stored:
                # What was stored before still holds, and the first error is the one to tell.
                error = error or not_stored
        summary = await summarize(run.run, status_of(stats, error), stats, self._store, error)
        _log.info("attempt ended", extra={"attempt": run.attempts + 1, "status": summary.status})
        self._say_what_is_not_kept(stats, summary)
        return Outcome(summary, error)

    def _say_what_is_not_kept(self, stats: RunStats, summary: RunSummary) -> None:
        written = sum(table.items_written for table in stats.tables)
        kept = sum(table.items_written for table in summary.tables)
        if written > kept:
            self._say(
                f"{written - kept:,} more items were written, on pages that are not finished; "
                "they will be written again, to the same effect"
            )

    def _say_what_matters(self, run: RunRecord, stats: RunStats) -> None:
        if run.attempts > 0:
            done = sum(table.items_done for table in stats.tables)
            self._say(f"resuming the run {run.run}: {done:,} items are done")
        # Each notice once, with the tables that it is about where there are several.
        about: dict[str, list[str]] = {}
        for look in self._checked:
            for notice in look.notices:
                about.setdefault(notice, []).append(look.table.source_name)
        for notice, names in about.items():
            of_all = len(names) == len(self._checked)
            self._say(notice if of_all else f"{', '.join(names)}: {notice}")


def _seconds_left(session: AccountSession) -> float | None:
    return session.credentials.seconds_left(datetime.now(UTC))


def _standing(stored: RunRecord, *, restarts: bool) -> str:
    if restarts:
        return f"the run {stored.run} has begun and would be started over"
    if is_complete(stored):
        return f"the run {stored.run} is complete already; it was completed {completed_at(stored)}"
    return f"the run {stored.run} has begun and would be resumed"


def _stored_error(error: DynaferryError | None) -> tuple[str, str, str | None] | None:
    return None if error is None else (type(error).__name__, error.message, error.hint)


def _say_nothing(_: str) -> None:
    """Nobody listens."""
