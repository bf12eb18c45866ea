"""How far one segment is acknowledged (invariant 1). Pure.

Pages are read in order and acknowledged in any order, in parts. The watermark is the contiguous
prefix: it moves over a page when that page and every page before it is settled, and with it,
at once, move the counts. So what a checkpoint stores is always true of exactly the pages behind
its key, and a page that was written but not reached by the watermark is read, written and
counted once more after a crash: counted once, in the end.
"""

from collections import deque
from dataclasses import dataclass

from dynaferry.state.records import SegmentRecord


@dataclass(slots=True)
class _OpenPage:
    last_evaluated_key: bytes | None
    items_read: int
    items_filtered: int
    bytes_read: int
    unsettled: int
    items_written: int = 0
    items_rejected: int = 0


class Watermark:
    """The acknowledgements of one segment, from `record` on."""

    def __init__(self, record: SegmentRecord) -> None:
        self._record = record
        self._open: deque[_OpenPage] = deque()

    @property
    def record(self) -> SegmentRecord:
        """What may be stored now."""
        return self._record

    @property
    def pages_ahead(self) -> int:
        """How many pages have been read beyond the watermark."""
        return len(self._open)

    @property
    def items_seen(self) -> int:
        """The items of all pages that were read."""
        return self._record.items_read + sum(page.items_read for page in self._open)

    @property
    def items_settled(self) -> int:
        """The items that need no more work, of pages beyond the watermark too."""
        return self._record.items_read + sum(
            page.items_read - page.unsettled for page in self._open
        )

    def page_read(
        self, *, items: int, scanned: int, bytes_read: int, last_evaluated_key: bytes | None
    ) -> int:
        """Opens the next page and returns its number. A page without items is settled at once.

        `items` are to be acknowledged; `scanned - items` were left out by a filter.
        """
        number = self._record.pages + len(self._open)
        self._open.append(
            _OpenPage(
                last_evaluated_key=last_evaluated_key,
                items_read=scanned,
                items_filtered=scanned - items,
                bytes_read=bytes_read,
                unsettled=items,
            )
        )
        if items == 0:
            self._advance()
        return number

    def acknowledge(self, page: int, *, written: int = 0, rejected: int = 0) -> int:
        """Settles items of `page`; returns how many pages the watermark moved over.

        :raises ValueError: more items are acknowledged than the page has, or it is not open
        """
        index = page - self._record.pages
        if not 0 <= index < len(self._open):
            raise ValueError(f"page {page} of segment {self._record.segment} is not open")
        opened = self._open[index]
        if written + rejected > opened.unsettled:
            raise ValueError(
                f"page {page} of segment {self._record.segment} has {opened.unsettled} items "
                f"left, not {written + rejected}"
            )
        opened.unsettled -= written + rejected
        opened.items_written += written
        opened.items_rejected += rejected
        return self._advance() if opened.unsettled == 0 else 0

    def _advance(self) -> int:
        moved = 0
        while self._open and self._open[0].unsettled == 0:
            self._record = _behind(self._record, self._open.popleft())
            moved += 1
        return moved


def _behind(record: SegmentRecord, page: _OpenPage) -> SegmentRecord:
    return SegmentRecord(
        segment=record.segment,
        pages=record.pages + 1,
        last_evaluated_key=page.last_evaluated_key,
        complete=page.last_evaluated_key is None,
        items_read=record.items_read + page.items_read,
        items_written=record.items_written + page.items_written,
        items_rejected=record.items_rejected + page.items_rejected,
        items_filtered=record.items_filtered + page.items_filtered,
        bytes_read=record.bytes_read + page.bytes_read,
    )
