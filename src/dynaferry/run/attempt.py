"""One attempt at a copy: its tables begun, some at once, and each ended by itself.

A table that fails ends alone: it is noted with its reason, and the others go on, unless the plan
says to fail fast. What no table can go on without ends all of them: the state file, and a bug.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from dynaferry._version import __version__
from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_limits import RunCaps
from dynaferry.control.typed_caps import take_back_set_caps, with_set_caps
from dynaferry.copy.rejects import RejectionLimit
from dynaferry.errors import DynaferryError, StateError, StateWriteError
from dynaferry.observe.next_steps import Commands
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import RunStatus, RunSummary
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.resume_command import Invocation, RecordedCommand, typed_again
from dynaferry.plan.settings import DEFAULT_STATE_DIR
from dynaferry.preflight.inspection import TablePreflight, largest_first
from dynaferry.preflight.lines import opening_lines
from dynaferry.run.completed import completed_at, is_complete, is_finished
from dynaferry.run.event_recorder import EventRecorder
from dynaferry.run.lifecycle import (
    Say,
    Watch,
    beside,
    end_stored,
    ended_by,
    error_record,
    error_summary,
    in_turn,
    watched,
)
from dynaferry.run.outcome import (
    EndStatus,
    Outcome,
    error_of_tables,
    status_of,
    summarize,
    table_status,
)
from dynaferry.run.progress_keeper import ProgressKeeper
from dynaferry.run.resume import stats_from, stored_stats
from dynaferry.run.sides import Sides, credentials_left
from dynaferry.run.table_copy import CopyOneTable, TableTask
from dynaferry.run.table_log import log_failure
from dynaferry.run.tables import RunTables
from dynaferry.shared.left_to_do import LeftToDo
from dynaferry.state.records import RunIdentity, RunRecord
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal

_log = logging.getLogger(__name__)

# No other table can go on without it either.
_ENDS_ALL = (StateError, StateWriteError)


class CopyAttempt:
    """One attempt at a run, from its state as it is to its state when the attempt ends."""

    def __init__(
        self,
        tables: RunTables,
        identity: RunIdentity,
        sides: Sides,
        checked: Sequence[TablePreflight],
        store: StateStore,
        stop: StopSignal,
        watch: Watch[RunStats] | None,
        say: Say,
        copy_one: CopyOneTable,
        invocation: Invocation | None = None,
    ) -> None:
        self._tables = tables
        self._plan = tables.plan
        self._identity = identity
        self._sides = sides
        self._checked = checked
        self._store = store
        self._stop = stop
        self._watch = watch
        self._say = say
        self._copy_one = copy_one
        self._invocation = invocation
        self._errors: dict[int, DynaferryError] = {}

    async def make(self, refused: Mapping[int, DynaferryError] = MappingProxyType({})) -> Outcome:
        """Copies what is left of each table, and sums up; those that are `refused`, by their
        numbers, have failed already.
        """
        run = await self._store.read_run()
        is_over = is_complete(run) and await is_finished(self._tables, self._store)
        if not is_over:
            await self._store.begin_attempt(__version__, time.time())
        if not is_over or self._is_of_a_move:
            await self._keep_settings()
        if is_over:
            self._say(
                f"already complete: the run {run.run} was completed {completed_at(run)} and has "
                "nothing left to copy; --restart copies everything again"
            )
            stats = await self._stats(run)
            return Outcome(await self._summary(run.run, status_of(stats, None), stats))
        run = await self._store.read_run()
        _log_start(run)
        stats = await self._stats(run)
        stats.credentials_left = credentials_left(self._sides)
        self._say_what_matters(run, stats)
        for number, why in refused.items():
            await self._note_refused(number, why, stats)
        recorder = EventRecorder(self._store, stats)
        error = await ended_by(partial(self._copy_all, run, stats, recorder))
        return await self._end(run, stats, recorder, error)

    @property
    def _is_of_a_move(self) -> bool:
        """Whether this goes on as a move when the copy is complete: under what is typed now."""
        return self._command is not None and self._command.name == "move"

    async def _keep_settings(self) -> None:
        """Stores what this attempt is made with, and lets what is typed now count."""
        settings = recorded_settings(self._tables.of_run, self._left, self._command)
        await self._store.keep_tables(self._identity, settings, self._tables.restarted)
        taken_back = await take_back_set_caps(
            self._store, self._invocation, time.time(), self._plan.limits
        )
        for line in taken_back:
            self._say(line)

    async def _stats(self, run: RunRecord) -> RunStats:
        return await stats_from(run, self._tables.numbers, self._checked, self._store)

    async def _copy_all(self, run: RunRecord, stats: RunStats, recorder: EventRecorder) -> None:
        rejected = sum(table.items_rejected for table in stats.tables)
        rejections = RejectionLimit(self._plan.max_rejected, so_far=rejected)
        plan = self._tables.of_run
        caps = RunCaps(plan)
        follower = ControlFollower(plan, self._store, (caps,), stats)
        for line in await follower.begin():
            self._say(line)
        stats.tables_at_once = self._plan.tables_at_once
        progress = await ProgressKeeper.begun(
            self._store,
            stats,
            readers=self._plan.readers,
            is_of_all=len(stats.tables) == sum(t.left_at is None for t in run.identity.tables),
        )

        async def copy(place: int) -> None:
            await self._copy_table(self._task(place, run, stats, caps, rejections))

        watch = partial(watched, self._watch, stats)
        async with beside(watch, follower.follow, recorder.follow, progress.follow):
            await in_turn(largest_first(self._checked), self._plan.tables_at_once, self._stop, copy)
            await progress.keep()

    def _task(
        self,
        place: int,
        run: RunRecord,
        stats: RunStats,
        caps: RunCaps,
        rejections: RejectionLimit,
    ) -> TableTask:
        """What is to be copied of the table that stands at this place of the plan."""
        number = self._tables.numbers[place]
        return TableTask(
            plan=self._tables.of_run,
            table=number,
            sides=self._sides,
            checked=self._checked[place],
            total_segments=run.identity.tables[number].total_segments,
            store=self._store,
            stats=stats.tables[place],
            caps=caps,
            rejections=rejections,
            stop=self._stop,
        )

    async def _copy_table(self, task: TableTask) -> None:
        """Copies what is left of a table; what ends it ends it alone.

        :raises DynaferryError: what ended it ends the others as well
        """
        stats = task.stats
        if stats.state == "complete" or stats.state == "rejected":
            return
        await self._store.begin_table(task.table, time.time())
        error = await ended_by(partial(self._copy_one, task))
        if error is not None:
            stats.state, stats.error = "failed", error_summary(error)
            log_failure(stats)

        async def store_end() -> None:
            ending = table_status(stats), time.time(), error_record(error)
            await self._store.end_table(task.table, *ending)

        ended_by_error = await end_stored(store_end, error)
        if ended_by_error is not None:
            self._errors[task.table] = ended_by_error
            if self._plan.fail_fast or isinstance(ended_by_error, _ENDS_ALL):
                raise ended_by_error
            self._say_that_others_go_on(stats, ended_by_error)

    async def _note_refused(self, number: int, why: DynaferryError, stats: RunStats) -> None:
        """Of a table that is refused now: it has failed, with what is stored of it."""
        table = await stored_stats(number, self._tables.of_run, self._identity, self._store)
        table.state, table.error = "failed", error_summary(why)
        await self._store.begin_table(number, time.time())
        await self._store.end_table(number, "failed", time.time(), error_record(why))
        log_failure(table)
        self._errors[number] = why
        stats.tables.append(table)
        self._say_that_others_go_on(table, why)

    def _say_that_others_go_on(self, stats: TableStats, error: DynaferryError) -> None:
        if len(self._checked) > 1 or stats.number not in self._tables.numbers:
            self._say(f"{stats.source} failed, the other tables continue: {error.message}")

    async def _end(
        self,
        run: RunRecord,
        stats: RunStats,
        recorder: EventRecorder,
        error: DynaferryError | None,
    ) -> Outcome:
        error = error or error_of_tables(stats, self._errors)

        async def store_end() -> None:
            await recorder.record()
            status = await self._status_of_run(run, status_of(stats, error))
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
        plan, command = self._plan, self._command
        is_default = plan.state_dir == DEFAULT_STATE_DIR
        if command is not None:
            command = with_set_caps(command, await self._store.read_controls())
        commands = Commands(
            state_dir=None if is_default else str(plan.state_dir),
            restarts=plan.restart,
            **typed_again(command),
        )
        return await summarize(run, status, stats, self._store, error, self._left, commands)

    @property
    def _command(self) -> RecordedCommand | None:
        return None if self._invocation is None else self._invocation.command

    @property
    def _left(self) -> tuple[LeftToDo, ...]:
        return tuple(each.left for each in self._checked if each.left is not None)

    async def _status_of_run(self, run: RunRecord, status: EndStatus) -> EndStatus:
        """How the run stands whose tables of this attempt stand like this."""
        if status == "failed" or status == "interrupted":
            return status
        for number, seen in enumerate(run.identity.tables):
            if number in self._tables.numbers or seen.left_at is not None:
                continue
            totals = await self._store.read_totals(number)
            if totals.segments_complete < seen.total_segments:
                return "interrupted"
            status = "rejected" if totals.items_rejected else status
        return status

    def _say_what_is_not_kept(self, stats: RunStats, summary: RunSummary) -> None:
        written = sum(table.items_written for table in stats.tables)
        kept = sum(table.items_written for table in summary.tables)
        if written > kept:
            self._say(
                f"{written - kept:,} more items were written, on pages that are not finished; "
                "they will be written again, to the same effect"
            )

    def _say_what_matters(self, run: RunRecord, stats: RunStats) -> None:
        if run.attempts > 1:
            done = sum(table.items_done for table in stats.tables)
            self._say(f"resuming the run {run.run}: {done:,} items are done")
        notices = [(each.table.source_name, each.notices) for each in self._checked]
        for line in opening_lines(notices):
            self._say(line)


def _log_start(run: RunRecord) -> None:
    event = {"event": "attempt-started", "attempt": run.attempts}
    _log.info("attempt %d of the run %s started", run.attempts, run.run, extra=event)


def _log_end(run: RunRecord, summary: RunSummary) -> None:
    number, status = run.attempts, summary.status
    event = {"event": "attempt-ended", "attempt": number, "status": status}
    _log.info("attempt %d of the run %s ended: %s", number, run.run, status, extra=event)
