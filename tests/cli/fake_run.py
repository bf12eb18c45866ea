"""A `dynaferry.run.copy_tables` that copies nothing: it tells the outcome that a test wants."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import ModuleType

import pytest

from dynaferry.cli.failure import summarize
from dynaferry.errors import DynaferryError
from dynaferry.observe.next_steps import Commands, next_steps
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunStatus, RunSummary, TableSummary
from dynaferry.plan.resume_command import Invocation, typed_again
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.outcome import Outcome
from dynaferry.stop import StopSignal

Say = Callable[[str], None]
Watch = Callable[[RunStats], Awaitable[None]]


@dataclass
class FakeRun:
    """What `execute` and `dry_run` do, and what they were asked for."""

    status: RunStatus = "complete"
    error: DynaferryError | None = None
    raises: BaseException | None = None
    rejected: int = 0
    tables: int = 1
    while_copying: Callable[[StopSignal], Awaitable[None]] | None = None
    preflights: tuple[TablePreflight, ...] = ()
    plans: list[CopyPlan] = field(default_factory=list)
    watched: list[Watch | None] = field(default_factory=list)
    invocations: list[Invocation | None] = field(default_factory=list)

    async def execute(
        self,
        plan: CopyPlan,
        *,
        stop: StopSignal | None = None,
        watch: Watch | None = None,
        say: Say | None = None,
        invocation: Invocation | None = None,
    ) -> Outcome:
        self.plans.append(plan)
        self.invocations.append(invocation)
        self.watched.append(watch)
        if say is not None:
            say("a notice for eyes")
        if self.raises is not None:
            raise self.raises
        if self.while_copying is not None and stop is not None:
            await self.while_copying(stop)
        return Outcome(self.summary(plan), self.error)

    async def dry_run(
        self, plan: CopyPlan, *, say: Say | None = None
    ) -> tuple[TablePreflight, ...]:
        self.plans.append(plan)
        if self.error is not None:
            raise self.error
        return self.preflights

    @property
    def _commands(self) -> Commands:
        invocation = self.invocations[-1] if self.invocations else None
        return Commands(**typed_again(None if invocation is None else invocation.command))

    def summary(self, plan: CopyPlan) -> RunSummary:
        error = None if self.error is None else summarize(self.error)
        if self.status == "refused":
            tables = (TableSummary(source="orders", target="orders", status="refused"),)
            return RunSummary(run=plan.run_name, status="refused", error=error, tables=tables)
        table = TableSummary(
            source="orders",
            target="orders",
            status=self.status,
            items_read=1000 + self.rejected,
            items_written=1000,
            items_rejected=self.rejected,
            segments_total=8,
            segments_complete=8,
            seconds=2.0,
            items_per_second=500.0,
        )
        copied = (table,) * self.tables
        return RunSummary(
            run=plan.run_name,
            status=self.status,
            error=error,
            tables=copied,
            next_steps=next_steps(plan.run_name, copied, (), self._commands),
        )


def put_in(monkeypatch: pytest.MonkeyPatch, fake: FakeRun) -> None:
    """Puts the fake where the command line imports `dynaferry.run.copy_tables` from."""
    module = ModuleType("dynaferry.run.copy_tables")
    module.execute = fake.execute  # type: ignore[attr-defined]
    module.dry_run = fake.dry_run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dynaferry.run.copy_tables", module)
