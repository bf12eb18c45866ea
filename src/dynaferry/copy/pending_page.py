"""Page -> batches. Pure.

A batch never spans pages, so that it is acknowledged to one page, and never holds an item twice,
since a page does not.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate

from msgspec import Struct

from dynaferry.limits import BATCH_MAX_ITEMS, BATCH_TARGET_BYTES
from dynaferry.ports import Change, Page


class Batch(Struct, frozen=True):
    """Items of one page, in wire form, that go to the target in one request.

    Whoever writes other than a copy may put deletes among them.
    """

    segment: int
    page: int
    items: Sequence[Change]


class PendingPage:
    """Items of one page that are in no batch yet; its length is how many are claimed by nobody.

    Who is to send several batches claims so many, and each is cut off when it is sent. So
    those who send from one page go through it together, in its order, and what is read of memory
    lies side by side. (For the same reason all items of a page are let go of at once, at its end:
    those of the next one lie side by side then.) Where no batch of it `may_be_large`, none need be
    looked at.
    """

    __slots__ = ("_at", "_claimed", "_items", "_may_be_large", "page", "segment")

    def __init__(
        self,
        segment: int,
        page: int,
        items: Sequence[Change],
        *,
        may_be_large: bool,
        claimed: int = 0,
    ) -> None:
        self.segment = segment
        self.page = page
        self._items = items
        self._at = 0
        self._claimed = claimed
        self._may_be_large = may_be_large

    def __len__(self) -> int:
        return max(0, len(self._items) - self._at - self._claimed * BATCH_MAX_ITEMS)

    def claim(self, most: int = 1) -> "BatchClaim":
        """At most so many of the next batches, in the order of the items. There must be one.

        One has at most 25 items, and well under the 16 MB that a request may hold; an item that is
        larger than that alone travels alone. A single batch is cut off at once, since what it
        costs may have to be known.
        """
        sample = Batch(self.segment, self.page, self._first_items())
        count = 1 if self._may_be_large else _evenly(-(-len(self) // BATCH_MAX_ITEMS), most)
        if count == 1:
            self._at += len(sample.items)
            return claim_of(sample)
        self._claimed += count
        return BatchClaim(sample, count, self)

    def next_batch(self) -> Sequence[Change]:
        """The items of the next batch of those that are claimed."""
        self._claimed -= 1
        at = self._at
        self._at = end = at + BATCH_MAX_ITEMS
        return self._items[at:end]

    def release(self, batches: int) -> None:
        """So many of those that are claimed are not sent by whom they were claimed for."""
        self._claimed -= batches

    def _first_items(self) -> Sequence[Change]:
        items = self._items[self._at : self._at + BATCH_MAX_ITEMS]
        if self._may_be_large and len(items) > 1 and sum(map(len, items)) > BATCH_TARGET_BYTES:
            return items[: _fitting(items)]
        return items


class BatchClaim(Struct, frozen=True):
    """Batches of one page that one writer sends one after the other.

    It has claimed `count` of `page`. By `sample`, the first of them unless somebody else sends
    that meanwhile, one can tell what they cost; if there is one batch, it is the sample.
    """

    sample: Batch
    count: int
    page: PendingPage


def claim_of(batch: Batch) -> BatchClaim:
    """One batch as it is."""
    return BatchClaim(batch, 1, pending_batch(batch, claimed=1))


def pending_batch(batch: Batch, *, claimed: int = 0) -> PendingPage:
    """A batch, or what is left of one, that is to be sent again: it has been cut to size."""
    return PendingPage(batch.segment, batch.page, batch.items, may_be_large=False, claimed=claimed)


def pending_page(segment: int, number: int, page: Page) -> PendingPage:
    """All items of a page."""
    may_be_large = page.body_bytes > BATCH_TARGET_BYTES
    return PendingPage(segment, number, page.items, may_be_large=may_be_large)


def cut(
    batch: Batch, most_units: float, units_of: Callable[[Sequence[Change]], float]
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


def _evenly(batches: int, most: int) -> int:
    """The first of as few claims of at most so many as there can be, all of about one length: a
    page is done when the longest of them is.
    """
    claims = -(-batches // most)
    return -(-batches // claims)


def _fitting(items: Sequence[Change]) -> int:
    """How many of the first items fit; at least one."""
    sums = accumulate(map(len, items))
    return max(1, sum(total <= BATCH_TARGET_BYTES for total in sums))
