"""Batch -> acknowledged.

A batch comes back from the service whole, in part, or refused: `settlement` says what that means,
and it is applied here. What is to be sent again goes back to its lane at once. A refused item
becomes a dead letter (`rejects`). Sending an item twice is safe: a put of a whole item has the same
effect again.
"""

import time
from collections.abc import Callable
from functools import partial

from dynaferry.copy.batch_cost import BatchCost
from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.measured import note_writes
from dynaferry.copy.pending_page import Batch, BatchClaim, claim_of
from dynaferry.copy.rejects import RejectedItems
from dynaferry.copy.settlement import LastBatch, Settlement, Settler
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.errors import DynaferryError, ItemRefusedError, RetryableError
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.observe.stats import TableStats
from dynaferry.ports import BatchTarget
from dynaferry.stop import StopSignal
from dynaferry.throttle.attribution import ThrottleScope
from dynaferry.throttle.limiter import WriteLimiter
from dynaferry.throttle.retry import RetryPolicy


class Writer:
    """Writes the batches of one table. Any number of tasks may call it."""

    def __init__(
        self,
        target: BatchTarget,
        ledger: Ledger,
        queue: WriteQueue,
        stats: TableStats,
        *,
        limiter: WriteLimiter,
        retry: RetryPolicy,
        rejected_items: RejectedItems,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._queue = queue
        self._stats = stats
        self._limiter = limiter
        self._retry = retry
        self._rejected_items = rejected_items
        self._clock = clock
        self._monotonic = monotonic
        self._cost = BatchCost(target.units_of)
        self._settler = Settler(self._cost, now=monotonic())

    # Taken and admitted --------------------------------------------------------------------------

    def take_nowait(self, writers: int) -> BatchGroup | None:
        """The next batches of the lanes if there are any, for one of so many writers."""
        claim = self._queue.take_nowait(self._most_in_a_group(writers))
        return None if claim is None else self._group_of(claim)

    async def take(self, writers: int) -> BatchGroup | None:
        """The next batches of the lanes; None when there will be none."""
        claim = await self._queue.take(partial(self._most_in_a_group, writers))
        return None if claim is None else self._group_of(claim)

    def _most_in_a_group(self, writers: int) -> int:
        waiting = self._queue.items_waiting // (BATCH_MAX_ITEMS * writers)
        return self._cost.most_in_a_group(waiting, self._limiter.most_units_in_a_row)

    def _group_of(self, claim: BatchClaim) -> BatchGroup:
        """What is claimed, or the part of a batch that may go at once.

        A batch of large items is many seconds of a low rate: at one blow it would break a cap,
        and meet throttles that say nothing. So its lane has the rest of it again.
        """
        group = self._cost.group_of(claim)
        most_units = min(
            self._limiter.most_units_in_a_batch,
            self._queue.most_units_at_once(group.segment),
        )
        if group.units <= most_units or claim.count > 1:
            return group
        fitting, rest = self._cost.cut(claim.sample, most_units)
        if rest is not None:
            self._queue.put_first(rest)
        return self._cost.group_of(claim_of(fitting))

    def acquire_nowait(self, group: BatchGroup) -> bool:
        """Admits batches if nobody has to wait for it; says whether."""
        if not self._limiter.acquire_nowait(group.all_units, group.claim.count):
            return False
        self._queue.note_sent(group.segment, group.all_units)
        return True

    async def acquire(self, group: BatchGroup) -> None:
        """Returns when batches may be sent."""
        await self._limiter.acquire(group.all_units, group.claim.count)
        self._queue.note_sent(group.segment, group.all_units)

    # Sent and settled ----------------------------------------------------------------------------

    async def write(self, group: BatchGroup, stop: StopSignal) -> int:
        """Sends admitted batches once, and gives back to their lane what is to be sent again.

        After a response that is not whole, or when something holds writes back by then, the rest
        of them is given back unsent. Returns how many requests were sent.

        :raises RejectedItemError: an item was refused and the run is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        :raises StoppedError: the batch could not be written and no wait will help
        """
        try:
            last = (await self._send(group, stop)).last
            if last.failed is not None:
                again = partial(self._send_again, group.last, stop)
                last = await self._retry.again(last.failed, again)
            if last.starved is not None:
                self._retry.give_up_if_gone(last.starved)
            if last.rejection is not None:
                await self._rejected_items.set_aside(last.rejection)
                self._acknowledge(group, rejected=1)
        finally:
            self._queue.done()
        return group.requests

    async def _send(self, group: BatchGroup, stop: StopSignal) -> Settlement:
        """Sends admitted batches; what happened to them is applied, however that ends."""
        self._stats.write_requests_in_flight += 1
        try:
            await self._target.write_batches(
                group.batches(self._monotonic, lambda: self._limiter.is_free and not stop.asked)
            )
        except (RetryableError, ItemRefusedError) as error:
            # Without its way here: this frame is on it, and would be held with all that it holds.
            group.fail(error.with_traceback(None))
        except DynaferryError as error:
            group.fail(error)
            raise
        finally:
            self._stats.write_requests_in_flight -= 1
            now, segments = self._monotonic(), self._queue.segments
            settlement = self._settler.settle(group, now, segments=segments)
            self._apply(group, settlement)
        return settlement

    async def _send_again(self, batch: Batch, stop: StopSignal) -> LastBatch:
        """Sends a batch that has failed in passing; another such failure is raised."""
        group = self._cost.group_of(claim_of(batch))
        await self.acquire(group)
        last = (await self._send(group, stop)).last
        if last.failed is not None:
            raise last.failed
        return last

    def _apply(self, group: BatchGroup, settlement: Settlement) -> None:
        """What is to be sent again goes back to its lane, and progress is noted last."""
        note_writes(self._stats, group, settlement, self._clock)
        self._settle_spends(group, settlement)
        if settlement.last.scope is not None:
            self._hold_back(group.segment, settlement.last.scope, settlement.at)
        if settlement.written_units:
            self._queue.note_written(group.segment, settlement.written_units)
        if settlement.unsent:
            self._queue.give_back_unsent(group.claim.page, settlement.unsent)
        for batch in reversed(settlement.last.left):
            self._queue.give_back(batch)
        if settlement.is_progress:
            self._retry.progress()
        if settlement.written:
            self._acknowledge(group, written=settlement.written)

    def _settle_spends(self, group: BatchGroup, settlement: Settlement) -> None:
        for spend in settlement.spends:
            self._limiter.settle(
                spend.admitted,
                spend.consumed,
                refused=spend.refused,
                latency_seconds=spend.latency_seconds,
                requests=spend.requests,
            )
        if settlement.last.throttled is not None:
            self._limiter.throttled(settlement.last.throttled, group.units)

    def _hold_back(self, segment: int, scope: ThrottleScope, now: float) -> None:
        """Its lane, at least for a moment; unless it is no matter of the rate."""
        if not scope.undone_share:
            self._queue.note_throttled(segment, now, for_itself=scope.segment)
        elif scope.is_news:
            self._limiter.lift_holds()

    def _acknowledge(self, group: BatchGroup, *, written: int = 0, rejected: int = 0) -> None:
        segment = group.segment
        is_complete = self._ledger.acknowledge(
            segment, group.page, written=written, rejected=rejected
        )
        self._stats.items_written += written
        self._stats.items_rejected += rejected
        if is_complete:
            self._stats.segments_complete = self._ledger.complete_segments
            self._queue.forget(segment)
