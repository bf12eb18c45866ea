"""A move without a stream: copy, then passes until somebody asks for the switch.

Nothing is captured, so nothing of it can be lost: whatever ends it, the same command goes on with
the copy, or with another pass. What holds the tables together is the comparison of every key in the
last pass, behind the writers' stop.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, NamedTuple

import anyio
from anyio import to_thread
from msgspec.structs import replace

from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow.asking import check_goes_on
from dynaferry.follow.both_sides import open_both_sides
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.chosen import NotFollowed, check_not_begun_anew, left_out
from dynaferry.follow.following import stats_of_copied
from dynaferry.follow.passes.answering import PassesAnswering
from dynaferry.follow.passes.one_pass import OnePass
from dynaferry.follow.passes.passes import Passes
from dynaferry.follow.passes.standing import standing, standing_now
from dynaferry.follow.passes.watched_keys import WatchedKeys
from dynaferry.follow.steady_clock import SteadyClock
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.stats import RunStats
from dynaferry.plan.resume_command import Invocation
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.notices import WRITES_DURING_COPY
from dynaferry.run import copy_tables
from dynaferry.run.lifecycle import Say, Watch, beside, closing, watched
from dynaferry.run.matching import with_tables
from dynaferry.run.outcome import Outcome
from dynaferry.run.resume import check_state_can_be_kept, stored_run
from dynaferry.run.sides import Sides, open_sides
from dynaferry.run.tables import selected, tables_of
from dynaferry.state.directory import move_name
from dynaferry.state.lock import RunLock
from dynaferry.state.move_records import MoveRecord, PassRecord
from dynaferry.state.records import RunRecord
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal

STATUS_SECONDS: Final = 1.0
# How long a pass that repairs may take to end when a stop is asked for.
DRAIN_SECONDS: Final = 10.0

Show = Callable[[Sequence[MoveStatus]], None]


class MoveWithoutStream:
    """One attempt at such a move."""

    def __init__(
        self,
        plan: CopyPlan,
        stop: StopSignal,
        watches: tuple[Watch[RunStats] | None, Watch[RunStats] | None],
        show: Show,
        say: Say,
        invocation: Invocation | None = None,
    ) -> None:
        self._plan = plan
        self._stop = stop
        self._watch, self._watch_passes = watches
        self._show = show
        self._say = say
        self._invocation = invocation
        self._clock = SteadyClock()
        self._names: list[tuple[str, str]] = []
        self._numbers: tuple[int, ...] = ()
        self._left_out: list[NotFollowed] = []

    async def make(self, begun: anyio.Event) -> Outcome:
        """Copies, then makes passes until it is switched, stopped or ended."""
        self._plan = await with_tables(validate(self._plan), self._say)
        chosen = selected(self._plan)
        self._names = [(table.source_name, table.target_name) for table in chosen.tables]
        before = await stored_run(self._plan)
        if before is None:
            await check_state_can_be_kept(self._plan)
        elif not self._plan.restart:
            check_is_no_other(before)
        lock = await to_thread.run_sync(
            RunLock.acquire, self._plan.state_dir, move_name(self._plan.run_name)
        )
        try:
            move = await check_goes_on(
                self._plan.state_dir, self._plan.run_name, restart=self._plan.restart
            )
            # Before the copy: it would be written over a target in use.
            check_not_begun_anew(tables_of(self._plan, before), move)
            begun.set()
            outcome = await self._copy()
            if outcome.error is None and outcome.summary.status in ("complete", "rejected"):
                return await self._go_on(before, outcome)
            return outcome
        finally:
            lock.release()

    async def _copy(self) -> Outcome:
        self._show(standing(self._names, None, (), self._clock()))
        return await copy_tables.execute(
            self._plan,
            stop=self._stop,
            watch=self._watch,
            say=self._say_of_the_copy,
            invocation=self._invocation,
        )

    def _say_of_the_copy(self, line: str) -> None:
        """What a copy says, without what the passes take care of."""
        if not line.endswith(WRITES_DURING_COPY):
            self._say(line)

    async def _go_on(self, before: RunRecord | None, copied: Outcome) -> Outcome:
        """Passes, with the run's own lock held, so that nobody else writes to its targets."""
        copied_plan = replace(self._plan, restart=False)
        tables = tables_of(copied_plan, await stored_run(copied_plan))
        self._plan, self._numbers, self._left_out = tables.plan, tables.numbers, left_out(tables)
        store = await SqliteStore.open(self._plan.state_dir, self._plan.run_name)
        async with closing(store):
            file = await PassFile.open(self._plan.state_dir, self._plan.run_name)
            async with closing(file):
                move = await self._taken_up(file)
                if move.switched_at is None:
                    move = await self._make_passes(store, file, move, before, copied)
        if move.switched_at is not None:
            self._say("it was switched: the target is in use; dynaferry finish ends the move")
            return copied
        return Outcome(replace(copied.summary, status="interrupted"), None)

    async def _taken_up(self, file: PassFile) -> MoveRecord:
        """The stored state; what was asked and under way when a process ended was not done."""
        move = await file.begin_passes(self._clock())
        for transition in await file.read_open():
            await file.end(transition.number, "not ready", self._clock())
        if move.stage == "cutting-over":
            await file.enter("following", "cutting-over", self._clock())
            move = replace(move, stage="following")
        return move

    async def _make_passes(
        self,
        store: SqliteStore,
        file: PassFile,
        move: MoveRecord,
        before: RunRecord | None,
        copied: Outcome,
    ) -> MoveRecord:
        """Until it is switched, stopped or ended; returns the state then."""
        run = await store.read_run()
        async with open_sides(self._plan, self._say) as sides, AsyncExitStack() as stack:
            numbered = zip(self._numbers, self._plan.tables, strict=True)
            pairs = [await _pair(sides, number, table) for number, table in numbered]
            both = [
                await stack.enter_async_context(open_both_sides(sides, pair.seen, pair.there))
                for pair in pairs
            ]
            targets = [pair.there for pair in pairs]
            stats = await stats_of_copied(self._plan, sides, pairs, targets, store)
            keys = WatchedKeys(both, self._plan.state_dir, self._plan.run_name)
            passes = Passes(
                file,
                self._one_pass,
                self._say,
                made=await file.read_passes(),
                copied_since=run.created_at,
                may_land_until=self._landed_by(run, before, copied),
                regions=_late_regions(pairs),
                after_one=lambda has_converged: answering.note_pass(has_converged),
                clock=self._clock,
            )
            against = partial(self._against, store, sides)
            answering = PassesAnswering(
                file, passes, keys, against, self._stop, self._say, move.stage, self._clock
            )
            async with beside(partial(watched, self._watch_passes, stats)):
                await self._until_stopped(passes, answering, run.created_at)
        return await file.read_move() or move

    def _one_pass(self, begun: PassRecord, stop: StopSignal) -> OnePass:
        return OnePass(self._plan, begun, stop, self._say, self._clock)

    async def _until_stopped(
        self, passes: Passes, answering: PassesAnswering, copied_since: float
    ) -> None:
        async def tell() -> None:
            while True:
                now = self._clock()
                self._show(standing_now(self._names, answering.stage, passes, now, copied_since))
                await anyio.sleep(STATUS_SECONDS)

        async with anyio.create_task_group() as group:
            group.start_soon(passes.run)
            group.start_soon(answering.run)
            group.start_soon(tell)
            await self._stop.finish.wait()
            with anyio.move_on_after(DRAIN_SECONDS):
                async with passes.held():
                    passes.end()
            group.cancel_scope.cancel()

    def _landed_by(self, run: RunRecord, before: RunRecord | None, copied: Outcome) -> float:
        """When no write of the copy, or of an earlier process, can be on its way any more."""
        if before is not None and before.status not in ("complete", "rejected"):
            return self._clock() + LATE_WRITE_SECONDS
        if any(table.retried_requests for table in copied.summary.tables):
            return (run.ended_at or time.time()) + LATE_WRITE_SECONDS
        return 0.0

    async def _against(self, store: SqliteStore, sides: Sides) -> tuple[str, ...]:
        """What speaks against a switch besides the passes."""
        reasons = []
        if (await store.read_controls()).paused_at is not None:
            reasons.append("it is paused, so nothing is compared")
        reasons += [f"{table.source}: {table.why}" for table in self._left_out]
        for table in self._plan.tables:
            try:
                status = (await describe_table(sides.target, table.target_name)).status
            except DynaferryError as error:
                reasons.append(f"the target {table.target_name}: {error.message}")
                continue
            if status != "ACTIVE":
                reasons.append(f"the target {table.target_name} is {status}, not ACTIVE")
        return tuple(reasons)


class _Pair(NamedTuple):
    """Both tables of a pair, as they were when the passes began."""

    number: int
    source: str
    target: str
    seen: TableDescription
    there: TableDescription


async def _pair(sides: Sides, number: int, table: TablePlan) -> _Pair:
    seen = await describe_table(sides.source, table.source_name)
    seen = await with_replication(sides.source, seen)
    there = await describe_table(sides.target, table.target_name)
    there = await with_replication(sides.target, there)
    return _Pair(number, table.source_name, table.target_name, seen, there)


def _late_regions(pairs: Sequence[_Pair]) -> list[str]:
    """Where what is written comes to a source a little later."""
    return sorted({region for pair in pairs for region in pair.seen.late_regions})


def check_is_no_other(run: RunRecord) -> None:
    """Returns if a run may go on by passes.

    :raises StateError: it follows a stream
    """
    if run.identity.move is not None:
        raise StateError(
            f"the run {run.run} follows a stream, and what it has captured waits in its spools",
            hint="leave --without-stream out; or begin another with --run, or start over with "
            "--restart",
        )
