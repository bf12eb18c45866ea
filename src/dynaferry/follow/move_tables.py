"""A move: capture, copy, replay, follow, in the order that loses nothing.

The capture of every table runs before the first Scan and to the end; what it holds is applied once
the copy is complete. Whatever ends a move, the same command goes on: the run's file says how far
the copy is, each table's spool how far its stream is read and what waits.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import anyio
from anyio import to_thread
from msgspec.structs import replace

from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow.asking import check_goes_on
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.chosen import (
    check_all_taken,
    check_not_begun_anew,
    failure_of,
    is_copied,
    left_out,
    may_follow,
)
from dynaferry.follow.cost_note import CostNote
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.following import follow
from dynaferry.follow.open_followed_table import open_followed_table
from dynaferry.follow.open_way_back import WayBackWanted
from dynaferry.follow.passes.without_stream import MoveWithoutStream
from dynaferry.follow.preparation import Agree, prepare
from dynaferry.follow.prepare_way_back import prepare_way_back, tell_of_created
from dynaferry.follow.spool_connection import COPYING_PAGES, FOLLOWING_PAGES
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.steady_clock import SteadyClock
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunSummary
from dynaferry.plan.resume_command import Invocation
from dynaferry.plan.settings import CopyPlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.notices import WRITES_DURING_COPY
from dynaferry.preflight.stream_words import STREAM_HISTORY_SECONDS
from dynaferry.run import copy_tables
from dynaferry.run.lifecycle import (
    Say,
    Watch,
    attempted,
    before_it_begins,
    first_reason,
    say_nothing,
)
from dynaferry.run.matching import with_tables
from dynaferry.run.outcome import Outcome, without_summary
from dynaferry.run.resume import check_state_can_be_kept, stored_run
from dynaferry.run.sides import Sides, open_sides
from dynaferry.run.tables import tables_of
from dynaferry.state.directory import move_name
from dynaferry.state.lock import RunLock
from dynaferry.state.records import RunRecord
from dynaferry.stop import StopSignal

STATUS_SECONDS: Final = 1.0
# To read less than this consistently costs less than a minute's wait is worth.
SMALL_BYTES: Final = 1 << 30

# Is shown how each table stands, about once a second.
Show = Callable[[Sequence[MoveStatus]], None]


async def move_tables(plan: CopyPlan, *, stop: StopSignal | None = None) -> RunSummary:
    """Moves what the plan says and follows it until `stop` is asked, or goes on with an earlier
    call. Returns the copy's summary.

    :raises DynaferryError: it cannot go on; the same call resumes it
    """
    outcome = await execute(plan, stop=stop)
    if outcome.error is not None:
        raise outcome.error
    return outcome.summary


async def execute(
    plan: CopyPlan,
    *,
    stop: StopSignal | None = None,
    watch: Watch[RunStats] | None = None,
    watch_following: Watch[RunStats] | None = None,
    show: Show | None = None,
    say: Say | None = None,
    agree: Agree | None = None,
    goes_forward: bool = False,
    invocation: Invocation | None = None,
) -> Outcome:
    """Does what `move_tables` does, and tells errors in the outcome. A plan may say to do so
    without a stream.

    `watch` runs beside the copy, `watch_following` beside what comes after it; `show` is told how
    the move stands from its first second on. A stop that is asked for ends it resumably. Where a
    plan enables a source's stream, `agree` is asked first. With `goes_forward` the source is
    followed again behind a way back. `invocation` is how it was begun, as for a copy.
    """
    stop = stop or StopSignal()
    begun = anyio.Event()
    show, say = show or (lambda _: None), say or say_nothing
    move: _Move | MoveWithoutStream
    if plan.without_stream:
        move = MoveWithoutStream(plan, stop, (watch, watch_following), show, say, invocation)
    else:
        move = _Move(
            plan, stop, (watch, watch_following), show, say, agree, goes_forward, invocation
        )
    outcome, error = await attempted(
        partial(move.make, begun), cancel_when=before_it_begins(stop, begun.is_set)
    )
    return outcome or without_summary(plan, error, begun=begun.is_set(), resumes=True)


class _Move:
    """One attempt at a move."""

    def __init__(
        self,
        plan: CopyPlan,
        stop: StopSignal,
        watches: tuple[Watch[RunStats] | None, Watch[RunStats] | None],
        show: Show,
        say: Say,
        agree: Agree | None,
        goes_forward: bool,
        invocation: Invocation | None,
    ) -> None:
        self._plan = plan
        self._stop = stop
        self._watch, self._watch_following = watches
        self._show = show
        self._say = say
        self._agree = agree
        self._goes_forward = goes_forward
        self._invocation = invocation
        self._clock = SteadyClock()
        self._id = ""
        self._tables: list[FollowedTable] = []
        self._copied_now = False

    async def make(self, begun: anyio.Event) -> Outcome:
        """Captures, copies, replays and follows."""
        self._plan = await with_tables(validate(self._plan), self._say)
        if await stored_run(self._plan) is None:
            await check_state_can_be_kept(self._plan)
        lock = await to_thread.run_sync(
            RunLock.acquire, self._plan.state_dir, move_name(self._plan.run_name)
        )
        try:
            move = await check_goes_on(
                self._plan.state_dir, self._plan.run_name, restart=self._plan.restart
            )
            self._way_back = WayBackWanted.of(self._plan, move, self._say)
            stored = await stored_run(self._plan)
            chosen = self._chosen = tables_of(self._plan, stored)
            check_not_begun_anew(chosen, move)
            check_all_taken(chosen, stored, move)
            run = None if self._plan.restart else stored
            self._id = secrets.token_hex(16) if run is None else move_of(run)
            async with open_sides(self._plan, self._say) as sides, AsyncExitStack() as stack:
                is_switched = move is not None and move.stage in ("switched", "going-back")
                found = await prepare(
                    self._plan, sides, self._say, self._agree, is_switched=is_switched
                )
                if self._way_back.is_wanted and not self._way_back.is_switched:
                    await prepare_way_back(chosen.plan, sides.target, self._say)
                for number, source in zip(chosen.numbers, found, strict=True):
                    # What waits of a table that is copied again stays: it may be needed yet.
                    is_new = run is None or number in chosen.joined
                    table = await self._open(number, sides, stack, is_new=is_new)
                    table.capture.stats.other_readers = source.readers
                    self._tables.append(table)
                begun.set()
                try:
                    return await self._go(sides)
                except* DynaferryError as failed:
                    for table in self._tables:
                        await table.note_end(first_reason(failed).message)
                    raise
        finally:
            lock.release()

    async def _open(
        self, number: int, sides: Sides, stack: AsyncExitStack, *, is_new: bool
    ) -> FollowedTable:
        return await open_followed_table(
            self._chosen.of_run,
            number,
            sides,
            stack,
            self._way_back,
            spool_id=f"{self._id}/{number}",
            is_new=is_new,
            say=self._say,
            clock=self._clock,
        )

    async def _go(self, sides: Sides) -> Outcome:
        async with anyio.create_task_group() as captures:
            for table in self._tables:
                captures.start_soon(table.capture.run)
            captures.start_soon(self._tell_for_ever, sides)
            if self._way_back.is_wanted and not self._way_back.is_switched:
                captures.start_soon(tell_of_created, self._chosen.plan, sides.target, self._say)
            outcome = await self._copy()
            if may_follow(outcome):
                outcome = await self._follow(sides, outcome)
            captures.cancel_scope.cancel()
        return outcome

    async def _copy(self) -> Outcome:
        """Copies, or says what an earlier attempt has copied."""
        for table in self._tables:
            await table.spool.run(partial(SpoolFile.keep_log_below, pages=COPYING_PAGES))
        await self._wait_for_history()
        before = await stored_run(self._plan)
        is_over = before is not None and before.status in ("complete", "rejected")
        self._copied_now = not is_over or bool(self._chosen.begin_anew)
        for table in self._tables if self._copied_now else ():
            table.is_being_copied(self._clock())
        outcome = await copy_tables.execute(
            self._plan,
            stop=self._stop,
            watch=self._watch,
            say=self._say_of_the_copy,
            move=self._id,
            invocation=self._invocation,
        )
        for table in self._tables:
            await table.spool.run(partial(SpoolFile.keep_log_below, pages=FOLLOWING_PAGES))
        return outcome

    async def _wait_for_history(self) -> None:
        """A scan may return what was over a moment ago, and a stream that was just enabled does not
        show that moment: such a table is read once its stream is old enough, or consistently.
        """
        now = time.time()
        until = max(((table.seen.stream_enabled_at or 0.0) for table in self._tables), default=0.0)
        until += STREAM_HISTORY_SECONDS
        if until <= now or self._plan.consistent_read:
            return
        if all(table.seen.size_bytes < SMALL_BYTES for table in self._tables):
            self._say("the stream was enabled just now: the source is read consistently")
            self._plan = replace(self._plan, consistent_read=True)
            return
        self._say(f"the stream was enabled just now: the scan begins in {until - now:.0f} s")
        with anyio.move_on_after(until - now):
            await self._stop.finish.wait()

    def _say_of_the_copy(self, line: str) -> None:
        """What a copy says, without what a move takes care of."""
        if self._copied_now and not line.endswith(WRITES_DURING_COPY):
            self._say(line)

    async def _follow(self, sides: Sides, outcome: Outcome) -> Outcome:
        """Applies until a stop is asked for; a table whose copy failed is captured still."""
        ends = {(end.source, end.target): end for end in outcome.summary.tables}
        copies = [(table, ends[table.source, table.target]) for table in self._tables]
        copied = [table for table, summary in copies if is_copied(summary)]
        failed = [failure_of(summary) for _, summary in copies if not is_copied(summary)]
        for table in copied:
            table.is_copied(self._clock())
        for one in failed:
            self._say(f"{one.source} is captured and not followed, the others are: {one.why}")
        if self._way_back.is_applied:  # else nothing was on its way at the go, nor is anything now
            await self._let_late_writes_land(outcome.summary)
        if not self._stop.asked:  # else nothing may be applied, nor called clean
            await follow(
                self._chosen.of_run,
                sides,
                copied,
                self._stop,
                watch=self._watch_following,
                say=self._say,
                goes_forward=self._goes_forward,
                without=(*failed, *left_out(self._chosen)),
            )
        if failed:
            return outcome
        return Outcome(replace(outcome.summary, status="interrupted"), None)

    async def _let_late_writes_land(self, copied: RunSummary) -> None:
        """A write of the copy, or of an applier that was killed, of which nobody knows must not
        land behind a newer change: none takes effect later than this after it was sent.
        """
        run, now, until = await stored_run(self._plan), time.time(), 0.0
        is_known = run is not None and run.attempts == 1
        if not is_known or any(table.retried_requests for table in copied.tables):
            until = LATE_WRITE_SECONDS + ((run and run.ended_at) or now)
        clean = [await table.spool.run(SpoolFile.is_clean) for table in self._tables]
        if not all(clean):
            until = LATE_WRITE_SECONDS + now
        if until > now:
            self._say(
                f"waiting {until - now:.0f} s, until no earlier write can be on its way any more"
            )
            with anyio.move_on_after(until - now):
                await self._stop.finish.wait()

    async def _tell_for_ever(self, sides: Sides) -> None:
        cost = CostNote(self._plan, sides.target, self._say, self._clock())
        while True:
            now = self._clock()
            told = [await table.status(now) for table in self._tables]
            for table, status in zip(self._tables, told, strict=True):
                table.say_if_losing(status, self._say)
            self._show(told)
            await cost.look(self._tables, told, now)
            await anyio.sleep(STATUS_SECONDS)


def move_of(run: RunRecord) -> str:
    """The id of the move that a run is.

    :raises StateError: it is a copy
    """
    if run.identity.move is None:
        raise StateError(
            f"the run {run.run} was started without a capture, so what changed in the source since"
            " its scan began is not known",
            hint="begin another with --run, or start over with --restart",
        )
    return run.identity.move
