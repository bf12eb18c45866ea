"""One direction of one table or index: what it takes, in total and per partition. Pure.

A request passes when every bucket that it needs is open: the partition of its key, the limit that
the owner set, and the table's own. The first one that is not gives the reason, the most particular
first: who is told of a hot partition can write elsewhere.

The service documents no reason of its own for an on-demand table that is asked for more than twice
its previous peak. Of the four, only KeyRangeThroughputExceeded fits (the partitions for more are
not there yet), and so it is here.
"""

import math

from benchmarks.simulator.bucket import CapacityBucket, DecayedRate
from benchmarks.simulator.on_demand import Doubling
from benchmarks.simulator.places import KeySpace
from benchmarks.simulator.refusals import Direction, Limit, Reason, Resource
from benchmarks.simulator.settings import Capacity, OnDemand, Partitions, Provisioned


class Lane:
    """Reads or writes of a table or an index."""

    def __init__(
        self,
        capacity: Capacity,
        partitions: Partitions,
        space: KeySpace,
        *,
        direction: Direction,
        resource: Resource,
        arn: str,
        now: float,
    ) -> None:
        self._space = space
        is_write = direction == "Write"
        self._partition_units = partitions.write_units if is_write else partitions.read_units
        self._partition_burst_seconds = partitions.burst_seconds
        self._partition_saved_seconds = partitions.saved_seconds
        self._partitions: list[CapacityBucket] = []
        self._maximum: CapacityBucket | None = None
        self._doubling: Doubling | None = None
        if isinstance(capacity, Provisioned):
            self._total = _provisioned_bucket(capacity, now, is_write=is_write)
        else:
            self._doubling = _doubling(capacity, now, is_write=is_write)
            self._maximum = _maximum_bucket(capacity, now, is_write=is_write)
            self._total = CapacityBucket(
                self._doubling.allowed, depth_seconds=capacity.burst_seconds, now=now
            )
        self._reasons = _Reasons(resource, direction, arn)
        self._used = DecayedRate(now=now)
        self._split(now)

    @property
    def offered(self) -> float:
        """Units a second that this lane can take now, if they come evenly spread."""
        offered = min(self._total.units_per_second, self._space.count * self._partition_units)
        return offered if self._maximum is None else min(offered, self._maximum.units_per_second)

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return self._space.count

    def load(self, now: float) -> float:
        """How much of what is offered was used just now: 0 idle, 1 saturated."""
        return self._used.at(now) / self.offered

    def reason_against(self, place: int, now: float) -> Reason | None:
        """Why nothing can be taken at `place` now; None where it can."""
        if not self._partitions[self._space.partition_of(place)].is_open(now):
            return self._reasons.key_range
        if self._maximum is not None and not self._maximum.is_open(now):
            return self._reasons.maximum
        if self._total.is_open(now):
            return None
        if self._doubling is None:
            return self._reasons.provisioned
        return self._reasons.quota if self._doubling.is_at_quota else self._reasons.key_range

    def take(self, place: int, units: float) -> int:
        """Takes `units` at `place`; returns the number of the partition that gave them."""
        partition = self._space.partition_of(place)
        self._partitions[partition].take(units)
        self._total.take(units)
        if self._maximum is not None:
            self._maximum.take(units)
        if self._doubling is not None:
            self._doubling.use(units)
        return partition

    def note_load(self, units: float, now: float) -> None:
        """Counts units in the load: once per request, since it is not cheap."""
        self._used.add(units, now)

    def beat(self, now: float) -> None:
        """What changes with time alone: growth on demand, and partitions for it."""
        if self._doubling is not None and self._doubling.beat(now):
            self._grow(self._doubling.allowed, now)
        elif len(self._partitions) != self._space.count:
            self._split(now)

    def set_capacity(self, units_per_second: float, now: float) -> None:
        """Offers this much from now on, with the partitions that it takes."""
        if self._doubling is not None:
            self._doubling.set_allowed(units_per_second)
            units_per_second = self._doubling.allowed
        self._grow(units_per_second, now)

    def _grow(self, units_per_second: float, now: float) -> None:
        self._total.set_rate(units_per_second, now)
        self._space.grow_to(math.ceil(units_per_second / self._partition_units))
        self._split(now)

    def _split(self, now: float) -> None:
        """Partitions after a split are new, and have used nothing yet."""
        if len(self._partitions) != self._space.count:
            self._partitions = [
                CapacityBucket(
                    self._partition_units,
                    depth_seconds=self._partition_burst_seconds,
                    saved_seconds=self._partition_saved_seconds,
                    now=now,
                )
                for _ in range(self._space.count)
            ]


class _Reasons:
    """The reasons that one lane can give."""

    __slots__ = ("key_range", "maximum", "provisioned", "quota")

    def __init__(self, resource: Resource, direction: Direction, arn: str) -> None:
        def reason(limit: Limit) -> Reason:
            return Reason(f"{resource}{direction}{limit}", arn)

        self.key_range = reason("KeyRangeThroughputExceeded")
        self.provisioned = reason("ProvisionedThroughputExceeded")
        self.maximum = reason("MaxOnDemandThroughputExceeded")
        self.quota = reason("AccountLimitExceeded")


def partitions_needed(capacity: Capacity, partitions: Partitions) -> int:
    """How many partitions there are at the start: as set, or as the capacity needs."""
    if partitions.count is not None:
        return partitions.count
    return max(
        1,
        math.ceil(capacity.write_units / partitions.write_units),
        math.ceil(capacity.read_units / partitions.read_units),
    )


def _provisioned_bucket(capacity: Provisioned, now: float, *, is_write: bool) -> CapacityBucket:
    return CapacityBucket(
        capacity.write_units if is_write else capacity.read_units,
        depth_seconds=capacity.burst_seconds,
        saved_seconds=capacity.saved_seconds,
        now=now,
    )


def _doubling(capacity: OnDemand, now: float, *, is_write: bool) -> Doubling:
    return Doubling(
        capacity.write_units if is_write else capacity.read_units,
        quota=capacity.write_quota if is_write else capacity.read_quota,
        window_seconds=capacity.doubling_seconds,
        now=now,
    )


def _maximum_bucket(capacity: OnDemand, now: float, *, is_write: bool) -> CapacityBucket | None:
    units = capacity.max_write_units if is_write else capacity.max_read_units
    if units is None:
        return None
    return CapacityBucket(units, depth_seconds=capacity.burst_seconds, now=now)
