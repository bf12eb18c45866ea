"""What a target leaves undone whatever the rate is. Pure: the clock is passed in.

A batch may come back in part because something is full, or because some of its items failed inside
the service [M:BatchWriteItem]; the response does not say which. What is full has a limit: at a
lower rate nothing is left undone. So items that are left at the same share while the rate goes
down, a few of each batch and not the rest of one, are no throttle: to slow down for them would go
on for ever. More than that share is left for another reason, and is one.
"""

import math
from collections import deque
from typing import Final

from msgspec import Struct

# A window is closed after so long, once so many batches were not whole, or after so long anyway.
UNDONE_WINDOW_SECONDS: Final = 0.4
LEAST_BATCHES: Final = 6
LONGEST_WINDOW_SECONDS: Final = 2.0
MOST_WINDOWS: Final = 12
LEAST_WINDOWS: Final = 4
# The slower half of the windows is that much slower, and leaves at least so much of the share.
SLOWER: Final = 0.88
SAME_UNDONE_SHARE: Final = 0.6
# A larger share than this is an outage, whatever the rate is.
MOST_SHARE: Final = 0.3
# Of the batches that are not whole, no more is left than so many times what chance would leave.
MOST_CLUSTERED: Final = 2.0
# More than the known share by so much of it, and by chance, is left for another reason.
MORE: Final = 1.5
DEVIATIONS: Final = 3.0
NEWEST_WINDOW_WEIGHT: Final = 0.2
# The newest so many items say it at once, and with some chance.
RECENT_ITEMS: Final = 300.0
# When it is less than so much of what is known, it is not there any more.
GONE_SHARE: Final = 0.3
# With nothing left undone for so long, nobody looks any more.
FORGOTTEN_SECONDS: Final = 20.0


class _Window(Struct):
    began: float
    seconds: float = 0.0
    items: int = 0
    undone: int = 0
    batches: int = 0
    touched: int = 0

    @property
    def rate(self) -> float:
        return self.items / max(self.seconds, 1e-9)


class Undone:
    """Of one table's writes. `share` is what is left undone whatever the rate is, 0 if nothing is.

    `is_watched` says whether whole batches are to be noted as well.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.is_watched = False
        self._windows: deque[_Window] = deque(maxlen=MOST_WINDOWS)
        self._open = _Window(0.0)
        self._last_at = 0.0
        self._recent = 0.0

    def note(self, items: int, undone: int, now: float, *, batches: int = 1) -> None:
        """The responses to `batches` with `items` together came, of which `undone` were left."""
        if undone:
            self._last_at = now
            if not self.is_watched:
                self._watch(now)
        elif now > self._last_at + FORGOTTEN_SECONDS:
            self.is_watched, self.share = False, 0.0
            return
        window = self._open
        window.items += items
        window.undone += undone
        window.batches += batches
        window.touched += undone > 0
        # By items: what is left of a batch is a batch of a few, and they would weigh as much.
        weight = 1 - (1 - 2 / RECENT_ITEMS) ** items
        self._recent += weight * (undone / items - self._recent)
        seconds = now - window.began
        is_enough = seconds >= UNDONE_WINDOW_SECONDS and window.touched >= LEAST_BATCHES
        if is_enough or seconds >= LONGEST_WINDOW_SECONDS:
            self._close(seconds, now)

    def is_usual(self) -> bool:
        """Whether what is left undone now is what is left at any rate."""
        if not self.share:
            return False
        deviation = math.sqrt(self.share * (1 - self.share) / RECENT_ITEMS)
        return self._recent <= max(MORE * self.share, self.share + DEVIATIONS * deviation)

    def _watch(self, now: float) -> None:
        self.is_watched = True
        self._windows.clear()
        self._open = _Window(now)
        self._recent = 0.0

    def _close(self, seconds: float, now: float) -> None:
        window = self._open
        window.seconds = seconds
        self._open = _Window(now)
        if _is_clustered(window):
            self._windows.clear()
            return
        self._windows.append(window)
        if self.share:
            self._follow(window)
        elif len(self._windows) >= LEAST_WINDOWS:
            self._compare_halves()

    def _follow(self, window: _Window) -> None:
        share = window.undone / window.items
        if share < GONE_SHARE * self.share and window.batches >= LEAST_BATCHES / self.share:
            self.share = 0.0
        elif share <= MORE * self.share:
            self.share += NEWEST_WINDOW_WEIGHT * (share - self.share)

    def _compare_halves(self) -> None:
        """Whether the slower half of the windows leaves as much as the faster one."""
        by_rate = sorted(self._windows, key=lambda window: window.rate)
        half = len(by_rate) // 2
        slow, fast = by_rate[:half], by_rate[-half:]
        slow_share, fast_share = _share(slow), _share(fast)
        if _rate(slow) > SLOWER * _rate(fast) or fast_share > MOST_SHARE:
            return
        if slow_share >= SAME_UNDONE_SHARE * fast_share > 0:
            self.share = min(MOST_SHARE, _share(by_rate))


def _is_clustered(window: _Window) -> bool:
    """Whether the rest of some batches is left, and not a few items of any."""
    if not window.touched:
        return False
    share, items = window.undone / window.items, window.items / window.batches
    by_chance = items * share / (1 - (1 - share) ** items) if share < 1 else items
    return window.undone / window.touched > MOST_CLUSTERED * by_chance


def _share(windows: list[_Window]) -> float:
    return sum(w.undone for w in windows) / sum(w.items for w in windows)


def _rate(windows: list[_Window]) -> float:
    return sum(w.items for w in windows) / sum(w.seconds for w in windows)
