"""What is known of a pass's writes at its end, whichever of its tables they went to."""

from typing import Any

import pytest

from dynaferry.errors import DynaferryError, UnavailableError
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.passes import one_pass
from dynaferry.follow.passes.one_pass import OnePass
from dynaferry.observe.summary import VerifyStatus
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run.lifecycle import say_nothing
from dynaferry.state.move_records import PassRecord
from dynaferry.stop import StopSignal
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats
from dynaferry.verify.summary import ComparisonSummary, VerifyOutcome, VerifySummary

NOW = 1_000.0
PLAN = CopyPlan(
    tables=(TablePlan("orders", "orders"), TablePlan("events", "events")),
    source=Account(),
    target=Account(),
)


def table(name: str, *, complete: int, **more: Any) -> ComparisonStats:
    return ComparisonStats(
        source=name, target=name, segments_total=4, segments_complete=complete, **more
    )


def repairing(**more: Any) -> ComparisonStats:
    return table("orders", complete=4, **more)


def reading(**more: Any) -> ComparisonStats:
    return table("events", complete=1, **more)


async def made(
    monkeypatch: pytest.MonkeyPatch,
    *tables: ComparisonStats,
    status: VerifyStatus = "interrupted",
    error: DynaferryError | None = None,
) -> PassRecord:
    """A pass of these tables that has come so far, and ended so."""
    summary = VerifySummary(
        run="orders",
        status=status,
        error=None,
        consistent_read=True,
        tables=tuple(
            ComparisonSummary(source=each.source, target=each.target, status=status)
            for each in tables
        ),
    )

    async def execute(*_: object, **__: object) -> VerifyOutcome:
        one._stats = ComparisonRunStats("orders", list(tables))
        return VerifyOutcome(summary, error)

    monkeypatch.setattr(one_pass, "execute", execute)
    begun = PassRecord(number=1, began_at=NOW)
    one = OnePass(PLAN, begun, StopSignal(), say_nothing, lambda: NOW)
    return await one.make()


async def test_a_repair_that_was_cut_short_is_waited_for_though_another_table_is_read_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = await made(monkeypatch, repairing(state="interrupted"), reading(state="interrupted"))
    assert record.may_land_until == NOW + LATE_WRITE_SECONDS
    error = UnavailableError("the service is away")
    record = await made(monkeypatch, reading(), repairing(state="failed"), error=error)
    assert record.may_land_until == NOW + LATE_WRITE_SECONDS


async def test_a_write_that_was_sent_again_is_waited_for_though_another_table_is_read_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent_again = repairing(state="complete", write_requests=3, retried_requests=1)
    assert (await made(monkeypatch, sent_again, reading())).may_land_until is not None


async def test_what_only_read_and_a_repair_that_was_answered_whole_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads_again = reading(state="interrupted", retried_requests=5)
    assert (await made(monkeypatch, reads_again)).may_land_until is None
    answered = repairing(state="complete", write_requests=3)
    assert (await made(monkeypatch, answered, reads_again)).may_land_until is None
    both = (answered, table("events", complete=4, state="complete"))
    assert (await made(monkeypatch, *both, status="equal")).may_land_until is None


async def test_it_may_have_written_once_any_table_repairs() -> None:
    pass_of_both = OnePass(PLAN, PassRecord(number=1, began_at=NOW), StopSignal(), say_nothing)
    assert not pass_of_both.may_have_written
    pass_of_both._stats.tables = [reading(), reading()]
    assert not pass_of_both.may_have_written
    pass_of_both._stats.tables = [reading(), repairing()]
    assert pass_of_both.may_have_written
