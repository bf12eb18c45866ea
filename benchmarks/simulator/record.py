"""Counts what happens to one table, second by second. Pure: the clock is passed in."""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.simulator.report import Percentiles, Second


@dataclass(slots=True)
class Counts:
    """The second that is running."""

    write_units: float = 0.0
    read_units: float = 0.0
    write_requests: int = 0
    read_requests: int = 0
    throttled_writes: int = 0
    throttled_reads: int = 0
    failed_requests: int = 0
    items_written: int = 0
    items_read: int = 0
    unprocessed_items: int = 0
    partial_writes: int = 0
    throttled_items: int = 0
    in_flight: int = 0
    production_units: float = 0.0
    production_lost_units: float = 0.0
    partition_write_units: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    partition_read_units: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    index_write_units: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    write_latencies: list[float] = field(default_factory=list)
    read_latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a table offers at a moment."""

    write_units: float
    read_units: float
    partitions: int
    indexes: Mapping[str, float]


class Record:
    """All seconds of one table."""

    def __init__(self) -> None:
        self.now = Counts()
        self._finished: list[Second] = []
        self._ends_at: list[float] = []  # a heap: when the requests in flight are answered

    def begin_request(self, now: float, latency_seconds: float) -> None:
        """A request came that is answered after `latency_seconds`."""
        heapq.heappush(self._ends_at, now + latency_seconds)
        self.now.in_flight = max(self.now.in_flight, self._in_flight(now))

    def end_second(self, offer: Offer, now: float) -> None:
        """The running second is over; who waits for an answer waits on in the next."""
        self._finished.append(self._second(offer))
        self.now = Counts(in_flight=self._in_flight(now))

    def seconds(self, offer: Offer) -> list[Second]:
        """Every second, with the running one as far as it is."""
        return [*self._finished, self._second(offer)]

    def _in_flight(self, now: float) -> int:
        # A request that is answered at once was still there.
        while self._ends_at and self._ends_at[0] < now:
            heapq.heappop(self._ends_at)
        return len(self._ends_at)

    def _second(self, offer: Offer) -> Second:
        now = self.now
        return Second(
            second=len(self._finished),
            write_units=now.write_units,
            read_units=now.read_units,
            write_capacity=offer.write_units,
            read_capacity=offer.read_units,
            write_requests=now.write_requests,
            read_requests=now.read_requests,
            throttled_writes=now.throttled_writes,
            throttled_reads=now.throttled_reads,
            failed_requests=now.failed_requests,
            items_written=now.items_written,
            items_read=now.items_read,
            unprocessed_items=now.unprocessed_items,
            in_flight=now.in_flight,
            production_units=now.production_units,
            production_lost_units=now.production_lost_units,
            partition_write_units=_listed(now.partition_write_units, offer.partitions),
            partition_read_units=_listed(now.partition_read_units, offer.partitions),
            index_write_units={
                name: now.index_write_units.get(name, 0.0) for name in offer.indexes
            },
            index_write_capacity=dict(offer.indexes),
            write_latency=_percentiles(now.write_latencies),
            read_latency=_percentiles(now.read_latencies),
            partial_writes=now.partial_writes,
            throttled_items=now.throttled_items,
        )


def _listed(units: Mapping[int, float], partitions: int) -> list[float]:
    return [units.get(partition, 0.0) for partition in range(partitions)]


def _percentiles(latencies: Sequence[float]) -> Percentiles | None:
    if not latencies:
        return None
    ordered = sorted(latencies)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Percentiles(p50=at(0.5), p95=at(0.95), p99=at(0.99), worst=ordered[-1])
