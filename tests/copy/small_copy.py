"""A copy of one small table from a fake source to a fake target, with a real state file."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pipeline import Pipeline
from dynaferry.copy.rejects import RejectionLimit
from dynaferry.observe.stats import TableStats
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.ports import BatchTarget, PageSource
from dynaferry.run.assembly import assemble
from dynaferry.state.directory import state_path
from dynaferry.state.records import (
    RunIdentity,
    TableIdentity,
    TableTotals,
)
from dynaferry.state.sqlite.store import SqliteStore

RUN = "small"


@dataclass(slots=True)
class SmallCopy:
    """One attempt: its pipeline, and what it reads and writes its state with."""

    pipeline: Pipeline
    store: SqliteStore
    stats: TableStats
    caps: RunCaps

    async def totals(self) -> TableTotals:
        """The counts that are stored."""
        return await self.store.read_totals(0)


def small_plan(state_dir: Path, **settings: object) -> CopyPlan:
    """The plan of the small copy."""
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),), state_dir=state_dir, run=RUN)
    return replace(plan, **settings)


def small_identity(total_segments: int) -> RunIdentity:
    """The identity of the small copy."""
    table = TableIdentity(
        source_arn="arn:source",
        source_table_id=None,
        source_endpoint="http://source",
        target_arn="arn:target",
        target_table_id=None,
        target_endpoint="http://target",
        total_segments=total_segments,
    )
    return RunIdentity(tables=(table,))


@asynccontextmanager
async def small_copy(
    plan: CopyPlan,
    source: PageSource,
    target: BatchTarget,
    total_segments: int,
    *,
    store_type: type[SqliteStore] = SqliteStore,
) -> AsyncIterator[SmallCopy]:
    """An attempt, new or resumed, as `dynaferry.run.copy_tables` would put it together."""
    if state_path(plan.state_dir, RUN).exists():  # a test's own disk
        store = await store_type.open(plan.state_dir, RUN)
    else:
        identity, settings = small_identity(total_segments), recorded_settings(plan)
        store = await store_type.create(plan.state_dir, RUN, identity, settings, "0", 0.0)
    try:
        await store.begin_attempt("0", 0.0)
        totals = await store.read_totals(0)
        stats = TableStats(
            source="orders",
            target="orders",
            segments_total=total_segments,
            items_written=totals.items_written,
            items_rejected=totals.items_rejected,
        )
        ledger = Ledger(total_segments, await store.read_segments(0))
        caps = RunCaps(plan)
        rejections = RejectionLimit(plan.max_rejected, so_far=totals.items_rejected)
        pipeline = assemble(
            plan, 0, source, target, ledger, store, stats, caps, rejections=rejections
        )
        yield SmallCopy(pipeline, store, stats, caps)
    finally:
        await store.aclose()


def pages_of(segment: int, sizes: Sequence[int]) -> list[list[str]]:
    """Pages of keys that name their place: `s2-p0-7`."""
    return [[f"s{segment}-p{p}-{i}" for i in range(size)] for p, size in enumerate(sizes)]
