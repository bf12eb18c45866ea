"""A stream of synthetic changes: what was written when, and what of it may be seen by now."""

import random
from array import array
from bisect import bisect_right
from typing import NamedTuple

# A record is visible so many seconds after its write, and not before the one ahead of it.
VISIBLE_AFTER = (0.2, 0.8)


class Write(NamedTuple):
    """One change: the item `key` got its version `number` in its shard."""

    number: int
    key: int
    written_at: float


class ShardOfWrites:
    """The writes of one shard, made up when somebody looks. Keys are the shard's own."""

    def __init__(self, number: int, shards: int, keys: int, seed: int) -> None:
        self._number = number
        self._shards = shards
        self._keys = max(1, keys // shards)
        self._chance = random.Random(f"{seed}/{number}")
        self._written = array("d")
        self._visible = array("d")
        self._key = array("q")
        self._mean_seconds = self._next_at = self._until = 0.0

    def __len__(self) -> int:
        return len(self._written)

    def flood(self, count: int, now: float) -> None:
        """So many are written and visible at once, each to a key of its own."""
        for place in range(len(self), len(self) + count):
            self._add(place, now, now)

    def write(self, per_second: float, now: float, until: float) -> None:
        """From now on writes come at this rate, at random, until then."""
        self._mean_seconds, self._until = 1 / per_second, until
        self._next_at = now + self._pause()

    def visible(self, after: int, limit: int, now: float) -> list[Write]:
        """Up to `limit` writes behind the number `after` that may be seen at `now`."""
        self._make_up(now)
        end = min(bisect_right(self._visible, now), after + limit)
        return [Write(n, self._key[n], self._written[n]) for n in range(after, end)]

    def _make_up(self, now: float) -> None:
        while self._next_at <= now and self._next_at < self._until:
            visible = self._next_at + self._chance.uniform(*VISIBLE_AFTER)
            before = self._visible[-1] if self._visible else 0.0
            self._add(self._chance.randrange(self._keys), self._next_at, max(before, visible))
            self._next_at += self._pause()

    def _pause(self) -> float:
        return self._chance.expovariate(1 / self._mean_seconds)

    def _add(self, key: int, written_at: float, visible_at: float) -> None:
        self._key.append(key * self._shards + self._number)
        self._written.append(written_at)
        self._visible.append(visible_at)
