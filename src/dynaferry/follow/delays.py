"""How long a stream holds records back, as far as that can be seen from outside. Pure.

A record says in whole seconds when it was made, and it began to show at some moment between the
last read that did not have it and the read that has. So its delay is known within two bounds:

- `at_least`: from the end of the second that it says, to the last read without it. All of that is
  the service's: neither the rounding nor our polls are in it.
- `at_most`: from the beginning of that second until the page was here. The rounding, the pause
  between two reads and the response's way are in it.

What waited because nobody read says nothing: a shard's records from before it was read, what lies
behind a full page, and how long nobody asked. The time from a page to the disk is not in it either.

Records are dated by the service's clock and reads by ours. A record from the future shows by how
much ours is behind at least, and delays are longer by that. A clock that is ahead makes every delay
longer than it is, which costs time and is safe.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from dynaferry.shared.arn import arn_region

# Creation times are rounded down to the second [M:StreamRecord].
ROUNDED_SECONDS: Final = 1.0
DELAY_WINDOW_SECONDS: Final = 600.0
# DynamoDB Local rounds down to the minute; its streams are known by their region.
LOCAL_ROUNDED_SECONDS: Final = 60.0
LOCAL_REGION: Final = "ddblocal"
# Of a shard that was not read for longer nobody can say when a record began to show.
AT_THE_TIP_SECONDS: Final = 2.0


def rounding_of(stream_arn: str) -> float:
    """To how many seconds the creation times of this stream's records are rounded down."""
    return LOCAL_ROUNDED_SECONDS if arn_region(stream_arn) == LOCAL_REGION else ROUNDED_SECONDS


class ReadRecords(Struct, frozen=True):
    """A page with records: when it was asked for and was here, and when its records were made.

    `watched_since` is when its shard began to be read, `asked_before` when it was read before.
    """

    asked_at: float
    came_at: float
    oldest_created_at: float
    newest_created_at: float
    watched_since: float
    asked_before: float


class DelayWatch:
    """The longest delays of the last ten minutes. `rounded_by`: times are rounded down to that."""

    def __init__(self, rounded_by: float = ROUNDED_SECONDS) -> None:
        self._rounded_by = rounded_by
        self._behind = 0.0
        self._at_least = _Largest()
        self._at_most = _Largest()

    @property
    def at_least(self) -> float:
        """The longest that there surely was."""
        return self._at_least.value

    @property
    def at_most(self) -> float:
        """The longest that there may have been."""
        return max(self._at_most.value, self.at_least)

    def note(self, read: ReadRecords) -> None:
        """Takes a page; the one before it did not leave any of these behind."""
        self._behind = max(self._behind, read.newest_created_at - read.came_at)
        made_by = max(read.oldest_created_at + self._rounded_by - self._behind, read.watched_since)
        self._at_least.note(read.came_at, read.asked_before - made_by)
        if read.asked_at - read.asked_before <= AT_THE_TIP_SECONDS:
            # Of coarser times than the service's only that is taken which they leave.
            coarser = self._rounded_by - ROUNDED_SECONDS
            made_from = max(read.oldest_created_at + coarser - self._behind, read.watched_since)
            self._at_most.note(read.came_at, read.came_at - made_from)

    def forget(self, now: float) -> None:
        """What was seen ten minutes ago counts no more."""
        for largest in (self._at_least, self._at_most):
            largest.forget(now - DELAY_WINDOW_SECONDS)


class _Largest:
    """The largest of the values noted of late, 0 without any."""

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        # Of each the later ones are smaller: a smaller one before a larger one never counts.
        self._noted: deque[tuple[float, float]] = deque()

    @property
    def value(self) -> float:
        return self._noted[0][1] if self._noted else 0.0

    def note(self, at: float, value: float) -> None:
        if value <= 0.0:
            return
        while self._noted and self._noted[-1][1] <= value:
            self._noted.pop()
        self._noted.append((at, value))

    def forget(self, before: float) -> None:
        while self._noted and self._noted[0][0] < before:
            self._noted.popleft()
