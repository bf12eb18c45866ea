"""How far one table's reads run ahead of its writes: `read_ahead` decides, and it is applied here.

The ledger has room for so many items and bytes, and the reader's pages are of about such a size.
"""

import math
import time
from collections.abc import Callable

import anyio

from dynaferry.copy.ledger import Ledger
from dynaferry.copy.limiters import Limiters, cap_of
from dynaferry.copy.read_ahead import Ahead, ReadAhead
from dynaferry.copy.reader import Reader
from dynaferry.copy.write_queue import WriteQueue
from dynaferry.limits import BATCH_MAX_ITEMS, BYTES_PER_WRITE_UNIT
from dynaferry.observe.stats import TableStats

# How far reads are ahead follows the rate of the writes this often.
ADJUST_SECONDS = 0.1


class PagesAhead:
    """Lets the reads of one table run ahead as far as it is worth. `scans` may be sent at once."""

    def __init__(
        self,
        reader: Reader,
        ledger: Ledger,
        queue: WriteQueue,
        stats: TableStats,
        limiters: Limiters,
        *,
        scans: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._queue = queue
        self._stats = stats
        self._limiters = limiters
        self._scans = scans
        self._monotonic = monotonic
        self._decides = ReadAhead()

    async def adjust_regularly(self) -> None:
        """Adjusts it until it is cancelled."""
        while True:
            await anyio.sleep(ADJUST_SECONDS)
            self.adjust()

    def adjust(self) -> None:
        """Lets reads run ahead as far as is right at this moment."""
        ahead = self._ahead()
        self._ledger.keep_ahead(ahead.items, ahead.bytes)
        self._reader.keep_small(ahead)

    def _ahead(self) -> Ahead:
        stats, writes = self._stats, self._limiters.write.controller
        cap = cap_of(self._limiters.write)
        in_flight = stats.write_requests_in_flight * BATCH_MAX_ITEMS
        was_refused = bool(stats.throttled_requests or stats.unprocessed_items)
        return self._decides.update(
            self._monotonic(),
            items_written=stats.items_written,
            items_in_flight=in_flight,
            bytes_in_flight=self._ledger.bytes_in_flight(stats.read_requests_in_flight, in_flight),
            bytes_per_item=stats.bytes_read / max(1, stats.items_read) or 1.0,
            units_per_item=_units_per_item(stats),
            units_per_second=min(writes.rate, cap),
            is_limited=was_refused or writes.is_limited or cap < math.inf,
            by_key_range=self._queue.any_range_is_limited,
            segments=self._reader.under_way or self._scans,
            scans=self._scans,
            scan_seconds=self._limiters.read.controller.latency_seconds,
        )


def _units_per_item(stats: TableStats) -> float:
    """What an item costs to write, by its size where none is written yet; never less than 1."""
    if stats.items_written and stats.write_units:
        return max(1.0, stats.write_units / stats.items_written)
    if stats.items_read:
        return max(1.0, stats.bytes_read / stats.items_read / BYTES_PER_WRITE_UNIT)
    return 1.0
