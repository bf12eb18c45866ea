"""A verification of two fake tables, put together as the real one is."""

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.records import (
    RunIdentity,
    TableIdentity,
)
from dynaferry.stop import StopSignal
from dynaferry.throttle.retry import Patience, RetryPolicy
from dynaferry.verify.assembly import TableTools, VerifyCaps, assemble
from dynaferry.verify.compare.side_reader import SideReader
from dynaferry.verify.compare.written_since import WrittenSince
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import ComparisonTotals, Difference, Verification
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.stats import ComparisonStats
from tests.worlds.fake_tables import KEY_OF, FakeTable


def plan_of(state_dir: Path, **settings: Any) -> VerifyPlan:
    copy = CopyPlan(tables=(TablePlan("orders", "orders-2"),), state_dir=state_dir, readers=2)
    return msgspec.structs.replace(VerifyPlan(copy=copy, settle_seconds=0), **settings)


def record_of(plan: VerifyPlan, total_segments: int) -> Verification:
    table = TableIdentity(
        source_arn="arn:source",
        source_table_id=None,
        source_endpoint="here",
        target_arn="arn:target",
        target_table_id=None,
        target_endpoint="there",
        total_segments=total_segments,
    )
    return Verification(
        run=plan.copy.run_name,
        identity=RunIdentity(tables=(table,)),
        sample_percent=None,
        seed=1,
        version="0",
        status="running",
        attempts=0,
        created_at=1.0,
        started_at=1.0,
    )


@asynccontextmanager
async def opened(plan: VerifyPlan, total_segments: int = 1) -> AsyncIterator[VerificationStore]:
    store = await VerificationStore.create(plan.copy.state_dir, record_of(plan, total_segments))
    try:
        yield store
    finally:
        await store.aclose()


def tools_of(
    plan: VerifyPlan,
    store: VerificationStore,
    source: FakeTable,
    target: FakeTable,
    *,
    stats: ComparisonStats | None = None,
    rejected: Collection[bytes] = (),
    written_since: WrittenSince | None = None,
    clock: Callable[[], float] = time.time,
    caps: VerifyCaps | None = None,
) -> TableTools:
    stats = stats or ComparisonStats("orders", "orders-2", segments_total=1)
    caps = caps or VerifyCaps(plan)

    async def no_wait(_: float) -> None:
        """A retry that a test causes needs no wait."""

    def reader(table: FakeTable, side: str) -> SideReader:
        return SideReader(
            table,
            table,
            stats,
            key_of=KEY_OF,
            limiter=caps.source.of_table(plan.copy.tables[0]).read_limiter(),
            retry=RetryPolicy(side, Patience(60), sleep=no_wait),
        )

    return assemble(
        plan,
        0,
        reader(source, "source"),
        reader(target, "target"),
        target,
        store=store,
        stats=stats,
        caps=caps,
        key_of=KEY_OF,
        target_arn="arn:target",
        rejected=rejected,
        written_since=written_since,
        clock=clock,
    )


async def compared(
    plan: VerifyPlan,
    source: FakeTable,
    target: FakeTable,
    *,
    segments: int = 1,
    rejected: Collection[bytes] = (),
    clock: Callable[[], float] = time.time,
) -> tuple[ComparisonTotals, list[Difference]]:
    """The totals and the differences after comparing all segments of two tables."""
    async with opened(plan, segments) as store:
        tools = tools_of(plan, store, source, target, rejected=rejected, clock=clock)
        assert await tools.comparison.compare(range(segments), StopSignal())
        return await store.read_totals(0), await store.read_differences(0, 10_000)
