"""Rates of numbers that only grow: plain arithmetic, with the clock passed in."""

from collections import deque

DEFAULT_WINDOW_SECONDS = 30.0


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
