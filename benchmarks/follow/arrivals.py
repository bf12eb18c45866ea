"""What arrives on the target: how long after its write, and whether anything is out of order."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from benchmarks.follow.stream import Write


class LagOfSecond(Struct, frozen=True):
    """How late changes were that arrived in one second of a run, in seconds."""

    second: int
    count: int
    median: float
    p99: float
    most: float


class Arrived(Struct):
    """What the endpoint has seen so far of changes.

    `shown` records were given to whoever reads the stream, `requests` of them for pages of it.
    A change has arrived once its item is on the target in its version or a later one.
    """

    shown: int = 0
    requests: int = 0
    copied: int = 0
    applied: int = 0
    arrived: int = 0
    out_of_order: int = 0
    unknown: int = 0


class Arrivals:
    """Follows each change from its write to its arrival."""

    def __init__(self) -> None:
        self.seen = Arrived()
        self._under_way: dict[int, list[Write]] = defaultdict(list)
        self._newest: dict[int, int] = {}
        self._lags: dict[int, list[float]] = defaultdict(list)
        self._began_at: float | None = None

    def shown(self, writes: Sequence[Write]) -> None:
        """Somebody has read these in the stream, again or for the first time."""
        for write in writes:
            known = self._under_way[write.key]
            if (not known or known[-1].number < write.number) and (
                self._newest.get(write.key, -1) < write.number
            ):
                known.append(write)

    def came(self, key: int, number: int, now: float) -> None:
        """The target holds this version of the item."""
        newest = self._newest.get(key, -1)
        self.seen.out_of_order += number < newest
        under_way = self._under_way.get(key, [])
        if number > newest and not any(write.number == number for write in under_way):
            self.seen.unknown += 1
        self._newest[key] = max(newest, number)
        while under_way and under_way[0].number <= number:
            self._note(now - under_way.pop(0).written_at, now)
        if not under_way:
            self._under_way.pop(key, None)

    @property
    def under_way(self) -> int:
        """Changes that were shown and have not arrived."""
        return sum(map(len, self._under_way.values()))

    def by_second(self) -> list[LagOfSecond]:
        """The lags, second by second."""
        return [
            LagOfSecond(second, len(lags), share(lags, 0.5), share(lags, 0.99), max(lags))
            for second, lags in sorted(self._lags.items())
        ]

    def overall(self) -> LagOfSecond | None:
        """The lags of the whole run."""
        lags = [lag for of_second in self._lags.values() for lag in of_second]
        if not lags:
            return None
        return LagOfSecond(0, len(lags), share(lags, 0.5), share(lags, 0.99), max(lags))

    def _note(self, lag: float, now: float) -> None:
        self._began_at = now if self._began_at is None else self._began_at
        self._lags[int(now - self._began_at)].append(lag)
        self.seen.arrived += 1


class Lags(Struct, frozen=True):
    """What was measured of a run at a steady rate."""

    seen: Arrived
    under_way: int
    overall: LagOfSecond | None
    by_second: list[LagOfSecond]


def lags_of(arrivals: Arrivals) -> bytes:
    """All of it, to be sent."""
    return msgspec.json.encode(
        Lags(arrivals.seen, arrivals.under_way, arrivals.overall(), arrivals.by_second())
    )


def share(values: Sequence[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
