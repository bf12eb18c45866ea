"""Which pages of a table are acknowledged: one watermark per segment, and what is to be stored.

Readers ask here where a segment goes on and for room to read ahead; writers acknowledge here;
the checkpoint takes from here what has changed. A worker elsewhere could do all three through
messages: nothing here is bound to the tasks of one process.
"""

from collections.abc import Iterable, Sequence

import anyio

from dynaferry.copy.batcher import Batch
from dynaferry.copy.segments import spread
from dynaferry.ports import Page
from dynaferry.state.store import SegmentRecord
from dynaferry.state.watermark import Watermark

MAX_PAGES_AHEAD = 2


class Ledger:
    """The acknowledgements of one table, going on from the stored `records`.

    `complete_segments` counts the segments that are acknowledged to their end.
    """

    def __init__(self, total_segments: int, records: Iterable[SegmentRecord] = ()) -> None:
        self._total_segments = total_segments
        self._watermarks = {record.segment: Watermark(record) for record in records}
        self._moved: dict[int, anyio.Event] = {}
        self._changed: set[int] = set()
        self.complete_segments = sum(w.record.complete for w in self._watermarks.values())

    def segments_to_read(self) -> list[int]:
        """The segments that are not complete, in the order in which to take them."""
        return [s for s in spread(self._total_segments) if not self.record(s).complete]

    def record(self, segment: int) -> SegmentRecord:
        """How far `segment` is acknowledged."""
        return self._watermark(segment).record

    async def wait_for_room(self, segment: int) -> None:
        """Returns when a page of `segment` may be read: at most two are ahead of the watermark."""
        while self._watermark(segment).pages_ahead >= MAX_PAGES_AHEAD:
            self._moved[segment] = anyio.Event()
            await self._moved[segment].wait()

    def page_read(self, segment: int, page: Page) -> int:
        """Notes a page that was read, and returns its number in the segment."""
        number = self._watermark(segment).page_read(
            items=len(page.items),
            scanned=page.scanned_count,
            bytes_read=page.body_bytes,
            last_evaluated_key=page.last_evaluated_key,
        )
        if not page.items:
            self._note_move(segment)
        return number

    def acknowledge(self, batch: Batch, *, rejected: int) -> None:
        """Notes that every item of `batch` is written, but for those durably set aside."""
        written = len(batch.items) - rejected
        moved = self._watermark(batch.segment).acknowledge(
            batch.page, written=written, rejected=rejected
        )
        if moved:
            self._note_move(batch.segment)

    def changed_records(self) -> list[SegmentRecord]:
        """The records that differ from what is stored."""
        return [self.record(segment) for segment in sorted(self._changed)]

    def stored(self, records: Sequence[SegmentRecord]) -> None:
        """Notes that `records` are durable. What has moved on since is still to be stored."""
        for record in records:
            if self.record(record.segment) is record:
                self._changed.discard(record.segment)

    def _watermark(self, segment: int) -> Watermark:
        if segment not in self._watermarks:
            self._watermarks[segment] = Watermark(_untouched(segment))
        return self._watermarks[segment]

    def _note_move(self, segment: int) -> None:
        self._changed.add(segment)
        self.complete_segments += self.record(segment).complete
        if segment in self._moved:
            self._moved.pop(segment).set()


def _untouched(segment: int) -> SegmentRecord:
    return SegmentRecord(
        segment=segment,
        pages=0,
        last_evaluated_key=None,
        complete=False,
        items_read=0,
        items_written=0,
        items_rejected=0,
        items_filtered=0,
        bytes_read=0,
    )
