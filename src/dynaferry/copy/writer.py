"""Batch -> acknowledged.

A batch comes back from the service whole, in part, or refused. A remainder is sent again, and
only the remainder. A refusal says nothing about which item it means, so the batch is cut in two
until the item stands alone; that item becomes a dead letter. Only when every item is written or
durably a dead letter is the batch acknowledged (invariant 1). Sending an item twice is safe: a
put of a whole item has the same effect again.
"""

import time
from collections.abc import Callable, Sequence

from msgspec import Raw, Struct

from dynaferry.copy.batcher import Batch
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.rejections import RejectionLimit
from dynaferry.errors import (
    ItemRefusedError,
    RejectedItemError,
    RetryableError,
    ThrottledError,
    TooManyRejectedError,
    UnprocessedError,
)
from dynaferry.observe.stats import TableStats
from dynaferry.plan import OnReject
from dynaferry.ports import BatchTarget
from dynaferry.state.store import DeadLetter, StateStore
from dynaferry.throttle.pace import Pace
from dynaferry.throttle.retry import RetryPolicy


class _Refusal(Struct, frozen=True):
    item: Raw
    error: ItemRefusedError


class Writer:
    """Writes the batches of one table. Any number of tasks may call it."""

    def __init__(
        self,
        target: BatchTarget,
        ledger: Ledger,
        stats: TableStats,
        *,
        table: int,
        store: StateStore,
        pace: Pace,
        retry: RetryPolicy,
        rejections: RejectionLimit,
        on_reject: OnReject = "dead-letter",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._stats = stats
        self._table = table
        self._store = store
        self._pace = pace
        self._retry = retry
        self._rejections = rejections
        self._on_reject = on_reject
        self._clock = clock

    async def write(self, batch: Batch) -> None:
        """Returns when the batch is acknowledged.

        :raises RejectedItemError: an item was refused and the run is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        :raises StoppedError: the batch could not be written and no wait will help
        """
        refusals = await self._put(batch.items)
        if refusals:
            await self._set_aside(batch, refusals)
        self._ledger.acknowledge(batch, rejected=len(refusals))
        self._stats.items_written += len(batch.items) - len(refusals)
        self._stats.items_rejected += len(refusals)
        self._stats.segments_complete = self._ledger.complete_segments

    async def _put(self, items: Sequence[Raw]) -> list[_Refusal]:
        """Writes what the target takes and returns what it refuses."""
        remaining = items

        async def send_remaining() -> None:
            nonlocal remaining
            taken_from = remaining
            remaining = await self._send(taken_from)
            if remaining:
                raise _unprocessed(remaining, taken_from)

        try:
            await self._retry.call(send_remaining)
        except ItemRefusedError as error:
            if len(remaining) == 1:
                return [_Refusal(remaining[0], error)]
            half = len(remaining) // 2
            return [*await self._put(remaining[:half]), *await self._put(remaining[half:])]
        return []

    async def _send(self, items: Sequence[Raw]) -> Sequence[Raw]:
        """Sends the items once and returns those that must be sent again."""
        admitted = self._target.units_of(items)
        await self._pace.admit(admitted)
        self._stats.write_requests += 1
        try:
            result = await self._target.write_batch(items)
        except RetryableError as error:
            self._note_retry(error, admitted)
            raise
        except ItemRefusedError:
            self._pace.settle(admitted, None)
            self._retry.progress()
            raise
        self._pace.settle(admitted, result.consumed_units)
        self._stats.write_units += result.consumed_units or 0.0
        if len(result.unprocessed) < len(items):
            self._retry.progress()
        if result.unprocessed:
            self._stats.unprocessed_items += len(result.unprocessed)
            self._stats.retried_requests += 1
        return result.unprocessed

    def _note_retry(self, error: RetryableError, admitted: float) -> None:
        self._stats.retried_requests += 1
        if isinstance(error, ThrottledError):
            self._stats.throttled_requests += 1
            self._pace.throttled(error, admitted)
        else:
            self._pace.settle(admitted, None)

    async def _set_aside(self, batch: Batch, refusals: Sequence[_Refusal]) -> None:
        if self._on_reject == "stop":
            raise self._stopped_by(batch, refusals[0])
        if not self._rejections.allows(len(refusals)):
            raise self._stopped_by_many(batch, refusals[0])
        now = self._clock()
        await self._store.add_dead_letters(
            [
                DeadLetter(
                    table=self._table,
                    segment=batch.segment,
                    page=batch.page,
                    key=self._target.key_of(refusal.item),
                    item=bytes(refusal.item),
                    error_code=refusal.error.code,
                    error_message=refusal.error.message,
                    time=now,
                )
                for refusal in refusals
            ]
        )

    def _stopped_by(self, batch: Batch, refusal: _Refusal) -> RejectedItemError:
        return RejectedItemError(
            f"the target {self._stats.target} refused the item {self._words(refusal)}",
            hint="mend the item or the target's schema, or go on with --on-reject dead-letter",
            operation="BatchWriteItem",
            table=self._stats.target,
            segment=batch.segment,
        )

    def _stopped_by_many(self, batch: Batch, refusal: _Refusal) -> TooManyRejectedError:
        return TooManyRejectedError(
            f"more than {self._rejections.most:,} items were refused, at last by the target "
            f"{self._stats.target} the item {self._words(refusal)}",
            hint="so many speak of a wrong target, not of bad items: compare its keys and indexes "
            "with the source's; the same command goes on, and --max-rejected sets more aside",
            operation="BatchWriteItem",
            table=self._stats.target,
            segment=batch.segment,
        )

    def _words(self, refusal: _Refusal) -> str:
        key = self._target.key_of(refusal.item).decode("utf-8", "replace")
        return f"{key}: {refusal.error.code}: {refusal.error.message}"


def _unprocessed(remaining: Sequence[Raw], sent: Sequence[Raw]) -> UnprocessedError:
    return UnprocessedError(
        f"BatchWriteItem left {len(remaining)} of {len(sent)} items unprocessed, without a reason",
        operation="BatchWriteItem",
    )
