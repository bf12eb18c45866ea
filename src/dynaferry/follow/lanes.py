"""Whose fault a throttle of the follower is: some partition keys', or the whole table's.

A copy knows the key range of what it writes, since a segment is one. Changes come in any order, so
what tells them apart is the partition key: its hash is a lane. What the service names is taken as a
copy takes it. Of what it leaves without a word, the lanes tell: where as many others are written
without a throttle as there are lanes with one, those are full and the table is not. They are held
back at the rate that they take, found as a copy finds that of a key range, and the others go on.
Else it is the table's, and the limiter is told.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw
from zlib_ng import zlib_ng

from dynaferry.errors import ThrottledError
from dynaferry.follow.spool_records import Waiting
from dynaferry.throttle.attribution import ThrottleAttribution
from dynaferry.throttle.key_ranges import KeyRanges

LANES: Final = 256
# What is refused as a whole for its key range is of few of them, or of all.
FEW_LANES: Final = 3
# Which lanes are written and which are full is known from the last seconds, from one throttle on.
WINDOW_SECONDS: Final = 1.0
WATCHED_SECONDS: Final = 10.0
_BYTES_PER_UNIT: Final = 1024
_NO_LANE: Final = -1

_decode_key = msgspec.json.Decoder(dict[str, Raw]).decode


class Lanes:
    """The lanes of one table's changes. `partition_key` is None where the key has no other part."""

    def __init__(
        self, partition_key: str | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._partition_key = partition_key
        self._clock = clock
        now = clock()
        self._attribution = ThrottleAttribution(now=now)
        self._ranges = KeyRanges(None, now=now)
        self._written: set[int] = set()
        self._written_before: set[int] = set()
        self._full: set[int] = set()
        self._full_before: set[int] = set()
        self._window_ends_at = now
        self._watched_until = now

    def lane_of(self, row: Waiting) -> int:
        """The lane of a change."""
        if self._partition_key is None:
            return row.digest[0]
        return zlib_ng.crc32(_decode_key(row.key)[self._partition_key]) % LANES

    def sendable(self, rows: list[Waiting]) -> list[Waiting]:
        """Those of the rows whose lanes may be written now; they are taken as sent."""
        if not self._ranges.any_is_limited:
            return rows
        now, free = self._clock(), list[Waiting]()
        for row in rows:
            lane = self.lane_of(row)
            if self._ranges.free_at(lane) <= now:
                self._ranges.note_sent(lane, _units_of(row), now)
                free.append(row)
        return free

    def note_written(self, rows: Sequence[Waiting], units: float) -> None:
        """All of these was written, which took about so many units."""
        now = self._clock()
        self._attribution.accepted(now, items=len(rows))
        if now >= self._watched_until:
            self._ranges.note_written(_NO_LANE, units)
            return
        self._turn(now)
        for lane in map(self.lane_of, rows):
            self._written.add(lane)
            self._ranges.note_written(lane, units / len(rows))

    def is_left_for_all(self, rows: Sequence[Waiting], undone: Sequence[Waiting]) -> bool:
        """Of a batch of `rows`, `undone` were left; returns whether the table is full."""
        now, left = self._clock(), {row.number for row in undone}
        full = {self.lane_of(row) for row in undone}
        self._note(full, now)
        self._written.update(self.lane_of(row) for row in rows if row.number not in left)
        scope = self._attribution.left_undone(
            min(full), now, segments=self._lanes, items=len(rows), undone=len(undone)
        )
        if scope.undone_share:
            return False
        all_full = self._full | self._full_before
        others = (self._written | self._written_before) - all_full
        if len(others) < len(all_full):
            return True
        self._hold(full, now)
        return False

    def is_refused_for_all(self, rows: Sequence[Waiting], error: ThrottledError) -> bool:
        """A batch was refused as a whole; returns whether the table is full."""
        now, full = self._clock(), {self.lane_of(row) for row in rows}
        self._note(full, now)
        scope = self._attribution.refused(min(full), error.reasons, now, segments=self._lanes)
        if scope.segment and len(full) <= FEW_LANES:
            self._hold(full, now)
            return False
        return scope.table or scope.segment

    @property
    def _lanes(self) -> int:
        """How many are written of late."""
        return len(self._written | self._written_before | self._full | self._full_before)

    def _note(self, full: set[int], now: float) -> None:
        self._turn(now)
        self._watched_until = now + WATCHED_SECONDS
        self._full |= full

    def _turn(self, now: float) -> None:
        if now >= self._window_ends_at:
            self._written_before, self._written = self._written, set()
            self._full_before, self._full = self._full, set()
            self._window_ends_at = now + WINDOW_SECONDS

    def _hold(self, lanes: set[int], now: float) -> None:
        for lane in lanes:
            self._ranges.note_throttled(lane, now, segments=self._lanes)


def _units_of(row: Waiting) -> float:
    return max(1.0, -(-len(row.image or b"") // _BYTES_PER_UNIT))
