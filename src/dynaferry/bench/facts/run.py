"""A measurement of the service, from the first scratch table to the file of facts.

1 `new_table`       three tables are made, and each is written to from when it is ACTIVE on
2 `hash_order`      the same keys in two of them, scanned
3 `packing`         items of growing sizes, read with gzip
4 `refused_batch`   too much for the one that has next to no capacity
5 `record_delay`    a stream is enabled; changes, and when each shows
6 `shard_reads`     one shard, at the rate of a follower and faster
7 `closing`         more changes, the stream disabled at once, all that it holds; three times
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import anyio.to_thread
from msgspec import Struct

from dynaferry._version import __version__
from dynaferry.bench.facts import verdicts
from dynaferry.bench.facts.hash_order import measure_hash_order
from dynaferry.bench.facts.new_table import NewTableFound, watch_new_table
from dynaferry.bench.facts.packing import measure_packing
from dynaferry.bench.facts.refused_batch import CAPACITY, measure_refused_batches
from dynaferry.bench.facts.settings import FactsPlan, FactsSummary
from dynaferry.bench.facts.spending import Spending
from dynaferry.bench.facts.stream_facts import measure_stream
from dynaferry.bench.facts.subject import Subject, open_subject
from dynaferry.bench.run import Approve
from dynaferry.bench.scratch import new_note, report_leftovers, scratch_table
from dynaferry.bench.settings import BenchStatus
from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.environment.settings import whose_endpoint
from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.errors import DynaferryError
from dynaferry.run.lifecycle import Say, attempted, ended_by, error_summary
from dynaferry.shared.arn import arn_account, arn_region
from dynaferry.state.facts_file import Fact, ServiceFacts, write_facts
from dynaferry.stop import StopSignal


class _Tables(Struct, frozen=True):
    """The scratch tables: two on demand, and one with next to no capacity."""

    first: Subject
    second: Subject
    narrow: Subject
    found: Sequence[NewTableFound]


class FactsBench:
    """One measurement."""

    def __init__(
        self, plan: FactsPlan, *, stop: StopSignal, say: Say, approve: Approve | None = None
    ) -> None:
        self._plan = plan
        self._stop = stop
        self._say = say
        self._approve = approve
        self._spending = Spending(plan)
        self._facts: dict[str, Fact] = {}
        self._made = self._dropped = 0
        self._began = time.monotonic()
        self._measured: ServiceFacts | None = None
        self._file: str | None = None

    async def run(self) -> tuple[FactsSummary, DynaferryError | None]:
        """Measures; errors of ours are in what it returns. A stop drops the tables, and leaves an
        earlier file as it is.
        """
        came_to, error = await attempted(self._attempt, cancel_when=self._stop.finish.wait)
        summary = FactsSummary(
            status=self._status(came_to, error),
            error=error_summary(error),
            seconds=round(time.monotonic() - self._began, 1),
            cost_dollars=round(self._spending.dollars, 6),
            max_cost_dollars=self._plan.max_cost,
            scratch_dropped=None if not self._made else self._dropped == self._made,
            file=self._file,
            facts=self._measured,
        )
        return summary, error

    def _status(self, came_to: BenchStatus | None, error: DynaferryError | None) -> BenchStatus:
        if error is not None:
            return "failed" if self._made else "refused"
        return came_to or "interrupted"

    async def _attempt(self) -> BenchStatus:
        plan = self._plan
        async with open_account(
            plan.account, "source", sts_endpoint_url=plan.sts_endpoint_url
        ) as session:
            await report_leftovers(session, plan.account.endpoint_url, plan.state_dir, self._say)
            if self._approve is not None and not await self._approve(question(plan, session)):
                return "refused"
            async with AsyncExitStack() as stack:
                tables = await self._make_tables(stack, session)
                await self._measure(tables)
            await self._keep(tables.first.table)
        return "cost_ceiling" if self._spending.is_full else "complete"

    async def _make_tables(self, stack: AsyncExitStack, session: AccountSession) -> _Tables:
        found: list[NewTableFound] = []

        async def make(provisioned: Throughput | None = None) -> Subject:
            return await stack.enter_async_context(self._subject(session, found, provisioned))

        self._spending.provisioned_hour(CAPACITY.write_units, CAPACITY.read_units)
        return _Tables(await make(), await make(), await make(CAPACITY), found)

    @asynccontextmanager
    async def _subject(
        self,
        session: AccountSession,
        found: list[NewTableFound],
        provisioned: Throughput | None,
    ) -> AsyncIterator[Subject]:
        """A scratch table, watched from when it is ACTIVE on."""
        plan, note = self._plan, new_note(session, self._plan.account.endpoint_url)
        created_at = time.monotonic()
        self._made += 1
        async with scratch_table(
            session,
            note,
            provisioned=provisioned,
            state_dir=plan.state_dir,
            dropped=self._note_drop,
        ) as table:
            self._say(f"created the scratch table {note.table}")
            async with open_subject(
                session, table, self._spending, plan.patience_seconds
            ) as subject:
                watch = partial(watch_new_table, subject, created_at=created_at)
                found.append(await watch(for_seconds=plan.seconds))
                yield subject
        self._say(f"dropped the scratch table {note.table}")

    def _note_drop(self) -> None:
        self._dropped += 1

    async def _measure(self, tables: _Tables) -> None:
        """Each by itself: what cannot be measured keeps nothing else from being measured."""
        plan = self._plan
        self._facts[verdicts.NEW_TABLE] = verdicts.of_new_tables(tables.found)

        async def order() -> list[Fact]:
            return [verdicts.of_hash_order(await measure_hash_order(tables.first, tables.second))]

        async def packing() -> list[Fact]:
            one = tables.second
            opened = open_subject(
                one.session, one.table, self._spending, plan.patience_seconds, accepts_gzip=True
            )
            async with opened as subject:
                return [verdicts.of_packing(await measure_packing(subject))]

        async def refused() -> list[Fact]:
            batches = await measure_refused_batches(tables.narrow, plan.seconds)
            return [verdicts.of_refused_batches(batches)]

        await self._take("the order of keys in two tables", (verdicts.ORDER,), order)
        await self._take("gzip responses", (verdicts.PACKING,), packing)
        await self._take("refused batches", (verdicts.REFUSED,), refused)
        await measure_stream(plan, tables.first, self._take, self._say)

    async def _take(
        self, what: str, names: Sequence[str], measure: Callable[[], Awaitable[list[Fact]]]
    ) -> None:
        """Takes in what `measure` finds, or why these facts could not be measured."""
        self._say(f"measures {what}")

        async def work() -> None:
            for fact in await measure():
                self._facts[fact.name] = fact

        error = await ended_by(work)
        if error is not None:
            for name in names:
                self._facts.setdefault(name, verdicts.not_measured(name, error.message))

    async def _keep(self, table: TableDescription) -> None:
        """Puts the file in its place."""
        nobody_knows = "it was not come to"
        self._measured = ServiceFacts(
            account=arn_account(table.arn) or "",
            region=arn_region(table.arn) or "",
            service=whose_endpoint(table.endpoint),
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            dynaferry=__version__,
            facts=[
                self._facts.get(name) or verdicts.not_measured(name, nobody_knows)
                for name in verdicts.ASSUMPTIONS
            ],
        )
        path = await anyio.to_thread.run_sync(write_facts, self._plan.state_dir, self._measured)
        self._file = str(path)


def question(plan: FactsPlan, session: AccountSession) -> str:
    """The question to a person: what is about to be done and spent, and where."""
    return (
        f"This creates three scratch tables in {session.region}, as {session.acting_as}, writes to"
        f" them, enables and disables the stream of one, for some minutes and up to"
        f" ${plan.max_cost:g}, and drops them."
    )
