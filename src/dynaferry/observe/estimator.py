"""The one estimator of progress: how many items a table has, what share is done, when it ends.

Terminal, log lines, live page, `status`, `--json` and metrics all show what comes from here. The
service's own item count is hours old (refreshed about every six hours [M:TableDescription]): it is
where the estimate begins, and segments that have ended correct it, the more the closer they are to
each other in size. Never less is expected than is done, and what cannot be known is None, not 0.

Segments are cut by the hash of the partition key, so that as a rule they are of a size; but all the
items of one key are in one of them. The largest segments are therefore kept out of the mean, and
one under way that has outgrown the others is taken to hold what the others lack to the count.

Nothing here is ever used to decide that a copy is complete. Pure: rates are passed in.
"""

import math
from collections.abc import Sequence
from heapq import heapify, heapreplace
from typing import Final

from msgspec import Struct

from dynaferry.observe.segment_sums import SegmentSums

# The service's count is as a rule wrong by no more than this share of it.
COUNT_DEVIATION: Final = 0.12
# A segment under way is an outlier from here to there, in sizes of those that have ended.
OUTLIER_FROM, OUTLIER_TO = 2.0, 4.0
# A count that is too high by less than this share of it is off; by more, and what lacks is hidden
# in a segment that nobody has seen to its end: one key holds it.
HIDDEN_FROM, HIDDEN_TO = 0.25, 0.35
# So many have to have ended until anyone can say what size is usual.
MANY_SEGMENTS: Final = 5
MOST_UNTIL_COMPLETE: Final = 0.99


class ItemsEstimate(Struct, frozen=True, kw_only=True):
    """The items that a table is expected to have, None where nobody knows.

    `most` is what it may have as well, since a segment that nobody has seen to its end may hold one
    hot key: a share is of those. `outlier` says, from 0 to 1, how sure it is that the largest
    segment under way is far larger than the others; `left_of_largest` is what it has left.
    """

    expected: int | None
    most: int | None = None
    outlier: float = 0.0
    left_of_largest: float = 0.0


class TableProgress(Struct, frozen=True, kw_only=True):
    """The progress of a table, or of all tables of a run together, as it is shown everywhere.

    `expected_items` is never below `items_done`. `progress_ratio` is from 0 to 1 and never falls, 1
    means complete and only that. None stands for what is not known: an `eta_seconds` is given only
    while items are copied, and is never 0 while something is left.
    """

    items_done: int = 0
    expected_items: int | None = None
    progress_ratio: float = 0.0
    eta_seconds: float | None = None


class RunProgress(Struct, frozen=True, kw_only=True):
    """The progress of each table, in the plan's order, and of all of them together."""

    tables: Sequence[TableProgress] = ()
    total: TableProgress = TableProgress()


class TableWork(Struct, frozen=True, kw_only=True):
    """What is left of a table, for the end of the whole run.

    `seconds` is how long it takes where nothing else is in its way, None where nobody knows;
    `units` are the write units that it takes.
    """

    is_running: bool
    seconds: float | None
    units: float = 0.0


def estimated_items(
    sums: SegmentSums, *, items_done: int, segments_total: int, reported_items: int
) -> ItemsEstimate:
    """The number of items of a table; `reported_items` is the service's count, 0 where it knows
    none (a new table has 0 for hours).
    """
    if segments_total > 0 and sums.complete >= segments_total:
        return ItemsEstimate(expected=items_done, most=items_done)
    usual = _Usual(sums, segments_total)
    if reported_items <= 0:
        known = sums.complete >= MANY_SEGMENTS and sums.items > 0
        total = max(items_done, round(usual.total)) if known else None
        return ItemsEstimate(expected=total, most=total)
    trusted = usual.trust()
    even = trusted * usual.total + (1 - trusted) * reported_items
    outlier = usual.outlier
    sure = max(outlier, _ramp(1 - usual.total / reported_items, HIDDEN_FROM, HIDDEN_TO))
    uneven = max(reported_items, usual.total)
    expected = max(items_done, round((1 - sure) * even + sure * uneven))
    others = usual.total - max(sums.largest_begun, usual.of_begun)
    return ItemsEstimate(
        expected=expected,
        most=max(expected, reported_items),
        outlier=outlier,
        left_of_largest=max(0.0, expected - others - sums.largest_settled),
    )


class _Usual:
    """The usual segment of a table, by those that have begun, without the largest ones.

    Those that ended first are the small ones, so that the mean is of all that have begun. One that
    is under way is on average not of the mean size but of a larger one, since large ones take long.
    """

    def __init__(self, sums: SegmentSums, segments_total: int) -> None:
        self._sums = sums
        self.waiting = max(0, segments_total - sums.complete - sums.begun)
        self._ended = max(0, sums.complete - 1)
        self._items = max(0, sums.items - sums.largest)
        self._squares = max(0.0, sums.squares - float(sums.largest) ** 2)
        self.of_begun = self._squares / self._items if self._items else 0.0
        others_begun = max(0, sums.begun - 1)
        begun = max(float(sums.begun_items - sums.largest_begun), others_begun * self.of_begun)
        count = self._ended + others_begun
        self.mean = (self._items + begun) / count if count else 0.0
        largest_begun = max(float(sums.largest_begun), self.of_begun if sums.begun else 0.0)
        self.total = sums.items + begun + largest_begun + self.waiting * self.mean

    @property
    def outlier(self) -> float:
        """How sure it is that the largest segment under way is none of the usual ones."""
        if self._ended < MANY_SEGMENTS or not self.of_begun:
            return 0.0
        return _ramp(self._sums.largest_begun / self.of_begun, OUTLIER_FROM, OUTLIER_TO)

    def trust(self) -> float:
        """How much the segments are to be trusted beside the service's count, from 0 to 1.

        Each is as good as its variance is small: that of a sum of segments, of which so many have
        ended, and that of the count.
        """
        if not self._items:
            return 0.0
        spread = max(0.0, self._squares * self._ended / self._items**2 - 1)
        left = self.waiting + self._sums.begun
        rest = left / (left + self._ended)
        variance = (spread + 1 / self._ended) / self._ended * rest
        return COUNT_DEVIATION**2 / (COUNT_DEVIATION**2 + variance)


def _ramp(value: float, begin: float, end: float) -> float:
    """0 up to `begin`, 1 from `end` on."""
    return min(1.0, max(0.0, (value - begin) / (end - begin)))


class Rates(Struct, frozen=True, kw_only=True):
    """Items a second of a table, and of its largest segment under way; None where unknown.

    `alone` is what one segment is written at while nothing else is, at most.
    """

    of_table: float | None
    of_largest: float | None = None
    alone: float = 0.0


def seconds_to_go(items_done: int, estimate: ItemsEstimate, rates: Rates) -> float | None:
    """The seconds until a table is done at these rates; None where nobody knows.

    A table with one hot key waits for one segment: while there are others it is written at its own
    rate, and then at that which a single one can have.
    """
    left = None if estimate.expected is None else estimate.expected - items_done
    if not left or not rates.of_table:
        return None
    seconds = left / rates.of_table
    if not estimate.outlier:
        return seconds
    of_largest = min(rates.of_largest or 0.0, rates.of_table)
    others, of_others = left - estimate.left_of_largest, rates.of_table - of_largest
    beside = max(0.0, others) / of_others if of_others > 0 else 0.0
    alone = max(of_largest, min(rates.alone, rates.of_table))
    if not alone:
        return seconds
    hot = beside + max(0.0, estimate.left_of_largest - beside * of_largest) / alone
    return seconds + estimate.outlier * max(0.0, hot - seconds)


def share_done(
    items_done: int, expected: int | None, segments_complete: int, segments_total: int
) -> float:
    """The share that is done, from 0 to 1. 1 means complete, and only that.

    Where nobody knows the items, it is that of the segments.
    """
    if 0 < segments_total <= segments_complete:
        return 1.0
    if expected:
        share = items_done / expected
    else:
        share = segments_complete / segments_total if segments_total else 0.0
    return min(share, MOST_UNTIL_COMPLETE)


def total_of(
    tables: Sequence[TableProgress],
    eta_seconds: float | None,
    floor: float = 0.0,
) -> TableProgress:
    """All tables together; the share is by items, and never below `floor`.

    A table of which nobody knows how large it is counts as one of the mean size.
    """
    known = [table.expected_items for table in tables if table.expected_items is not None]
    mean = max(1.0, sum(known) / len(known)) if known else 1.0
    weights = [mean if t.expected_items is None else t.expected_items or 1 for t in tables]
    whole = sum(weights)
    done = sum(w * table.progress_ratio for w, table in zip(weights, tables, strict=True))
    is_complete = bool(tables) and all(table.progress_ratio >= 1.0 for table in tables)
    share = min(done / whole, MOST_UNTIL_COMPLETE) if whole else 0.0
    return TableProgress(
        items_done=sum(table.items_done for table in tables),
        expected_items=sum(known) if len(known) == len(tables) else None,
        progress_ratio=1.0 if is_complete else max(floor, share),
        eta_seconds=eta_seconds,
    )


def seconds_of_all(
    tables: Sequence[TableWork], at_once: int, units_per_second: float | None = None
) -> float | None:
    """The seconds until every table is done, so many at once; None where nobody knows.

    Those that wait begin when one ends, the longest first. `units_per_second` is what all of them
    together may write, None where each has a rate of its own.
    """
    if any(table.seconds is None for table in tables):
        return None
    ends = sorted(table.seconds or 0.0 for table in tables if table.is_running)
    waiting = sorted((t.seconds or 0.0 for t in tables if not t.is_running), reverse=True)
    places = [*ends, *[0.0] * max(0, at_once - len(ends))]
    heapify(places)
    for seconds in waiting:
        heapreplace(places, places[0] + seconds)
    seconds = max(places, default=0.0)
    if units_per_second:
        # One that has the whole rate for itself in the end is faster then than it is now.
        seconds = sum(table.units for table in tables) / units_per_second
    return seconds if seconds and math.isfinite(seconds) else None
