"""What of a target's stream is not ours: before the switch nobody else has to write there. Pure.

Each change of the target is of a key that was sent a moment before, by whoever applies the source's
changes; a key that was not is somebody else's. What was sent is remembered for some minutes, and
what the stream shows is looked at only as far back as all that was sent is remembered: so what is
told is not ours, while some of what is not ours, of keys that we wrote as well, is not told.

Times are those of one clock, in seconds since the epoch; records have theirs rounded down.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.spool_records import Waiting
from dynaferry.ports import ChangeRecord

REMEMBERED_SECONDS: Final = 600.0
MOST_REMEMBERED: Final = 500_000
# A request takes effect for so long after it was sent, and the time of a record is rounded down.
_LANDS_WITHIN_SECONDS: Final = LATE_WRITE_SECONDS + 5.0
_MOST_FOREIGN: Final = 1_000


class OwnWrites:
    """The keys that were sent to a target of late, and those that it was written besides."""

    def __init__(self) -> None:
        self._since = math.inf
        self._sent: OrderedDict[bytes, float] = OrderedDict()
        self._foreign: dict[bytes, tuple[bytes, float]] = {}

    def begin(self, now: float) -> None:
        """From `now` on everything that is sent is told of."""
        self._since = now

    def sent(self, rows: Iterable[Waiting], now: float) -> None:
        """These are about to be sent."""
        for row in rows:
            self._sent[row.digest] = now
            self._sent.move_to_end(row.digest)
        while self._sent:
            digest, at = next(iter(self._sent.items()))
            if now - at <= REMEMBERED_SECONDS and len(self._sent) <= MOST_REMEMBERED:
                break
            del self._sent[digest]
            self._since = max(self._since, at)

    def seen(self, changes: Sequence[ChangeRecord], now: float) -> bool:
        """Takes what the target's stream shows; returns whether some of it is the first foreign."""
        had_foreign = bool(self._foreign)
        for change in changes:
            is_remembered = change.created_at - _LANDS_WITHIN_SECONDS > self._since
            is_foreign = is_remembered and change.digest not in self._sent and not change.is_expiry
            if is_foreign and len(self._foreign) < _MOST_FOREIGN:
                self._foreign[change.digest] = (change.key, now)
        return bool(self._foreign) and not had_foreign

    def foreign(self, now: float) -> list[bytes]:
        """The keys that somebody else has written to the target in the last minutes."""
        self._foreign = {
            digest: (key, at)
            for digest, (key, at) in self._foreign.items()
            if now - at <= REMEMBERED_SECONDS
        }
        return [key for key, _ in self._foreign.values()]
