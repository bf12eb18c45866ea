"""What happened to a group of batches: decided here, applied by the writer. Pure.

What was written is acknowledged; a remainder, and only the remainder, is to be sent again. A
refusal says nothing about which item it means, so the batch is cut in two until the item stands
alone, and that is to be set aside. Nothing else is ever acknowledged (invariant 1).
"""

from collections.abc import Sequence

from msgspec import Struct

from dynaferry.copy.batch_cost import BatchCost
from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.pending_page import Batch
from dynaferry.errors import (
    DynaferryError,
    ItemRefusedError,
    RetryableError,
    ThrottledError,
    UnprocessedError,
)
from dynaferry.ports import WriteResult
from dynaferry.throttle.attribution import ThrottleAttribution, ThrottleScope

OPERATION = "BatchWriteItem"


class Spend(Struct, frozen=True):
    """What admitted requests consumed, as the limiter is told: see `RateLimiter.settle`."""

    admitted: float
    consumed: float | None
    refused: float = 0.0
    latency_seconds: float = 0.0
    requests: int = 1


class Rejection(Struct, frozen=True):
    """A batch of one item, and why it was refused."""

    batch: Batch
    error: ItemRefusedError


class LastBatch(Struct, frozen=True):
    """What happened to the batch of a group that was not taken whole.

    `scope` says who is to slow down; where that is the table for a request that was `throttled`,
    the limiter is told of it instead of a `spend`. `failed` is to be tried again by whom it failed
    for, and after `starved`, which says that nothing was taken, the side may be gone.
    """

    spend: Spend | None = None
    throttled: ThrottledError | None = None
    scope: ThrottleScope | None = None
    written: int = 0
    written_units: float = 0.0
    consumed: float = 0.0
    left: Sequence[Batch] = ()
    is_refused: bool = False
    rejection: Rejection | None = None
    failed: RetryableError | None = None
    starved: RetryableError | None = None


_NONE = LastBatch()


class Settlement(Struct, frozen=True):
    """What happened to a group, as is known from `at` on.

    `requests` have ended. `written` items are acknowledged, which took about `written_units`, and
    `consumed` units by what the service said. `spends` settle what was admitted, unless `last` has
    been throttled. So many batches are `unsent`, and go back as they are.
    """

    at: float
    requests: int
    written: int
    written_units: float
    consumed: float
    spends: Sequence[Spend]
    unsent: int
    last: LastBatch

    @property
    def is_progress(self) -> bool:
        """Whether the target took something, or refused it for good: it is there."""
        return self.written > 0 or self.last.is_refused


class Settler:
    """Decides what the responses to one table's batches mean, and learns what they cost."""

    def __init__(self, cost: BatchCost, *, now: float) -> None:
        self._cost = cost
        self._attribution = ThrottleAttribution(now=now)

    def settle(self, group: BatchGroup, now: float, *, segments: int) -> Settlement:
        """What happened to the group, however it ended; `segments` are written at present."""
        whole, spends = len(group.seconds), list[Spend]()
        unsettled = group.claim.count - group.responses - group.failed
        if unsettled:
            spends.append(Spend(group.units * unsettled, 0.0, requests=unsettled))
        if whole:
            spends.append(self._whole(group, now))
        last = self._last(group, now, segments)
        if last.spend is not None:
            spends.append(last.spend)
        return Settlement(
            at=now,
            requests=group.responses + group.failed,
            written=group.items_written + last.written,
            written_units=group.units * whole + last.written_units,
            consumed=(group.consumed or 0.0) + last.consumed,
            spends=spends,
            unsent=group.claim.count - group.sent,
            last=last,
        )

    def _whole(self, group: BatchGroup, now: float) -> Spend:
        count = len(group.seconds)
        self._attribution.accepted(now, items=group.items_written, batches=count)
        self._cost.learn(group)
        return Spend(
            group.units * count,
            group.consumed,
            latency_seconds=sum(group.seconds) / count,
            requests=count,
        )

    def _last(self, group: BatchGroup, now: float, segments: int) -> LastBatch:
        if group.left is not None:
            return self._part(group, group.left, now, segments)
        if group.error is not None:
            return self._failed(group, group.error, now, segments)
        if group.sent > group.responses:  # cancelled: nothing is known of it
            return LastBatch(left=(group.last,))
        return _NONE

    def _part(self, group: BatchGroup, result: WriteResult, now: float, segments: int) -> LastBatch:
        """What was written of a batch is acknowledged; the remainder is left."""
        batch, undone = group.last, len(result.unprocessed)
        written = len(batch.items) - undone
        left_units = self._cost.units_of(result.unprocessed)
        scope = self._attribution.left_undone(
            batch.segment, now, segments=segments, items=len(batch.items), undone=undone
        )
        return LastBatch(
            spend=Spend(
                group.units,
                result.consumed_units,
                refused=left_units if scope.table else 0.0,
                latency_seconds=group.last_seconds,
            ),
            scope=scope,
            written=written,
            written_units=group.units - left_units,
            consumed=result.consumed_units or 0.0,
            left=(Batch(batch.segment, batch.page, result.unprocessed),),
            starved=None if written else _all_unprocessed(batch),
        )

    def _failed(
        self, group: BatchGroup, error: DynaferryError, now: float, segments: int
    ) -> LastBatch:
        batch = group.last
        if isinstance(error, ThrottledError):
            return self._throttled(group, error, now, segments)
        unknown = Spend(group.units, None)
        if isinstance(error, RetryableError):
            return LastBatch(spend=unknown, failed=error)
        if not isinstance(error, ItemRefusedError):
            return _NONE  # it ends the copy
        if len(batch.items) == 1:
            return LastBatch(spend=unknown, is_refused=True, rejection=Rejection(batch, error))
        return LastBatch(spend=unknown, is_refused=True, left=_halves(batch))

    def _throttled(
        self, group: BatchGroup, error: ThrottledError, now: float, segments: int
    ) -> LastBatch:
        scope = self._attribution.refused(group.segment, error.reasons, now, segments=segments)
        return LastBatch(
            spend=None if scope.table else Spend(group.units, 0.0),
            throttled=error if scope.table else None,
            scope=scope,
            left=(group.last,),
            starved=error,
        )


def _halves(batch: Batch) -> Sequence[Batch]:
    half = len(batch.items) // 2
    parts = (batch.items[:half], batch.items[half:])
    return tuple(Batch(batch.segment, batch.page, items) for items in parts)


def _all_unprocessed(batch: Batch) -> UnprocessedError:
    return UnprocessedError(
        f"{OPERATION} left all of {len(batch.items)} items unprocessed, without a reason",
        operation=OPERATION,
    )
