"""Puts one table's copy together, from any source to any target, with the settings of a plan."""

import math
from functools import partial
from typing import NamedTuple, Self

from dynaferry.control.run_limits import RunCaps, TableCaps
from dynaferry.copy.checkpoint import Checkpointer
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.limiters import Limiters
from dynaferry.copy.measured import MeasuredSource
from dynaferry.copy.pages_ahead import PagesAhead
from dynaferry.copy.pipeline import Pipeline
from dynaferry.copy.reader import Reader
from dynaferry.copy.rejects import RejectedItems, RejectionLimit
from dynaferry.copy.segment_order import SegmentQueue
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.copy.writer import Writer
from dynaferry.errors import ThrottledError
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.ports import BatchTarget, PageSource
from dynaferry.state.store import CheckpointStore
from dynaferry.throttle.concurrency_limit import Concurrency
from dynaferry.throttle.retry import Patience, RetryPolicy
from dynaferry.throttle.worker_pool import WorkerPool


class SidePatience(NamedTuple):
    """How long each side of a table may accept nothing."""

    source: Patience
    target: Patience

    @classmethod
    def of(cls, plan: CopyPlan, caps: TableCaps) -> Self:
        """As long as the plan says."""
        seconds = plan.patience_seconds
        return cls(caps.patience(seconds), caps.patience(seconds))


def assemble(
    plan: CopyPlan,
    table: int,
    source: PageSource,
    target: BatchTarget,
    ledger: Ledger,
    store: CheckpointStore,
    stats: TableStats,
    caps: RunCaps,
    *,
    rejections: RejectionLimit | None = None,
    most_read_units: float = math.inf,
    item_bytes: float = 0.0,
    patience: SidePatience | None = None,
) -> Pipeline:
    """The pipeline from any source to any target, with the plan's settings.

    `rejections` is what the tables of a run share, None where there is but this one. Unless a cap
    is given, the source is read with at most `most_read_units` a second. `item_bytes` is the size
    of an average item, 0 where nobody knows.
    """
    own = caps.of_table(plan.tables[table])
    parts = _Parts(plan, ledger, stats, caps, patience or SidePatience.of(plan, own))
    limiters = parts.limiters(table, most_read_units)
    queue = WriteQueue(ledger.total_segments, clock=caps.clock)
    rejected_items = RejectedItems(
        store,
        table=table,
        target=stats.target,
        key_of=target.key_of,
        limit=rejections or RejectionLimit(plan.max_rejected),
        on_reject=plan.on_reject,
    )
    reader = parts.reader(source, limiters, item_bytes)
    writer = parts.writer(target, queue, limiters, rejected_items)
    return parts.pipeline(table, store, limiters, queue, reader, writer)


class _Parts(NamedTuple):
    """Makes the parts of one table's pipeline, which share these."""

    plan: CopyPlan
    ledger: Ledger
    stats: TableStats
    caps: RunCaps
    patience: SidePatience

    def limiters(self, table: int, most_read_units: float) -> Limiters:
        own = self.plan.tables[table]
        given = own.max_read_units or self.plan.max_read_units
        ceiling = math.inf if given else most_read_units
        if ceiling < math.inf:
            self.stats.read_limit_reason = "half of the source's provisioned read units"
        caps = self.caps.of_table(own)
        return Limiters(caps.read_limiter(ceiling), caps.write_limiter())

    def reader(self, source: PageSource, limiters: Limiters, item_bytes: float) -> Reader:
        return Reader(
            MeasuredSource(source, self.stats),
            self.ledger,
            self.stats,
            limiter=limiters.read,
            retry=RetryPolicy("source", self.patience.source),
            item_bytes=item_bytes,
            requests=self.plan.readers,
            monotonic=self.caps.clock,
        )

    def writer(
        self,
        target: BatchTarget,
        queue: WriteQueue,
        limiters: Limiters,
        rejected_items: RejectedItems,
    ) -> Writer:
        return Writer(
            target,
            self.ledger,
            queue,
            self.stats,
            limiter=limiters.write,
            retry=RetryPolicy("target", self.patience.target, passing=(ThrottledError,)),
            rejected_items=rejected_items,
            monotonic=self.caps.clock,
        )

    def pipeline(
        self,
        table: int,
        store: CheckpointStore,
        limiters: Limiters,
        queue: WriteQueue,
        reader: Reader,
        writer: Writer,
    ) -> Pipeline:
        plan, ledger, stats, clock = self.plan, self.ledger, self.stats, self.caps.clock
        return Pipeline(
            segments=SegmentQueue(ledger.total_segments, ledger.segments_to_read()),
            limiters=limiters,
            ledger=ledger,
            queue=queue,
            reader=reader,
            writer=writer,
            crew=WorkerPool(Concurrency(plan.writers, now=clock()), clock=clock),
            checkpointer=Checkpointer(
                store,
                ledger,
                stats,
                table=table,
                before_each=partial(limiters.note_rates, stats),
                monotonic=clock,
            ),
            pages_ahead=PagesAhead(
                reader, ledger, queue, stats, limiters, scans=plan.readers, monotonic=clock
            ),
            stats=stats,
            readers=plan.readers,
        )
