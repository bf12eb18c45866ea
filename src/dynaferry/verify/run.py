"""A verification from plan to summary: preflight, state, compare, confirm, repair."""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import anyio
from anyio import to_thread
from msgspec.structs import replace

from dynaferry._version import __version__
from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_controls import controls_of
from dynaferry.errors import DynaferryError, StateError
from dynaferry.observe import formatting
from dynaferry.run.lifecycle import (
    Say,
    Watch,
    attempted,
    before_it_begins,
    beside,
    end_stored,
    ended_by,
    error_record,
    in_turn,
    say_nothing,
    watched,
)
from dynaferry.run.matching import with_tables
from dynaferry.run.sides import Sides, open_sides
from dynaferry.run.tables import selected
from dynaferry.stop import StopSignal, unless_stopped
from dynaferry.verify.assembly import TableTools, VerifyCaps, open_tools
from dynaferry.verify.certificate import certificate_of, check_place, iso_time, write_certificate
from dynaferry.verify.compare.confirm import KEYS_AT_ONCE
from dynaferry.verify.compare.repair import RepairPlan, repair_plan
from dynaferry.verify.compare.written_since import WrittenSince
from dynaferry.verify.in_use import check_not_in_use
from dynaferry.verify.outcome import Items, summarize, without_summary
from dynaferry.verify.preflight import (
    TablePair,
    inspect_pairs,
    largest_first,
    what_is_left_out,
)
from dynaferry.verify.rejections import rejected_keys, unreadable_line
from dynaferry.verify.resume import open_state, what_to_resume
from dynaferry.verify.segments import chosen_segments
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import ENDED, Verification, VerificationStatus
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats
from dynaferry.verify.summary import VerifyOutcome, VerifySummary
from dynaferry.verify.validation import validate_verify

Approve = Callable[[RepairPlan], Awaitable[bool]]


async def verify_tables(plan: VerifyPlan, *, stop: StopSignal | None = None) -> VerifySummary:
    """Compares what the plan says; whether it is equal, `status` of the summary says.

    What the plan allows to repair is repaired.

    :raises PlanError: the plan makes no sense
    :raises RefusedError: the tables cannot be compared
    :raises StoppedError: it cannot go on now; the same call goes on where it stopped
    """
    outcome = await execute(plan, stop=stop)
    if outcome.error is not None:
        raise outcome.error
    return outcome.summary


async def execute(
    plan: VerifyPlan,
    *,
    stop: StopSignal | None = None,
    watch: Watch[ComparisonRunStats] | None = None,
    say: Say | None = None,
    approve: Approve | None = None,
    caps: VerifyCaps | None = None,
    written_since: Sequence[WrittenSince] = (),
) -> VerifyOutcome:
    """Does what `verify_tables` does, and returns errors in the outcome.

    `watch` runs beside and is cancelled at the end; `say` is given what people should know, line
    by line; `approve` is asked before anything is written; `caps` are those of whoever it runs
    beside; `written_since` sees, for each table, what is written to it meanwhile. A stop that is
    asked for before the comparison has begun cancels at once.
    """
    stop, begun = stop or StopSignal(), anyio.Event()
    outcome, error = await attempted(
        partial(
            _prepare_and_verify,
            plan,
            stop,
            watch,
            say or say_nothing,
            approve or _approve,
            caps or VerifyCaps(plan),
            written_since,
            begun,
        ),
        cancel_when=before_it_begins(stop, begun.is_set),
    )
    return outcome or without_summary(plan, error, begun=begun.is_set())


async def _prepare_and_verify(
    plan: VerifyPlan,
    stop: StopSignal,
    watch: Watch[ComparisonRunStats] | None,
    say: Say,
    approve: Approve,
    caps: VerifyCaps,
    written_since: Sequence[WrittenSince],
    begun: anyio.Event,
) -> VerifyOutcome:
    plan = validate_verify(plan)
    plan = replace(plan, copy=selected(await with_tables(plan.copy, say)))
    if plan.certificate is not None:
        await to_thread.run_sync(check_place, plan.certificate)
    stored = await what_to_resume(plan, say)
    async with open_sides(plan.copy, say) as sides:
        pairs = await inspect_pairs(plan, sides, say)
        if plan.mends:
            await check_not_in_use(plan.copy.state_dir, plan.copy.run_name, pairs)
        for line in what_is_left_out(pairs):
            say(line)
        async with open_state(plan, pairs, stored) as store:
            begun.set()
            attempt = _Attempt(plan, sides, pairs, store, stop, say, approve, caps, written_since)
            return await attempt.make(watch)


class _Attempt:
    """One attempt at a verification, from its state as it is to its state when it ends."""

    def __init__(
        self,
        plan: VerifyPlan,
        sides: Sides,
        pairs: Sequence[TablePair],
        store: VerificationStore,
        stop: StopSignal,
        say: Say,
        approve: Approve,
        caps: VerifyCaps,
        written_since: Sequence[WrittenSince],
    ) -> None:
        self._plan = plan
        self._sides = sides
        self._pairs = pairs
        self._store = store
        self._stop = stop
        self._say = say
        self._approve = approve
        self._caps = caps
        self._written_since = written_since
        self._rejected: list[frozenset[bytes]] = []
        self._values: dict[int, tuple[Items, Items]] = {}

    async def make(self, watch: Watch[ComparisonRunStats] | None) -> VerifyOutcome:
        await self._store.begin_attempt(__version__, time.time())
        record = await self._store.read_run()
        stats = await self._stats_from(record)
        self._rejected = await self._rejected_keys()
        if record.attempts > 1:
            self._say(await self._what_is_resumed(record, stats))
        error = await ended_by(partial(self._verify_all, record, stats, watch))
        return await self._end(record, stats, error)

    async def _what_is_resumed(self, record: Verification, stats: ComparisonRunStats) -> str:
        totals = [await self._store.read_totals(table) for table in range(len(self._pairs))]
        times = [total.oldest_at for total in totals if total.oldest_at is not None]
        seconds = max(0.0, time.time() - min(times, default=record.created_at))
        done = sum(table.segments_complete for table in stats.tables)
        return (
            f"resuming the verification {record.run} that began at {iso_time(record.created_at)}: "
            f"{done:,} segments are done, the oldest {formatting.duration(seconds)} ago; what was "
            "written to them since is not seen (--restart starts over)"
        )

    async def _rejected_keys(self) -> list[frozenset[bytes]]:
        try:
            return await rejected_keys(self._plan, self._pairs)
        except StateError as error:
            self._say(unreadable_line(error))
            return [frozenset()] * len(self._pairs)

    async def _verify_all(
        self,
        record: Verification,
        stats: ComparisonRunStats,
        watch: Watch[ComparisonRunStats] | None,
    ) -> None:
        async with controls_of(self._plan.copy, self._say) as asked:
            both = (self._caps.source, self._caps.target)
            follower = ControlFollower(self._plan.copy, asked, both, stats)
            for line in await follower.begin():
                self._say(line)

            async def verify(table: int) -> None:
                await self._verify(table, record, stats.tables[table])

            async with beside(partial(watched, watch, stats), follower.follow):
                await in_turn(
                    largest_first(self._pairs),
                    self._plan.copy.tables_at_once,
                    self._stop,
                    verify,
                )

    async def _verify(self, table: int, record: Verification, stats: ComparisonStats) -> None:
        stats.started_at, stats.state = time.monotonic(), "running"
        try:
            async with open_tools(
                self._plan,
                table,
                self._sides,
                self._pairs[table],
                total_segments=record.identity.tables[table].total_segments,
                store=self._store,
                stats=stats,
                caps=self._caps,
                rejected=self._rejected[table],
                written_since=self._written_since[table] if self._written_since else None,
            ) as tools:
                complete = await self._compare_and_repair(table, record, stats, tools)
            stats.state = "complete" if complete else "interrupted"
        except BaseException:
            stats.state = "failed"
            raise
        finally:
            stats.ended_at = time.monotonic()

    async def _compare_and_repair(
        self, table: int, record: Verification, stats: ComparisonStats, tools: TableTools
    ) -> bool:
        chosen = chosen_segments(
            record.identity.tables[table].total_segments, record.sample_percent, record.seed
        )
        compared = {done.segment for done in await self._store.read_segments(table)}
        remaining = [segment for segment in chosen if segment not in compared]
        if not await tools.comparison.compare(remaining, self._stop):
            return False
        repaired = not self._plan.mends or await self._repair(table, stats, tools)
        if self._plan.show_values:
            read = partial(self._read_values, table, tools)
            return await unless_stopped(self._stop, read) and repaired
        return repaired

    async def _repair(self, table: int, stats: ComparisonStats, tools: TableTools) -> bool:
        totals = await self._store.read_totals(table)
        planned = repair_plan(self._plan, stats.target, self._pairs[table].target.arn, totals)
        if totals.rejected:
            self._say(
                f"{totals.rejected:,} items that the copy rejected are left as they are: "
                f"dynaferry dead-letters replay writes them again"
            )
        if planned.items == 0:
            return True
        approved: list[bool] = []

        async def ask() -> None:
            approved.append(await self._approve(planned))

        # A stop does not wait for the person; the next attempt asks again.
        if not await unless_stopped(self._stop, ask):
            return False
        if not approved[0]:
            return True
        finished = await tools.repair.repair_all(self._stop)
        stats.refused = len(tools.repair.refusals)
        for refusal in tools.repair.refusals[: self._plan.limit]:
            self._say(f"the target refused the item {refusal}")
        for key in tools.repair.overwritten[: self._plan.limit]:
            self._say(f"the repair replaced an item that was newer than what it had seen: {key}")
        return finished

    async def _read_values(self, table: int, tools: TableTools) -> None:
        """The items that will be shown, read now: the state keeps no values (invariant 8)."""
        shown = await self._store.read_differences(table, self._plan.limit)
        source: dict[bytes, bytes] = {}
        target: dict[bytes, bytes] = {}
        for start in range(0, len(shown), KEYS_AT_ONCE):
            keys = [one.key for one in shown[start : start + KEYS_AT_ONCE]]
            there, here = await tools.confirmer.read_both(keys)
            source |= there
            target |= here
        self._values[table] = source, target

    async def _end(
        self, record: Verification, stats: ComparisonRunStats, error: DynaferryError | None
    ) -> VerifyOutcome:
        summary = await self._summary(record, stats, error)
        now = time.time()

        async def store_end() -> None:
            if self._plan.certificate is not None and summary.status in ENDED:
                certificate = certificate_of(self._plan, record, summary, now)
                await to_thread.run_sync(write_certificate, self._plan.certificate, certificate)
            await self._store.end_attempt(_stored(summary), now, error_record(error))

        ended_by_error = await end_stored(store_end, error)
        if ended_by_error is not error:
            summary = await self._summary(record, stats, ended_by_error)
        return VerifyOutcome(summary, ended_by_error)

    async def _summary(
        self, record: Verification, stats: ComparisonRunStats, error: DynaferryError | None
    ) -> VerifySummary:
        return await summarize(self._plan, record, stats, self._store, error, self._values)

    async def _stats_from(self, record: Verification) -> ComparisonRunStats:
        """Counters that go on from where the stored ones stand."""
        stats = ComparisonRunStats(record.run)
        for index, pair in enumerate(self._pairs):
            totals = await self._store.read_totals(index)
            counters = await self._store.read_counters(index)
            total_segments = record.identity.tables[index].total_segments
            chosen = len(chosen_segments(total_segments, record.sample_percent, record.seed))
            stats.tables.append(
                ComparisonStats(
                    source=pair.table.source_name,
                    target=pair.table.target_name,
                    segments_total=chosen,
                    segments_complete=totals.segments_compared,
                    expected_items=pair.source.item_count * chosen // total_segments,
                    items_read=totals.source_items,
                    items_written=totals.source_items,
                    items_at_start=totals.source_items,
                    target_items=totals.target_items,
                    unconfirmed=totals.unconfirmed,
                    differences=totals.missing + totals.extra + totals.different + totals.rejected,
                    read_units=counters.read_units,
                    write_units=counters.write_units,
                    throttled_requests=counters.throttled_requests,
                    retried_requests=counters.retried_requests,
                )
            )
        return stats


def _stored(summary: VerifySummary) -> VerificationStatus:
    return "failed" if summary.status == "refused" else summary.status


async def _approve(_: RepairPlan) -> bool:
    """The plan itself allows it."""
    return True
