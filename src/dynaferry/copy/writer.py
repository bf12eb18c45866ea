"""Batch -> acknowledged.

A batch comes back from the service whole, in part, or refused. What was written is acknowledged at
once; a remainder, and only the remainder, is given back to its lane to be sent again. A refusal
says nothing about which item it means, so the batch is cut in two until the item stands alone;
that item becomes a dead letter. Only what is written or durably a dead letter is acknowledged
(invariant 1). Sending an item twice is safe: a put of a whole item has the same effect again.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from msgspec import Raw

from dynaferry.copy.batcher import Batch, cut
from dynaferry.copy.lanes import Lanes
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
from dynaferry.ports import BatchTarget, WriteResult
from dynaferry.state.store import DeadLetter, StateStore
from dynaferry.throttle.blame import Blame, Verdict
from dynaferry.throttle.pace import REQUEST_SECONDS, WritePace
from dynaferry.throttle.retry import RetryPolicy

OPERATION = "BatchWriteItem"
# How much the newest batch weighs in what the next one is expected to cost: indexes make it cost
# more than its size says, and the wire form is longer than what is charged.
NEWEST_BATCH_WEIGHT = 0.1


class Taken(NamedTuple):
    """A batch that was taken, with the units that it is expected to consume, and by its size."""

    batch: Batch
    units: float
    by_size: float


class Writer:
    """Writes the batches of one table. Any number of tasks may call it."""

    def __init__(
        self,
        target: BatchTarget,
        ledger: Ledger,
        lanes: Lanes,
        stats: TableStats,
        *,
        table: int,
        store: StateStore,
        pace: WritePace,
        retry: RetryPolicy,
        rejections: RejectionLimit,
        on_reject: OnReject = "dead-letter",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._lanes = lanes
        self._stats = stats
        self._table = table
        self._store = store
        self._pace = pace
        self._retry = retry
        self._rejections = rejections
        self._on_reject = on_reject
        self._clock = clock
        self._monotonic = monotonic
        self._blame = Blame(now=monotonic())
        self._units_share = 1.0

    @property
    def most_units_per_second(self) -> float:
        """The strictest cap on the writes; infinite without one."""
        return self._pace.most_units_at_once / REQUEST_SECONDS

    def take_now(self) -> Taken | None:
        """The next batch of the lanes if there is one."""
        batch = self._lanes.take_now()
        return None if batch is None else self._fit(batch)

    async def take(self) -> Taken | None:
        """The next batch of the lanes; None when there will be none."""
        batch = await self._lanes.take()
        return None if batch is None else self._fit(batch)

    def _fit(self, batch: Batch) -> Taken:
        """As much of a batch as one request may hold; its lane has the rest again.

        A batch of large items is many seconds of a low rate: at one blow it would break a cap,
        and meet throttles that say nothing.
        """
        taken = self._expect(batch)
        most_units = self._pace.most_units_in_a_batch
        if taken.units <= most_units:
            return taken
        fitting, rest = cut(batch, most_units / self._units_share, self._target.units_of)
        if rest is not None:
            self._lanes.next_is(rest)
        return self._expect(fitting)

    def _expect(self, batch: Batch) -> Taken:
        """What it is likely to consume: that is learnt from the batches before it."""
        by_size = self._target.units_of(batch.items)
        return Taken(batch, by_size * self._units_share, by_size)

    def admit_now(self, taken: Taken) -> bool:
        """Admits a batch if nobody has to wait for it; says whether."""
        if not self._pace.admit_now(taken.units):
            return False
        self._lanes.sent(taken.batch.segment, taken.units)
        return True

    async def admit(self, taken: Taken) -> None:
        """Returns when a batch may be sent."""
        await self._pace.admit(taken.units)
        self._lanes.sent(taken.batch.segment, taken.units)

    async def write(self, taken: Taken) -> None:
        """Sends an admitted batch once, and gives back to its lane what is to be sent again.

        :raises RejectedItemError: an item was refused and the run is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        :raises StoppedError: the batch could not be written and no wait will help
        """
        batch = taken.batch
        try:
            try:
                result = await self._send(taken)
            except ThrottledError:
                raise
            except RetryableError as error:
                result = await self._retry.again(error, partial(self._send_again, taken))
            self._note_written(batch, result)
        except ThrottledError as error:
            self._lanes.give_back(batch)
            self._retry.give_up_if_gone(error)
        except ItemRefusedError as error:
            self._retry.progress()
            await self._isolate(batch, error)
        finally:
            self._lanes.done()

    async def _send_again(self, taken: Taken) -> WriteResult:
        await self.admit(taken)
        return await self._send(taken)

    async def _send(self, taken: Taken) -> WriteResult:
        self._stats.write_requests += 1
        self._stats.write_requests_in_flight += 1
        sent_at = self._monotonic()
        try:
            result = await self._target.write_batch(taken.batch.items)
        except ThrottledError as error:
            self._note_throttle(taken, error)
            raise
        except RetryableError:
            self._stats.retried_requests += 1
            self._pace.settle(taken.units, None)
            raise
        except ItemRefusedError:
            self._pace.settle(taken.units, None)
            raise
        finally:
            self._stats.write_requests_in_flight -= 1
        now = self._monotonic()
        self._blame.accepted(now, whole=not result.unprocessed)
        self._settle(taken, result, now - sent_at)
        return result

    def _settle(self, taken: Taken, result: WriteResult, latency_seconds: float) -> None:
        batch, units, by_size = taken
        consumed = result.consumed_units
        left, refused = 0.0, 0.0
        if result.unprocessed:
            left = self._target.units_of(result.unprocessed) * self._units_share
            self._stats.throttled_at = self._clock()
            verdict = self._blame.left_undone(
                batch.segment, self._monotonic(), segments=self._lanes.segments
            )
            refused = left if verdict.table else 0.0
            if verdict.table:
                self._lanes.absolve()
            self._lanes.refused(batch.segment, left, for_itself=verdict.segment)
        self._pace.settle(units, consumed, refused=refused, latency_seconds=latency_seconds)
        self._lanes.wrote(batch.segment, units - left, latency_seconds)
        if consumed is not None and not result.unprocessed:
            share = consumed / by_size
            self._units_share += NEWEST_BATCH_WEIGHT * (share - self._units_share)

    # What became of it ---------------------------------------------------------------------------

    def _note_written(self, batch: Batch, result: WriteResult) -> None:
        self._stats.write_units += result.consumed_units or 0.0
        if not result.unprocessed:
            self._retry.progress()
            self._acknowledge(batch, rejected=0)
            return
        self._stats.unprocessed_items += len(result.unprocessed)
        self._stats.retried_requests += 1
        left = {id(item) for item in result.unprocessed}
        written = [item for item in batch.items if id(item) not in left]
        if written:
            self._retry.progress()
            self._acknowledge(Batch(batch.segment, batch.page, written), rejected=0)
        else:
            self._retry.give_up_if_gone(_unprocessed(batch))
        self._lanes.give_back(Batch(batch.segment, batch.page, result.unprocessed))

    def _note_throttle(self, taken: Taken, error: ThrottledError) -> None:
        batch, units, _ = taken
        self._stats.retried_requests += 1
        self._stats.note_throttle(OPERATION, error.words)
        self._stats.throttled_at = self._clock()
        verdict = self._judge(batch, error)
        if verdict.table:
            self._lanes.absolve()
            self._pace.throttled(error, units)
        else:
            self._pace.settle(units, 0.0)
        self._lanes.refused(batch.segment, units, for_itself=verdict.segment)

    def _judge(self, batch: Batch, error: ThrottledError) -> Verdict:
        verdict = self._blame.refused(
            batch.segment, error.reasons, self._monotonic(), segments=self._lanes.segments
        )
        if verdict.resource is not None:
            self._stats.bottleneck = _in_words(verdict)
        return verdict

    def _acknowledge(self, batch: Batch, *, rejected: int) -> None:
        is_complete = self._ledger.acknowledge(batch, rejected=rejected)
        self._stats.items_written += len(batch.items) - rejected
        self._stats.items_rejected += rejected
        if is_complete:
            self._stats.segments_complete = self._ledger.complete_segments
            self._lanes.forget(batch.segment)

    # Refused for what it is ----------------------------------------------------------------------

    async def _isolate(self, batch: Batch, error: ItemRefusedError) -> None:
        """Cuts a refused batch in two; an item that stands alone is set aside."""
        if len(batch.items) > 1:
            half = len(batch.items) // 2
            for items in (batch.items[half:], batch.items[:half]):
                self._lanes.give_back(Batch(batch.segment, batch.page, items))
            return
        await self._set_aside(batch, batch.items[0], error)
        self._acknowledge(batch, rejected=1)

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


def _in_words(verdict: Verdict) -> str:
    """Who holds the writes back, for people: `index by-owner`, `a key range of orders`."""
    name = (verdict.resource or "").rpartition("/")[2]
    if verdict.is_index:
        return f"index {name}"
    return f"table {name}" if verdict.table else f"a key range of {name}"
