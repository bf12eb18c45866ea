"""What holds a follower's writes back, and what to do about it, from the counters of its table."""

from msgspec import Struct

from dynaferry.observe.rates import SlidingRate
from dynaferry.observe.stats import RunStats, TableStats

# Consumed of a cap from which on the cap is what limits: requests are admitted whole.
NEAR_CAP = 0.7


class HeldBy(Struct, frozen=True):
    """What limits, as in `held back by …`, and the remedy, as in `…, or lower what is written`."""

    what: str
    remedy: str


class HeldBack:
    """Watches the counters of one table; sampled about once a second.

    `own_cap` is the table's cap on writes in the plan, in units a second.
    """

    def __init__(self, run: RunStats, table: TableStats, own_cap: float | None = None) -> None:
        self.run = run
        self.table = table
        self._own_cap = own_cap
        self._writes, self._reads = SlidingRate(), SlidingRate()
        self._throttles = SlidingRate()

    def note(self, now: float) -> None:
        """Takes a sample at `now`, in seconds."""
        table = self.table
        self._writes.add(now, table.write_units)
        self._reads.add(now, table.read_units)
        self._throttles.add(now, table.throttled("BatchWriteItem") + table.unprocessed_items)

    def by(self, *, reads_again: bool) -> HeldBy | None:
        """What holds it back now; `reads_again` is whether keys wait to be read again."""
        run = self.run
        if run.paused:
            return HeldBy("a pause", f"resume it (dynaferry resume {run.run})")
        if _is_near(self._writes, run.write_cap_units):
            return _cap("write", run.write_cap_units, run.run)
        if _is_near(self._writes, self._own_cap):
            return HeldBy(
                f"the table's own cap of {self._own_cap:g} write units a second",
                "raise its max_write_units in the plan",
            )
        if self._throttles.per_second:
            place = self.table.bottleneck or "the target, which throttles"
            return HeldBy(place, "raise its capacity")
        if reads_again and _is_near(self._reads, run.read_cap_units):
            return _cap("read", run.read_cap_units, run.run)
        return None


def _is_near(rate: SlidingRate, cap: float | None) -> bool:
    return cap is not None and (rate.per_second or 0.0) >= NEAR_CAP * cap


def _cap(kind: str, cap: float | None, run: str) -> HeldBy:
    return HeldBy(
        f"the cap of {cap:g} {kind} units a second",
        f"raise --max-{kind}-units (dynaferry set {run} --max-{kind}-units N)",
    )
