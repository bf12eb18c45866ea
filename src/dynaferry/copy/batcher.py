"""Page -> batches. Pure.

A batch never spans pages, so that it is acknowledged to one page, and never holds an item twice,
since a page does not.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from msgspec import Raw, Struct

from dynaferry.limits import BATCH_MAX_ITEMS, BATCH_TARGET_BYTES


class Batch(Struct, frozen=True):
    """Items of one page, in wire form, that go to the target in one request."""

    segment: int
    page: int
    items: Sequence[Raw]


def split(
    segment: int, page: int, items: Sequence[Raw], *, page_bytes: float = math.inf
) -> Iterator[Batch]:
    """Cuts the items of a page into batches, in their order: at most 25 items, and well under
    the 16 MB that a request may hold. An item that is larger than that alone travels alone.

    The whole page has at most `page_bytes`: where that is little, no batch need be looked at.
    """
    start, may_be_large = 0, page_bytes > BATCH_TARGET_BYTES
    while start < len(items):
        taken = items[start : start + BATCH_MAX_ITEMS]
        if may_be_large and len(taken) > 1 and sum(map(len, taken)) > BATCH_TARGET_BYTES:
            taken = taken[: _fitting(taken)]
        yield Batch(segment, page, taken)
        start += len(taken)


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
