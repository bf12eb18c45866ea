"""Batches of one page that one writer sends one after the other.

What is kept of each batch (the pace, the order of the lanes, the acknowledgement) costs as much
as sending it. Where nothing holds writes back, it is kept once for a whole group. Elsewhere a group
is one batch.
"""

from collections.abc import Callable
from typing import Final

from dynaferry.copy.pending_page import Batch, BatchClaim
from dynaferry.errors import DynaferryError
from dynaferry.ports import BatchExchange, WriteResult

MOST_IN_A_ROW: Final = 32
# Whether anything holds writes back by now is asked this often, and not after every response.
STEP_SECONDS: Final = 0.02


class BatchGroup:
    """The batches, and what became of them so far.

    Each is expected to consume `units`; `by_size` are those of the sample by its size alone.
    `sent` counts those that were sent. Of those that were taken whole, `seconds` are those that
    each took, `items_written` their items, and `consumed` their units, None where the service did
    not say. `left` is the last response, if it is of a batch that was not taken whole, and `error`
    is what the last batch has failed with; `last_seconds` is how long that took.
    """

    __slots__ = (
        "_clock", "_mark", "_newest", "by_size", "claim", "consumed", "error", "items_written",
        "last_seconds", "left", "seconds", "sent", "units",
    )  # fmt: skip

    def __init__(self, claim: BatchClaim, units: float, by_size: float) -> None:
        self.claim = claim
        self.units = units
        self.by_size = by_size
        self.seconds: list[float] = []
        self.consumed: float | None = 0.0
        self.items_written = 0
        self.sent = 0
        self.left: WriteResult | None = None
        self.error: DynaferryError | None = None
        self.last_seconds = 0.0

    @property
    def segment(self) -> int:
        """The segment of its batches."""
        return self.claim.sample.segment

    @property
    def page(self) -> int:
        """The page that they are of."""
        return self.claim.sample.page

    @property
    def all_units(self) -> float:
        """What all of it is expected to consume."""
        return self.units * self.claim.count

    @property
    def responses(self) -> int:
        """How many batches have had their response."""
        return len(self.seconds) + (self.left is not None)

    @property
    def failed(self) -> bool:
        """Whether a batch has failed: the one that was sent last."""
        return self.error is not None

    @property
    def requests(self) -> int:
        """How many requests have ended."""
        return self.responses + self.failed

    @property
    def last(self) -> Batch:
        """The batch that was sent last."""
        return Batch(self.segment, self.page, self._newest)

    def batches(self, clock: Callable[[], float], may_go_on: Callable[[], bool]) -> BatchExchange:
        """Yields one batch after the other, and is sent what became of each.

        It ends early behind a batch that was not taken whole, or when it may not go on.
        """
        cut_next, note_seconds = self.claim.page.next_batch, self.seconds.append
        self._clock = clock
        self._mark = next_check_at = mark = clock()  # it may have waited long for its admission
        while self.sent < self.claim.count:
            self.sent += 1
            self._newest = items = cut_next()
            result = yield items
            now = clock()
            if result.unprocessed:
                self.left, self.last_seconds = result, now - mark
                return
            note_seconds(now - mark)
            self._mark = mark = now
            self.items_written += len(items)
            if self.consumed is not None:
                units = result.consumed_units
                self.consumed = None if units is None else self.consumed + units
            if now >= next_check_at:
                if not may_go_on():
                    return
                next_check_at = now + STEP_SECONDS

    def fail(self, error: DynaferryError) -> None:
        """The batch that was sent last has failed with `error`."""
        self.error = error
        self.last_seconds = self._clock() - self._mark
