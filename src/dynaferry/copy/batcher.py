"""Page -> batches. Pure.

A batch never spans pages, so that it is acknowledged to one page, and never holds an item twice,
since a page does not.
"""

from collections.abc import Iterator, Sequence

from msgspec import Raw, Struct

from dynaferry.limits import BATCH_MAX_ITEMS, BATCH_TARGET_BYTES


class Batch(Struct, frozen=True):
    """Items of one page, in wire form, that go to the target in one request."""

    segment: int
    page: int
    items: Sequence[Raw]


def split(segment: int, page: int, items: Sequence[Raw]) -> Iterator[Batch]:
    """Cuts the items of a page into batches, in their order: at most 25 items, and well under
    the 16 MB that a request may hold. An item that is larger than that alone travels alone.
    """
    start = 0
    batch_bytes = 0
    for index, item in enumerate(items):
        item_bytes = len(item)
        is_full = index - start == BATCH_MAX_ITEMS or (
            index > start and batch_bytes + item_bytes > BATCH_TARGET_BYTES
        )
        if is_full:
            yield Batch(segment, page, items[start:index])
            start = index
            batch_bytes = 0
        batch_bytes += item_bytes
    if start < len(items):
        yield Batch(segment, page, items[start:])
