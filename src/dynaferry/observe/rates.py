"""Rates and the time left: plain arithmetic, with the clock passed in.

The end can only be estimated. The service's own item count is hours old (refreshed about every
six hours [M:TableDescription]), so as soon as enough segments are finished their mean is a better
estimate of the number of items. Nothing here is ever used to decide that a copy is complete.
"""

from collections import deque

DEFAULT_WINDOW_SECONDS = 30.0
# Below this share of finished segments their mean says less than the service's count.
TRUSTED_SEGMENT_SHARE = 0.05


class SlidingRate:
    """The rate of a growing number over the last `window_seconds`.

    Samples go in with their time, oldest first. One sample from before the window is kept, so
    that the rate covers the whole window and a pause shows as a falling rate, then as zero.
    """

    __slots__ = ("_samples", "window_seconds")

    def __init__(self, window_seconds: float = DEFAULT_WINDOW_SECONDS) -> None:
        self.window_seconds = window_seconds
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, now: float, value: float) -> None:
        """Adds one sample."""
        self._samples.append((now, value))
        while len(self._samples) > 2 and self._samples[1][0] <= now - self.window_seconds:
            self._samples.popleft()

    def forget_after(self, moment: float) -> None:
        """Drops what was added after `moment`."""
        while self._samples and self._samples[-1][0] > moment:
            self._samples.pop()

    @property
    def seconds(self) -> float:
        """The seconds that the samples cover."""
        return self._samples[-1][0] - self._samples[0][0] if self._samples else 0.0

    @property
    def latest(self) -> float | None:
        """The latest value, None without one."""
        return self._samples[-1][1] if self._samples else None

    @property
    def per_second(self) -> float | None:
        """The rate, or None while there is nothing to compare."""
        if len(self._samples) < 2:
            return None
        return rate_between(self._samples[0], self._samples[-1])


def rate_between(first: tuple[float, float], last: tuple[float, float]) -> float | None:
    """The rate from one (time, value) to a later one; None where no time passed."""
    seconds = last[0] - first[0]
    if seconds <= 0:
        return None
    return max(0.0, last[1] - first[1]) / seconds


def finished_segment_items(items_done: int, segments_complete: int, segments_running: int) -> float:
    """The estimated number of items in finished segments, where that was not counted.

    A running segment is taken to be half done: over many segments that is right on average.
    """
    if segments_complete == 0:
        return 0.0
    return items_done * segments_complete / (segments_complete + segments_running / 2)


def expected_items(
    *,
    items_done: int,
    finished_items: float,
    segments_complete: int,
    segments_total: int,
    reported_items: int,
) -> int | None:
    """The estimated number of items in the table, never below what is done; None when unknown.

    `finished_items` are the items of the finished segments, `reported_items` is the service's
    count, where 0 means that it does not know (a new table has 0 for hours).
    """
    if segments_total > 0 and segments_complete >= segments_total:
        return items_done
    if segments_complete > 0 and segments_complete >= segments_total * TRUSTED_SEGMENT_SHARE:
        return max(items_done, round(finished_items / segments_complete * segments_total))
    if reported_items > 0:
        return max(items_done, reported_items)
    return None


def seconds_left(
    items_done: int, items_expected: int | None, items_per_second: float | None
) -> float | None:
    """The seconds until the end at this rate; None when unknown.

    It is unknown too when all that was expected is done and the copy still goes on.
    """
    if items_expected is None or not items_per_second or items_expected <= items_done:
        return None
    return (items_expected - items_done) / items_per_second


def share_done(
    items_done: int, items_expected: int | None, segments_complete: int, segments_total: int
) -> float:
    """The share that is done, from 0 to 1, for a bar. 1 means complete, and only that."""
    if segments_total > 0 and segments_complete >= segments_total:
        return 1.0
    if items_expected:
        share = items_done / items_expected
    elif segments_total > 0:
        share = segments_complete / segments_total
    else:
        share = 0.0
    return min(share, 0.99)
