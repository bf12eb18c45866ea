"""Sums over the segments of a table, from which its number of items is estimated."""

from msgspec import Struct


class SegmentSums(Struct, frozen=True, kw_only=True):
    """Sums over segments: of those that are complete, and of those that have begun and are not.

    `squares` adds up the squares of the items of each complete one. Of those under way items count
    that were seen, written or not: `largest_settled` are those of the largest that are done.
    """

    complete: int = 0
    items: int = 0
    squares: float = 0.0
    largest: int = 0
    begun: int = 0
    begun_items: int = 0
    largest_begun: int = 0
    largest_settled: int = 0


class SegmentTally:
    """Keeps the sums of a table while its segments go on; each is noted as it is stored."""

    __slots__ = ("_begun", "_complete", "_items", "_largest", "_squares")

    def __init__(self) -> None:
        self._begun: dict[int, tuple[int, int]] = {}
        self._complete = self._items = self._largest = 0
        self._squares = 0.0

    def note(self, segment: int, items: int, *, complete: bool, settled: int | None = None) -> None:
        """Notes how many items of a segment were seen, and are settled where these are fewer.

        One that is complete is noted once.
        """
        if not complete:
            self._begun[segment] = (items, items if settled is None else settled)
            return
        self._begun.pop(segment, None)
        self._complete += 1
        self._items += items
        self._squares += float(items) ** 2
        self._largest = max(self._largest, items)

    def sums(self) -> SegmentSums:
        """The sums as they are now."""
        largest, settled = max(self._begun.values(), default=(0, 0))
        return SegmentSums(
            complete=self._complete,
            items=self._items,
            squares=self._squares,
            largest=self._largest,
            begun=len(self._begun),
            begun_items=sum(items for items, _ in self._begun.values()),
            largest_begun=largest,
            largest_settled=settled,
        )
