"""The whole story: plan, preflight, new or resumed state, copy, summary."""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import anyio

from dynaferry._version import __version__
from dynaferry.control.effective import effective_controls, in_words
from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_limits import RunCaps
from dynaferry.control.typed_caps import take_back_set_caps
from dynaferry.copy.rejects import RejectionLimit
from dynaferry.errors import DynaferryError
from dynaferry.observe.next_steps import Commands
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunStatus, RunSummary
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.resume_command import Invocation, RecordedCommand, typed_again
from dynaferry.plan.settings import DEFAULT_STATE_DIR, CopyPlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.inspection import TablePreflight, largest_first, preflight
from dynaferry.preflight.lines import opening_lines
from dynaferry.run.completed import check_still_there, completed_at, is_complete
from dynaferry.run.event_recorder import EventRecorder
from dynaferry.run.lifecycle import (
    Say,
    Watch,
    attempted,
    before_it_begins,
    beside,
    closing,
    end_stored,
    ended_by,
    error_record,
    in_turn,
    say_nothing,
    watched,
)
from dynaferry.run.matching import with_tables
from dynaferry.run.outcome import Outcome, status_of, summarize, without_summary
from dynaferry.run.progress_keeper import ProgressKeeper
from dynaferry.run.resume import (
    check_state_can_be_kept,
    identity_of,
    open_state,
    stats_from,
    stored_run,
)
from dynaferry.run.sides import Sides, credentials_left, open_sides
from dynaferry.run.table_copy import CopyOneTable, TableTask, copy_one_table
from dynaferry.shared.left_to_do import LeftToDo
from dynaferry.state.records import (
    Controls,
    RunRecord,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal

__all__ = ["Outcome", "dry_run", "execute"]

_log = logging.getLogger(__name__)


async def execute(
    plan: CopyPlan,
    *,
    stop: StopSignal | None = None,
    watch: Watch[RunStats] | None = None,
    say: Say | None = None,
    copy_one: CopyOneTable = copy_one_table,
    move: str | None = None,
    invocation: Invocation | None = None,
) -> Outcome:
    """Does what `library.copy_table` does, and tells errors in the outcome.

    `watch` runs beside the copy and is cancelled when it ends; `say` is given what people should
    know, line by line; `copy_one` is how one table is copied; a new run is part of this `move`;
    `invocation` is how it was begun, None where not from a command line. A stop that is asked for
    before the copy has begun cancels at once.
    """
    stop = stop or StopSignal()
    begun, resumes = anyio.Event(), anyio.Event()
    copying = partial(_prepare_and_copy, plan, stop, watch, say or say_nothing, copy_one, move)
    outcome, error = await attempted(
        partial(copying, invocation, begun, resumes),
        cancel_when=before_it_begins(stop, begun.is_set),
    )
    return outcome or without_summary(plan, error, begun=begun.is_set(), resumes=resumes.is_set())


async def _prepare_and_copy(
    plan: CopyPlan,
    stop: StopSignal,
    watch: Watch[RunStats] | None,
    say: Say,
    copy_one: CopyOneTable,
    move: str | None,
    invocation: Invocation | None,
    begun: anyio.Event,
    resumes: anyio.Event,
) -> Outcome:
    plan = await with_tables(validate(plan), say)
    async with open_sides(plan, say) as sides:
        stored = await stored_run(plan)
        if stored is None:
            await check_state_can_be_kept(plan)
        elif not plan.restart:
            resumes.set()
        checked = await _run_preflight(plan, sides, stored, dry_run=False, say=say)
        identity = identity_of(plan, checked, stored, move)
        command = None if invocation is None else invocation.command
        settings = recorded_settings(plan, command=command)
        async with open_state(plan, identity, stored, settings, say) as store:
            if stored is not None and not plan.restart and is_complete(stored):
                await check_still_there(stored, store, checked, sides.target, say)
            begun.set()
            attempt = _Attempt(plan, sides, checked, store, stop, watch, say, copy_one, invocation)
            return await attempt.make()


async def dry_run(plan: CopyPlan, *, say: Say | None = None) -> tuple[TablePreflight, ...]:
    """Looks at everything that `execute` would look at, and writes nothing.

    :raises DynaferryError: what `execute` would refuse or fail with
    """
    plan = await with_tables(validate(plan), say or say_nothing)
    async with open_sides(plan, say) as sides:
        return await looked_at(plan, sides, say or say_nothing)


async def looked_at(plan: CopyPlan, sides: Sides, say: Say) -> tuple[TablePreflight, ...]:
    """What a dry run of a valid plan finds, with both accounts open already.

    :raises DynaferryError: as `dry_run`
    """
    stored = await stored_run(plan)
    if stored is not None:
        say(_standing(stored, restarts=plan.restart))
    if plan.limits.schedule:
        caps = in_words(effective_controls(plan, Controls(), datetime.now(UTC)))
        say(f"at this hour: {caps or 'no caps'}; the estimate leaves the schedule out")
    checked = await _run_preflight(plan, sides, stored, dry_run=True, say=say)
    if stored is not None and not plan.restart and is_complete(stored):
        store = await SqliteStore.open_for_reading(plan.state_dir, plan.run_name)
        async with closing(store):
            await check_still_there(stored, store, checked, sides.target, say)
    return checked


async def _run_preflight(
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
        say=say or say_nothing,
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
        watch: Watch[RunStats] | None,
        say: Say,
        copy_one: CopyOneTable,
        invocation: Invocation | None,
    ) -> None:
        self._plan = plan
        self._sides = sides
        self._checked = checked
        self._store = store
        self._stop = stop
        self._watch = watch
        self._say = say
        self._copy_one = copy_one
        self._invocation = invocation

    async def make(self) -> Outcome:
        run = await self._store.read_run()
        if run.status == "complete" or run.status == "rejected":
            self._say(
                f"already complete: the run {run.run} was completed {completed_at(run)} and has "
                "nothing left to copy; --restart copies everything anew"
            )
            stats = await stats_from(run, self._checked, self._store)
            return Outcome(await self._summary(run.run, run.status, stats))
        await self._store.begin_attempt(__version__, time.time())
        number, named = run.attempts + 1, f"of the run {run.run}"
        event = {"event": "attempt-started", "attempt": number}
        _log.info("attempt %d %s started", number, named, extra=event)
        await self._store.keep_settings(recorded_settings(self._plan, self._left, self._command))
        stats = await stats_from(run, self._checked, self._store)
        stats.credentials_left = credentials_left(self._sides)
        self._say_what_matters(run, stats)
        recorder = EventRecorder(self._store, stats)
        error = await ended_by(partial(self._copy_all, run, stats, recorder))
        return await self._end(run, stats, recorder, error)

    async def _copy_all(self, run: RunRecord, stats: RunStats, recorder: EventRecorder) -> None:
        rejected = sum(table.items_rejected for table in stats.tables)
        rejections = RejectionLimit(self._plan.max_rejected, so_far=rejected)
        caps = RunCaps(self._plan)
        follower = ControlFollower(self._plan, self._store, (caps,), stats)
        taken_back = await take_back_set_caps(self._store, self._invocation, time.time())
        for line in [*taken_back, *await follower.begin()]:
            self._say(line)
        stats.tables_at_once = self._plan.tables_at_once
        progress = await ProgressKeeper.begun(self._store, stats, readers=self._plan.readers)

        async def copy(table: int) -> None:
            await self._copy_one(self._task(table, run, stats, caps, rejections))

        watch = partial(watched, self._watch, stats)
        async with beside(watch, follower.follow, recorder.follow, progress.follow):
            await in_turn(largest_first(self._checked), self._plan.tables_at_once, self._stop, copy)
            await progress.keep()

    def _task(
        self,
        table: int,
        run: RunRecord,
        stats: RunStats,
        caps: RunCaps,
        rejections: RejectionLimit,
    ) -> TableTask:
        return TableTask(
            plan=self._plan,
            table=table,
            sides=self._sides,
            checked=self._checked[table],
            total_segments=run.identity.tables[table].total_segments,
            store=self._store,
            stats=stats.tables[table],
            caps=caps,
            rejections=rejections,
            stop=self._stop,
        )

    async def _end(
        self,
        run: RunRecord,
        stats: RunStats,
        recorder: EventRecorder,
        error: DynaferryError | None,
    ) -> Outcome:
        async def store_end() -> None:
            await recorder.record()
            status = status_of(stats, error)
            await self._store.end_attempt(status, time.time(), error_record(error))
            await recorder.record(anew=True)

        ended_by_error = await end_stored(store_end, error)
        status = status_of(stats, ended_by_error)
        summary = await self._summary(run.run, status, stats, ended_by_error)
        _log_end(run, summary)
        self._say_what_is_not_kept(stats, summary)
        return Outcome(summary, ended_by_error)

    async def _summary(
        self, run: str, status: RunStatus, stats: RunStats, error: DynaferryError | None = None
    ) -> RunSummary:
        plan = self._plan
        is_default = plan.state_dir == DEFAULT_STATE_DIR
        commands = Commands(
            state_dir=None if is_default else str(plan.state_dir),
            restarts=plan.restart,
            **typed_again(self._command),
        )
        return await summarize(run, status, stats, self._store, error, self._left, commands)

    @property
    def _command(self) -> RecordedCommand | None:
        return None if self._invocation is None else self._invocation.command

    @property
    def _left(self) -> tuple[LeftToDo, ...]:
        return tuple(each.left for each in self._checked if each.left is not None)

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
        notices = [(each.table.source_name, each.notices) for each in self._checked]
        for line in opening_lines(notices):
            self._say(line)


def _log_end(run: RunRecord, summary: RunSummary) -> None:
    number, status = run.attempts + 1, summary.status
    event = {"event": "attempt-ended", "attempt": number, "status": status}
    _log.info("attempt %d of the run %s ended: %s", number, run.run, status, extra=event)


def _standing(stored: RunRecord, *, restarts: bool) -> str:
    if restarts:
        return f"the run {stored.run} has begun and would be started over"
    if is_complete(stored):
        return f"the run {stored.run} is complete already; it was completed {completed_at(stored)}"
    return f"the run {stored.run} has begun and would be resumed"
