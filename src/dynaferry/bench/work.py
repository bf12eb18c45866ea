"""The requests of a benchmark, and what was measured so far."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice, repeat

from dynaferry.bench.items import synthetic_items
from dynaferry.bench.meter import CostMeter, Stopwatch
from dynaferry.bench.settings import BenchPlan
from dynaferry.copy.segment_order import spread
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import RetryableError, ThrottledError, UnprocessedError
from dynaferry.limits import BATCH_MAX_ITEMS, BATCH_TARGET_BYTES
from dynaferry.preflight.segment_count import segment_count

Step = Callable[[], Awaitable[None]]  # one request


class Measured:
    """What was measured so far; the display reads it."""

    def __init__(self, plan: BenchPlan, *, billed: bool) -> None:
        # What is provisioned is paid by the hour, used or not.
        self.price_per_million = plan.price_per_million if billed else 0.0
        self.cost = CostMeter(plan.max_cost, self.price_per_million)
        self.stopwatch = Stopwatch()
        self.items = self.bytes = self.requests = 0
        self.throttled_requests = self.unprocessed_items = 0
        self.started_at = time.monotonic()
        self.ended_at: float | None = None

    @property
    def seconds(self) -> float:
        """The seconds since the first request."""
        return (self.ended_at or time.monotonic()) - self.started_at


def writes_of(
    plan: BenchPlan, client: DynamoClient, table: TableDescription, measured: Measured
) -> Callable[[], Iterator[Step]]:
    """The writes of batches without end."""
    target = BatchWriteTarget(
        client, table=table.called, keys=KeyReader([key.name for key in table.keys])
    )
    items = synthetic_items(table.keys, plan.item_bytes, secrets.token_hex(4))
    per_batch = max(1, min(BATCH_MAX_ITEMS, BATCH_TARGET_BYTES // plan.item_bytes))

    async def write() -> None:
        batch = list(islice(items, per_batch))
        expected = target.units_of(batch)
        if not measured.cost.reserve(expected):
            return
        consumed = 0.0
        try:
            result = await target.write_batch(batch)
            consumed = expected if result.consumed_units is None else result.consumed_units
        except RetryableError as error:
            # Where no response came, it may have been written and billed.
            consumed = 0.0 if isinstance(error, ThrottledError) else expected
            raise
        finally:
            measured.cost.settle(expected, consumed)
        measured.unprocessed_items += len(result.unprocessed)
        measured.items += len(batch) - len(result.unprocessed)
        measured.bytes += (len(batch) - len(result.unprocessed)) * plan.item_bytes
        if result.unprocessed:
            # Without a reason, but most likely for the rate: wait before the next.
            raise UnprocessedError(
                f"BatchWriteItem left {len(result.unprocessed)} of {len(batch)} items unprocessed",
                operation="BatchWriteItem",
            )

    return lambda: repeat(write)


def reads_of(
    plan: BenchPlan, client: DynamoClient, table: TableDescription, measured: Measured
) -> Callable[[], Iterator[Step]]:
    """The reads of pages of segments from all over the table, until all are read."""
    total = segment_count(
        size_bytes=table.size_bytes,
        item_count=table.item_count,
        readers=plan.workers,
        requested=None,
    )
    source = ScanSource(
        client, table=table.called, total_segments=total, consistent_read=plan.consistent_read
    )
    segments = spread(total)

    def steps() -> Iterator[Step]:
        for segment in segments:
            reading = _SegmentReading(source, segment, measured)
            while not reading.is_over:
                yield reading.read_page

    return steps


class _SegmentReading:
    """Reads one segment, page by page."""

    def __init__(self, source: ScanSource, segment: int, measured: Measured) -> None:
        self.is_over = False
        self._source = source
        self._segment = segment
        self._measured = measured
        self._start_key: bytes | None = None

    async def read_page(self) -> None:
        """Reads the next page, if its cost is within the ceiling."""
        expected, measured = self._source.full_page_units, self._measured
        if not measured.cost.reserve(expected):
            return
        consumed = 0.0
        try:
            page = await self._source.read_page(self._segment, self._start_key)
            consumed = expected if page.consumed_units is None else page.consumed_units
        finally:
            measured.cost.settle(expected, consumed)
        measured.items += page.scanned_count
        measured.bytes += page.body_bytes
        self._start_key = page.last_evaluated_key
        self.is_over = self._start_key is None
