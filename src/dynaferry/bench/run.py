"""A benchmark, from the table's description to the forecast."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from msgspec.structs import replace

from dynaferry.bench.meter import forecast
from dynaferry.bench.scratch import new_note, report_leftovers, scratch_table
from dynaferry.bench.settings import BenchPlan, BenchStatus, BenchSummary
from dynaferry.bench.work import Measured, Step, reads_of, writes_of
from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import DynaferryError, ThrottledError
from dynaferry.observe.formatting import place
from dynaferry.run.lifecycle import Say, Watch, attempted, beside, error_summary, watched
from dynaferry.stop import StopSignal
from dynaferry.throttle.retry import Patience, RetryPolicy

REQUEST_PATIENCE_SECONDS = 30.0
FORECAST_ITEMS = 1_000_000  # where nobody says how many

Approve = Callable[[str], Awaitable[bool]]  # whether somebody agrees to what is about to be done


class Bench:
    """One benchmark. `watch` runs beside it, with what is measured so far."""

    def __init__(
        self,
        plan: BenchPlan,
        *,
        stop: StopSignal,
        say: Say,
        approve: Approve | None = None,
        watch: Watch[Measured] | None = None,
    ) -> None:
        self._plan = plan
        self._stop = stop
        self._say = say
        self._approve = approve
        self._watch = watch
        self._table: TableDescription | None = None
        self._measured: Measured | None = None
        self._scratch_dropped: bool | None = None

    async def run(self) -> tuple[BenchSummary, DynaferryError | None]:
        """Measures; errors of ours are in what it returns."""
        came_to, error = await attempted(self._measure_a_table, cancel_when=self._over)
        return self._summary(self._status(came_to, error), error), error

    async def _over(self) -> None:
        """Asked once, no more requests are made; before there are any, it ends at once."""
        await self._stop.finish.wait()
        if self._measured is not None:
            await self._stop.cancel.wait()

    def _status(self, came_to: BenchStatus | None, error: DynaferryError | None) -> BenchStatus:
        if error is not None:
            return "failed" if self._measured else "refused"
        # Also where it was cancelled, and came to nothing.
        return "interrupted" if came_to is None or self._stop.asked else came_to

    async def _measure_a_table(self) -> BenchStatus:
        plan = self._plan
        async with open_account(
            plan.account, plan.side, sts_endpoint_url=plan.sts_endpoint_url
        ) as session:
            await report_leftovers(session, plan.account.endpoint_url, plan.state_dir, self._say)
            if plan.table is not None:
                table = self._table = await describe_table(session, plan.table)
                if not await self._agreed(place(table.arn)):
                    return "refused"
                return await self._measure(session, table)
            if not await self._agreed(f"in {session.region}, as {session.acting_as}"):
                return "refused"
            async with self._a_scratch_table(session) as table:
                self._table = table
                return await self._measure(session, table)

    async def _agreed(self, where: str) -> bool:
        return self._approve is None or await self._approve(question(self._plan, where))

    @asynccontextmanager
    async def _a_scratch_table(self, session: AccountSession) -> AsyncIterator[TableDescription]:
        """A table to measure, while this lasts."""
        note = new_note(session, self._plan.account.endpoint_url)
        self._scratch_dropped = False
        async with scratch_table(
            session,
            note,
            sort_key=self._plan.sort_key,
            state_dir=self._plan.state_dir,
            dropped=self._note_drop,
        ) as created:
            self._say(f"created the scratch table {note.table}")
            yield created
        self._say(f"dropped the scratch table {note.table}")

    def _note_drop(self) -> None:
        self._scratch_dropped = True

    async def _measure(self, session: AccountSession, table: TableDescription) -> BenchStatus:
        plan = self._plan
        patience = Patience(REQUEST_PATIENCE_SECONDS)
        async with open_client(
            session,
            table=table.called,
            endpoint=table.endpoint,
            connections=plan.workers,
            patience=patience,
        ) as client:
            measured = self._measured = Measured(
                plan, billed=table.billing_mode == "PAY_PER_REQUEST"
            )
            steps = self._steps(client, table, measured)
            retry = RetryPolicy(plan.side, patience)
            try:
                async with (
                    beside(partial(watched, self._watch, measured)),
                    anyio.create_task_group() as workers,
                ):
                    for _ in range(plan.workers):
                        workers.start_soon(self._work, steps(), retry, measured)
            finally:
                measured.ended_at = time.monotonic()
        if self._stop.asked:
            return "interrupted"
        return "cost_ceiling" if measured.cost.is_full else "complete"

    async def _work(self, steps: Iterator[Step], retry: RetryPolicy, measured: Measured) -> None:
        for step in steps:
            if self._is_over(measured):
                return
            await retry.call(partial(self._try, step, retry, measured))

    def _is_over(self, measured: Measured) -> bool:
        return self._stop.asked or measured.cost.is_full or measured.seconds >= self._plan.seconds

    async def _try(self, step: Step, retry: RetryPolicy, measured: Measured) -> None:
        if self._is_over(measured):
            return  # also where it would only be tried again
        started = time.monotonic()
        measured.requests += 1
        try:
            await step()
        except ThrottledError:
            measured.throttled_requests += 1
            raise
        measured.stopwatch.note(time.monotonic() - started)
        retry.progress()

    def _steps(
        self, client: DynamoClient, table: TableDescription, measured: Measured
    ) -> Callable[[], Iterator[Step]]:
        """What makes the steps of one worker."""
        if self._plan.kind == "write":
            return writes_of(self._plan, client, table, measured)
        return reads_of(self._plan, client, table, measured)

    def _summary(self, status: BenchStatus, error: DynaferryError | None) -> BenchSummary:
        summary = BenchSummary(
            bench=self._plan.kind,
            status=status,
            error=error_summary(error),
            table=self._table.name if self._table else self._plan.table,
            table_arn=self._table.arn if self._table else None,
            max_cost_dollars=self._plan.max_cost,
            scratch_dropped=self._scratch_dropped,
        )
        measured = self._measured
        return summary if measured is None else self._with_figures(summary, measured)

    def _with_figures(self, summary: BenchSummary, measured: Measured) -> BenchSummary:
        seconds, cost = measured.seconds, measured.cost
        return replace(
            summary,
            seconds=round(seconds, 3),
            items=measured.items,
            bytes=measured.bytes,
            units=round(cost.units, 1),
            requests=measured.requests,
            throttled_requests=measured.throttled_requests,
            unprocessed_items=measured.unprocessed_items,
            items_per_second=_rate(measured.items, seconds),
            units_per_second=_rate(cost.units, seconds),
            megabytes_per_second=_rate(measured.bytes / 1e6, seconds),
            latency_milliseconds=measured.stopwatch.latency(),
            cost_dollars=round(cost.dollars, 6),
            forecast=forecast(
                self._items_to_forecast(),
                measured_items=measured.items,
                seconds=seconds,
                units=cost.units,
                price_per_million=measured.price_per_million,
            ),
        )

    def _items_to_forecast(self) -> int:
        if self._plan.forecast_items is not None:
            return self._plan.forecast_items
        if self._plan.kind == "read" and self._table is not None and self._table.item_count:
            return self._table.item_count
        return FORECAST_ITEMS


def _rate(amount: float, seconds: float) -> float:
    return round(amount / seconds, 1) if seconds > 0 else 0.0


def question(plan: BenchPlan, where: str) -> str:
    """The question to a person: what is about to be done and spent, and where."""
    limits = f"for up to {plan.seconds:g} s and ${plan.max_cost:g}"
    if plan.kind == "read":
        return f"This reads the table {where} {limits}. Production may be reading it too."
    if plan.table is None:
        return f"This creates a scratch table {where}, writes to it {limits}, and drops it."
    return f"This writes synthetic items to the table {where} {limits}. They stay there."
