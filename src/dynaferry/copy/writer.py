"""Batch -> acknowledged.

A batch comes back from the service whole, in part, or refused. What was written is acknowledged at
once; a remainder, and only the remainder, is given back to its lane to be sent again. A refusal
says nothing about which item it means, so the batch is cut in two until the item stands alone;
that item becomes a dead letter. Only what is written or durably a dead letter is acknowledged
(invariant 1). Sending an item twice is safe: a put of a whole item has the same effect again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from msgspec import Raw

from dynaferry.copy.batch_group import MOST_IN_A_ROW, STEP_SECONDS, BatchGroup
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.measured import note_failed_write
from dynaferry.copy.pending_page import Batch, BatchClaim, claim_of, cut
from dynaferry.copy.rejects import RejectionLimit
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.errors import (
    DynaferryError,
    ItemRefusedError,
    RejectedItemError,
    RetryableError,
    ThrottledError,
    TooManyRejectedError,
    UnprocessedError,
)
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.observe.held_back import resource_in_words
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import OnReject
from dynaferry.ports import BatchExchange, BatchTarget, WriteResult
from dynaferry.shared.arn import resource_name
from dynaferry.state.store import DeadLetter, StateStore
from dynaferry.stop import StopSignal
from dynaferry.throttle.attribution import ThrottleAttribution, ThrottleScope
from dynaferry.throttle.limiter import REQUEST_SECONDS, WriteLimiter
from dynaferry.throttle.retry import RetryPolicy

OPERATION = "BatchWriteItem"
# How much the newest batch weighs in what the next one is expected to cost: indexes make it cost
# more than its size says, and the wire form is longer than what is charged.
NEWEST_BATCH_WEIGHT = 0.1
# How much a row's shortest request weighs in what one takes that does not wait for others. What is
# shorter than the least makes no row longer.
NEWEST_ROW_WEIGHT = 0.01
LEAST_REQUEST_SECONDS = STEP_SECONDS / MOST_IN_A_ROW


class Writer:
    """Writes the batches of one table. Any number of tasks may call it."""

    def __init__(
        self,
        target: BatchTarget,
        ledger: Ledger,
        queue: WriteQueue,
        stats: TableStats,
        *,
        table: int,
        store: StateStore,
        limiter: WriteLimiter,
        retry: RetryPolicy,
        rejections: RejectionLimit,
        on_reject: OnReject = "dead-letter",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._queue = queue
        self._stats = stats
        self._table = table
        self._store = store
        self._limiter = limiter
        self._retry = retry
        self._rejections = rejections
        self._on_reject = on_reject
        self._clock = clock
        self._monotonic = monotonic
        self._blame = ThrottleAttribution(now=monotonic())
        self._units_share = 1.0
        self._batch_units = float(BATCH_MAX_ITEMS)
        self._request_seconds = STEP_SECONDS

    @property
    def most_units_per_second(self) -> float:
        """The strictest cap on the writes; infinite without one."""
        return self._limiter.most_units_at_once / REQUEST_SECONDS

    def take_nowait(self, writers: int) -> BatchGroup | None:
        """The next batches of the lanes if there are any, for one of so many writers."""
        claim = self._queue.take_nowait(self._most_in_a_row(writers))
        return None if claim is None else self._row_of(claim)

    async def take(self, writers: int) -> BatchGroup | None:
        """The next batches of the lanes; None when there will be none."""
        claim = await self._queue.take(partial(self._most_in_a_row, writers))
        return None if claim is None else self._row_of(claim)

    def _most_in_a_row(self, writers: int) -> int:
        """How many batches to take at once: more than one only where nothing holds writes back, and
        where every other writer finds as many or they are soon sent.
        """
        waiting = self._queue.items_waiting // (BATCH_MAX_ITEMS * writers)
        soon_sent = STEP_SECONDS / self._request_seconds
        of_the_rate = self._limiter.most_units_in_a_row / self._batch_units
        return int(min(MOST_IN_A_ROW, max(waiting, soon_sent), of_the_rate)) or 1

    def _row_of(self, claim: BatchClaim) -> BatchGroup:
        """With what each is likely to consume: that is learnt from the batches before.

        A batch of large items is many seconds of a low rate: at one blow it would break a cap,
        and meet throttles that say nothing. So its lane has the rest of it again.
        """
        by_size = self._target.units_of(claim.sample.items)
        units = by_size * self._units_share
        most_units = min(
            self._limiter.most_units_in_a_batch,
            self._queue.most_units_at_once(claim.sample.segment),
        )
        if units <= most_units or claim.count > 1:
            return BatchGroup(claim, units, by_size)
        fitting, rest = cut(claim.sample, most_units / self._units_share, self._target.units_of)
        if rest is not None:
            self._queue.put_first(rest)
        return self._row_of_one(fitting)

    def _row_of_one(self, batch: Batch) -> BatchGroup:
        by_size = self._target.units_of(batch.items)
        return BatchGroup(claim_of(batch), by_size * self._units_share, by_size)

    def acquire_nowait(self, row: BatchGroup) -> bool:
        """Admits batches if nobody has to wait for it; says whether."""
        if not self._limiter.acquire_nowait(row.all_units, row.claim.count):
            return False
        self._queue.note_sent(row.segment, row.all_units)
        return True

    async def acquire(self, row: BatchGroup) -> None:
        """Returns when batches may be sent."""
        await self._limiter.acquire(row.all_units, row.claim.count)
        self._queue.note_sent(row.segment, row.all_units)

    async def write(self, row: BatchGroup, stop: StopSignal) -> int:
        """Sends admitted batches once, and gives back to their lane what is to be sent again.

        After an answer that is not whole, or when something holds writes back by then, the rest
        of them is given back unsent. Returns how many requests were sent.

        :raises RejectedItemError: an item was refused and the run is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        :raises StoppedError: the batch could not be written and no wait will help
        """
        try:
            try:
                with self._under_way(row, stop) as batches:
                    await self._target.write_batches(batches)
            except (RetryableError, ItemRefusedError) as error:
                left = await self._recover(row.last, error, stop)
            else:
                left = self._left_of(row)
            self._give_back(left)
        finally:
            self._queue.done()
        return row.answered + row.failed

    def _give_back(self, batches: Sequence[Batch]) -> None:
        for batch in reversed(batches):
            self._queue.give_back(batch)

    async def _recover(
        self, batch: Batch, error: RetryableError | ItemRefusedError, stop: StopSignal
    ) -> Sequence[Batch]:
        """What is to be sent again of a batch that has failed."""
        if isinstance(error, ItemRefusedError):
            self._retry.progress()
            return await self._isolate(batch, error)
        if isinstance(error, ThrottledError):
            self._retry.give_up_if_gone(error)
            return [batch]
        try:
            return await self._retry.again(error, partial(self._send_again, batch, stop))
        except (ThrottledError, ItemRefusedError) as last:
            return await self._recover(batch, last, stop)

    async def _send_again(self, batch: Batch, stop: StopSignal) -> Sequence[Batch]:
        row = self._row_of_one(batch)
        await self.acquire(row)
        with self._under_way(row, stop) as batches:
            await self._target.write_batches(batches)
        return self._left_of(row)

    @contextmanager
    def _under_way(self, row: BatchGroup, stop: StopSignal) -> Iterator[BatchExchange]:
        """Batches are sent meanwhile; what became of them is settled then, however it ends."""
        stats = self._stats
        stats.write_requests_in_flight += 1
        try:
            yield row.batches(self._monotonic, lambda: self._limiter.is_free and not stop.asked)
        except DynaferryError as error:
            self._note_failure(row, error)
            raise
        finally:
            stats.write_requests_in_flight -= 1
            stats.write_requests += row.answered + row.failed
            self._settle_unsent(row)
            if row.seconds:
                self._settle_whole(row)

    def _left_of(self, row: BatchGroup) -> Sequence[Batch]:
        """What is to be sent again of the last batch that was answered."""
        return () if row.left is None else self._settle_part(row, row.left)

    def _settle_unsent(self, row: BatchGroup) -> None:
        """What was not sent is there for others, while what has failed may take its time."""
        unsettled = row.claim.count - row.answered - row.failed
        if unsettled:
            self._limiter.settle(row.units * unsettled, 0.0, requests=unsettled)
        if unsent := row.claim.count - row.sent:
            self._queue.give_back_unsent(row.claim.uncut, unsent)
        if unsettled > unsent:  # cancelled: nothing is known of the last
            self._queue.give_back(row.last)

    def _settle_whole(self, row: BatchGroup) -> None:
        count = len(row.seconds)
        units, latency_seconds = row.units * count, sum(row.seconds) / count
        self._stats.batch_writes.note_all("ok", row.seconds)
        now = self._monotonic()
        self._blame.accepted(now, items=row.items_written, batches=count)
        self._limiter.settle(units, row.consumed, latency_seconds=latency_seconds, requests=count)
        self._queue.note_written(row.segment, units)
        if row.consumed is not None:
            share = row.consumed / (row.by_size * count)
            self._units_share += NEWEST_BATCH_WEIGHT * (share - self._units_share)
            self._stats.write_units += row.consumed
        self._batch_units = row.units
        self._note_request_seconds(min(row.seconds))
        self._retry.progress()
        self._acknowledge(row.segment, row.page, written=row.items_written)

    def _note_request_seconds(self, seconds: float) -> None:
        """What requests wait for each other is not in it: it falls at once, and rises slowly."""
        longer = max(0.0, seconds - self._request_seconds)
        shortest = max(LEAST_REQUEST_SECONDS, min(seconds, self._request_seconds))
        self._request_seconds = shortest + NEWEST_ROW_WEIGHT * longer

    def _settle_part(self, row: BatchGroup, result: WriteResult) -> Sequence[Batch]:
        """What was written of a batch is acknowledged; the remainder is returned."""
        batch, now, latency_seconds = row.last, self._monotonic(), row.left_seconds
        self._stats.batch_writes.note("unprocessed", latency_seconds)
        left = self._target.units_of(result.unprocessed) * self._units_share
        self._stats.throttled_at = self._clock()
        verdict = self._blame.left_undone(
            batch.segment,
            now,
            segments=self._queue.segments,
            items=len(batch.items),
            undone=len(result.unprocessed),
        )
        if verdict.undone_share:
            self._stats.bottleneck = _in_words(verdict)
            if verdict.is_news:
                self._limiter.lift_holds()
        else:
            self._queue.note_throttled(batch.segment, now, for_itself=verdict.segment)
        self._limiter.settle(
            row.units,
            result.consumed_units,
            refused=left if verdict.table else 0.0,
            latency_seconds=latency_seconds,
        )
        self._queue.note_written(batch.segment, row.units - left)
        return self._remainder_of(batch, result)

    # What became of it ---------------------------------------------------------------------------

    def _remainder_of(self, batch: Batch, result: WriteResult) -> Sequence[Batch]:
        self._stats.write_units += result.consumed_units or 0.0
        self._stats.unprocessed_items += len(result.unprocessed)
        self._stats.retried_requests += 1
        written = len(batch.items) - len(result.unprocessed)
        if written:
            self._retry.progress()
            self._acknowledge(batch.segment, batch.page, written=written)
        else:
            self._retry.give_up_if_gone(_unprocessed(batch))
        return [Batch(batch.segment, batch.page, result.unprocessed)]

    def _note_failure(self, row: BatchGroup, error: DynaferryError) -> None:
        seconds, batch = row.fail(), row.last
        note_failed_write(self._stats, error, batch.items, seconds)
        if isinstance(error, ThrottledError):
            self._note_throttle(batch, row.units, error)
        elif isinstance(error, RetryableError | ItemRefusedError):
            self._stats.retried_requests += isinstance(error, RetryableError)
            self._limiter.settle(row.units, None)

    def _note_throttle(self, batch: Batch, units: float, error: ThrottledError) -> None:
        self._stats.retried_requests += 1
        self._stats.note_throttle(OPERATION, error.words)
        self._stats.throttled_at = self._clock()
        now = self._monotonic()
        verdict = self._judge(batch, error, now)
        if verdict.table:
            self._limiter.throttled(error, units)
        else:
            self._limiter.settle(units, 0.0)
        self._queue.note_throttled(batch.segment, now, for_itself=verdict.segment)

    def _judge(self, batch: Batch, error: ThrottledError, now: float) -> ThrottleScope:
        verdict = self._blame.refused(
            batch.segment, error.reasons, now, segments=self._queue.segments
        )
        if verdict.resource is not None:
            self._stats.bottleneck = _in_words(verdict)
        return verdict

    def _acknowledge(self, segment: int, page: int, *, written: int = 0, rejected: int = 0) -> None:
        is_complete = self._ledger.acknowledge(segment, page, written=written, rejected=rejected)
        self._stats.items_written += written
        self._stats.items_rejected += rejected
        if is_complete:
            self._stats.segments_complete = self._ledger.complete_segments
            self._queue.forget(segment)

    # Refused for what it is ----------------------------------------------------------------------

    async def _isolate(self, batch: Batch, error: ItemRefusedError) -> Sequence[Batch]:
        """Cuts a refused batch in two; an item that stands alone is set aside."""
        if len(batch.items) > 1:
            half = len(batch.items) // 2
            halves = (batch.items[:half], batch.items[half:])
            return [Batch(batch.segment, batch.page, items) for items in halves]
        await self._set_aside(batch, batch.items[0], error)
        self._acknowledge(batch.segment, batch.page, rejected=1)
        return []

    async def _set_aside(self, batch: Batch, item: Raw, error: ItemRefusedError) -> None:
        key = self._target.key_of(item)
        if self._on_reject == "stop":
            raise self._stopped_by(batch, item, error)
        if not self._rejections.allows(1):
            raise self._stopped_by_many(batch, item, error)
        letter = DeadLetter(
            table=self._table,
            segment=batch.segment,
            page=batch.page,
            key=key,
            item=bytes(item),
            error_code=error.code,
            error_message=error.message,
            time=self._clock(),
        )
        await self._store.add_dead_letters([letter])

    def _stopped_by(self, batch: Batch, item: Raw, error: ItemRefusedError) -> RejectedItemError:
        return RejectedItemError(
            f"the target {self._stats.target} refused the item {self._words(item, error)}",
            hint="mend the item or the target's schema, or go on with --on-reject dead-letter",
            operation=OPERATION,
            table=self._stats.target,
            segment=batch.segment,
        )

    def _stopped_by_many(
        self, batch: Batch, item: Raw, error: ItemRefusedError
    ) -> TooManyRejectedError:
        return TooManyRejectedError(
            f"more than {self._rejections.most:,} items were refused, at last by the target "
            f"{self._stats.target} the item {self._words(item, error)}",
            hint="so many speak of a wrong target, not of bad items: compare its keys and indexes "
            "with the source's; the same command goes on, and --max-rejected sets more aside",
            operation=OPERATION,
            table=self._stats.target,
            segment=batch.segment,
        )

    def _words(self, item: Raw, error: ItemRefusedError) -> str:
        return (
            f"{self._target.key_of(item).decode('utf-8', 'replace')}: {error.code}: {error.message}"
        )


def _unprocessed(batch: Batch) -> UnprocessedError:
    return UnprocessedError(
        f"{OPERATION} left all of {len(batch.items)} items unprocessed, without a reason",
        operation=OPERATION,
    )


def _in_words(verdict: ThrottleScope) -> str:
    return resource_in_words(
        resource_name(verdict.resource or ""),
        is_index=verdict.is_index,
        is_table=verdict.table,
        undone_share=verdict.undone_share,
    )
