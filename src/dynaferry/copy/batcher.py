"""Page -> batches. Pure.

A batch never spans pages, so that it is acknowledged to one page, and never holds an item twice,
since a page does not.
"""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

from msgspec import Raw, Struct

from dynaferry.limits import BATCH_MAX_ITEMS, BATCH_TARGET_BYTES


class Batch(Struct, frozen=True):
    """Items of one page, in wire form, that go to the target in one request."""

    segment: int
    page: int
    items: Sequence[Raw]


class Uncut:
    """Items of one page that are in no batch yet.

    Batches are cut off when it is their turn, so that nothing has to be kept of them meanwhile.
    Its length is the number of items. The whole page has at most `page_bytes`: where that is
    little, no batch need be looked at.
    """

    __slots__ = ("_at", "_items", "_may_be_large", "page", "segment")

    def __init__(
        self, segment: int, page: int, items: Sequence[Raw], *, page_bytes: float = math.inf
    ) -> None:
        self.segment = segment
        self.page = page
        self._items = items
        self._at = 0
        self._may_be_large = page_bytes > BATCH_TARGET_BYTES

    def __len__(self) -> int:
        return len(self._items) - self._at

    def next_batch(self) -> Batch:
        """Cuts off the first items, in their order: at most 25, and well under the 16 MB that a
        request may hold. An item that is larger than that alone travels alone.
        """
        taken = self._items[self._at : self._at + BATCH_MAX_ITEMS]
        if self._may_be_large and len(taken) > 1 and sum(map(len, taken)) > BATCH_TARGET_BYTES:
            taken = taken[: _fitting(taken)]
        self._at += len(taken)
        return Batch(self.segment, self.page, taken)


def cut(
    batch: Batch, most_units: float, units_of: Callable[[Sequence[Raw]], float]
) -> tuple[Batch, Batch | None]:
    """The first items of a batch that cost at most `most_units` together, and the rest.

    At least one goes first: nothing smaller than an item can be written.
    """
    if units_of(batch.items) <= most_units:
        return batch, None
    sums = accumulate(units_of([item]) for item in batch.items)
    first = max(1, sum(total <= most_units for total in sums))
    if first == len(batch.items):
        return batch, None
    rest = Batch(batch.segment, batch.page, batch.items[first:])
    return Batch(batch.segment, batch.page, batch.items[:first]), rest


def _fitting(items: Sequence[Raw]) -> int:
    """How many of the first items fit; at least one."""
    sums = accumulate(map(len, items))
    return max(1, sum(total <= BATCH_TARGET_BYTES for total in sums))
