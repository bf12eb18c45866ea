"""A replay from lock to summary: the run, the target as it was, letter by letter.

It takes the settings that the run recorded. Whether the copy itself is finished does not matter:
what is replayed are the letters that the run's counts count, and a copy that goes on afterwards
goes on behind them.
"""

import time
from functools import partial

import anyio
from msgspec import Struct

from dynaferry.control.follower import ControlFollower
from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.counters import stats_of, summary_of
from dynaferry.dead_letters.replayer import Replayer
from dynaferry.dead_letters.request import ReplayRequest, find_target, plan_of
from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.put_item import PutItemTarget
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import DynaferryError
from dynaferry.observe.progress import PlainLog
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.observe.summary import ReplaySummary, RunStatus, TableSummary
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.item_cost import billed_for_each, unit_price
from dynaferry.run.lifecycle import (
    END_OF_ATTEMPT_SECONDS,
    Say,
    attempted,
    beside,
    closing,
    error_summary,
    say_nothing,
)
from dynaferry.run.outcome import EndStatus
from dynaferry.run.sides import open_side
from dynaferry.state.records import (
    RunRecord,
    TableTotals,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore
from dynaferry.stop import StopSignal
from dynaferry.throttle.retry import RetryPolicy

__all__ = ["ReplayOutcome", "ReplayRequest", "replay"]

# After the first signal, what is in flight has this long to end and be settled (invariant 9).
GRACE_SECONDS = 4.0
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_SAMPLES = 1.0


class ReplayOutcome(Struct, frozen=True):
    """The summary of a replay, and its error as it was raised."""

    summary: ReplaySummary
    error: DynaferryError | None = None


async def replay(
    request: ReplayRequest, *, stop: StopSignal | None = None, say: Say | None = None
) -> ReplayOutcome:
    """Writes the dead letters of a run again and keeps those that are refused again.

    Errors of ours are returned in the outcome. Asked to stop once, it settles what is in flight.
    """
    stop = stop or StopSignal()
    attempt = _Replay(request, stop, say or say_nothing)
    _, error = await attempted(attempt.make, cancel_when=partial(_over, stop))
    return attempt.outcome(error)


class _Replay:
    """One replay, and what is known of it at any moment."""

    def __init__(self, request: ReplayRequest, stop: StopSignal, say: Say) -> None:
        self._request = request
        self._stop = stop
        self._say = say
        self._begun_at = self._said_at = time.monotonic()
        self._record: RunRecord | None = None
        self._tables: tuple[TableSummary, ...] = ()
        self._begun = False
        self._written = self._refused = self._left = 0

    async def make(self) -> None:
        """Replays the letters of every table.

        :raises DynaferryError: also in groups; what was settled before is stored
        """
        store = await SqliteStore.open(self._request.state_dir, self._request.run)
        async with closing(store):
            record = self._record = await store.read_run()
            plan = plan_of(record, self._request)
            try:
                await self._replay_all(plan, record, store)
            finally:
                with anyio.move_on_after(END_OF_ATTEMPT_SECONDS, shield=True):
                    await self._sum_up(record, store)

    async def _replay_all(self, plan: CopyPlan, record: RunRecord, store: StateStore) -> None:
        totals = [await store.read_totals(table) for table in range(len(plan.tables))]
        self._left = sum(table.items_rejected for table in totals)
        if not self._left:
            return
        self._say(f"replaying {self._left:,} dead letters of the run {record.run}")
        caps, stats = RunCaps(plan), RunStats(record.run)
        follower = ControlFollower(plan, store, (caps,), stats)
        for line in await follower.begin():
            self._say(line)
        async with (
            open_side(plan, plan.target, "target", say=self._say) as session,
            beside(follower.follow, partial(self._print_controls, stats)),
        ):
            for table, counted in enumerate(totals):
                if counted.items_rejected and not self._stop.asked:
                    target = await find_target(session, plan.tables[table].target, record, table)
                    target = await with_replication(session, target)
                    await self._replay_table(plan, table, session, target, store, caps)

    async def _print_controls(self, stats: RunStats) -> None:
        log = PlainLog(stats.limits_in_words)
        while True:
            await anyio.sleep(SECONDS_BETWEEN_SAMPLES)
            for line in log.news(stats):
                self._say(line)

    async def _replay_table(
        self,
        plan: CopyPlan,
        table: int,
        session: AccountSession,
        target: TableDescription,
        store: StateStore,
        caps: RunCaps,
    ) -> None:
        named = plan.tables[table]
        own = caps.of_table(named)
        patience = own.patience(plan.patience_seconds)
        async with open_client(
            session,
            table=target.called,
            endpoint=target.endpoint,
            connections=plan.writers,
            patience=patience,
        ) as client:
            replayer = Replayer(
                PutItemTarget(
                    client,
                    table=target.called,
                    partition_key=target.keys[0].name,
                    leave_out=target.is_legacy_global,
                ),
                await _stats_of(plan, table, target, store),
                table=table,
                store=store,
                limiter=own.write_limiter(),
                retry=RetryPolicy("target", patience),
                if_present=self._request.if_present,
                writers=plan.writers,
            )
            self._begun = True
            await replayer.replay(self._stop, self._note)

    def _note(self, written: int, refused: int) -> None:
        self._written += written
        self._refused += refused
        now = time.monotonic()
        if now - self._said_at >= SECONDS_BETWEEN_LINES:
            self._said_at = now
            self._say(f"{self._written:,} written, {self._refused:,} refused again")

    async def _sum_up(self, record: RunRecord, store: StateStore) -> None:
        self._record = await store.read_run()
        self._tables = await summaries_of(record, store, time.monotonic() - self._begun_at)
        self._left = sum(table.items_rejected for table in self._tables)

    def outcome(self, error: DynaferryError | None) -> ReplayOutcome:
        """How it ended; `error` is what ended it before its time."""
        summary = ReplaySummary(
            run=self._request.run,
            status=self._status(error),
            run_status=_run_status(self._record),
            error=error_summary(error),
            written=self._written,
            refused=self._refused,
            left=self._left,
            tables=self._tables,
        )
        return ReplayOutcome(summary, error)

    def _status(self, error: DynaferryError | None) -> RunStatus:
        if error is not None:
            return "failed" if self._begun else "refused"
        # Stopped before the run could be read, the number of letters left is not known.
        if self._stop.asked and (self._record is None or self._left > self._refused):
            return "interrupted"
        return "rejected" if self._left else "complete"


async def summaries_of(
    record: RunRecord, store: StateStore, seconds: float
) -> tuple[TableSummary, ...]:
    """How the tables of a run stand after a replay that took so long."""
    tables = []
    for table, names in enumerate(record.settings.tables):
        totals = await store.read_totals(table)
        seen = record.identity.tables[table]
        tables.append(
            summary_of(
                totals,
                await store.read_counters(table),
                seen,
                source=names.source_name,
                target=names.target_name,
                status=_table_status(totals, seen.total_segments),
                segments_total=seen.total_segments,
                seconds=seconds,
                items_per_second=0.0,
            )
        )
    return tuple(tables)


def _run_status(record: RunRecord | None) -> str | None:
    if record is None:
        return None
    # A replay that could begin has the lock: no process copies the run.
    return "interrupted" if record.status == "running" else record.status


def _table_status(totals: TableTotals, segments_total: int) -> EndStatus:
    if totals.segments_complete < segments_total:
        return "interrupted"
    return "rejected" if totals.items_rejected else "complete"


async def _stats_of(
    plan: CopyPlan, table: int, target: TableDescription, store: StateStore
) -> TableStats:
    """Counters that go on from the stored ones.

    What the copy cost stays as it was. The run does not record its prices, so a replay is counted
    at the listed one for writes.
    """
    names, counters = plan.tables[table], await store.read_counters(table)
    stats = stats_of(
        await store.read_totals(table),
        counters,
        source=names.source_name,
        target=names.target_name,
        segments_total=0,
        dollars_per_write_unit=unit_price(target, plan.price_per_million_writes)
        * billed_for_each(target),
    )
    stats.dollars_before = counters.dollars - stats.dollars
    return stats


async def _over(stop: StopSignal) -> None:
    """Asked once, what is in flight has its grace; asked twice, it ends at once."""
    await stop.finish.wait()
    with anyio.move_on_after(GRACE_SECONDS):
        await stop.cancel.wait()
