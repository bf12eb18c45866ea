"""The meters of a benchmark: its cost, and the durations of its requests. Pure."""

from typing import Final

from dynaferry.bench.settings import Forecast, LatencySummary
from dynaferry.observe.histogram import Histogram, percentile

# From 10 microseconds to 12 minutes. Buckets grow by 5%: a percentile is off by less than that.
STOPWATCH_BOUNDS: Final = tuple(1e-5 * 1.05**step for step in range(372))


class CostMeter:
    """A meter that keeps the cost under `max_dollars`: nothing is sent that might go beyond.

    A request reserves what it is likely to cost, and is settled by what it did cost.
    """

    def __init__(self, max_dollars: float, price_per_million: float) -> None:
        self._max_dollars = max_dollars
        self._dollars_per_unit = price_per_million / 1e6
        self._reserved_units = 0.0
        self.units = 0.0
        self.is_full = False

    @property
    def dollars(self) -> float:
        """The dollars spent so far."""
        return self.units * self._dollars_per_unit

    def reserve(self, units: float) -> bool:
        """Sets `units` aside if they may be spent; returns whether."""
        expected = (self.units + self._reserved_units + units) * self._dollars_per_unit
        if expected > self._max_dollars:
            self.is_full = True
            return False
        self._reserved_units += units
        return True

    def settle(self, reserved: float, consumed: float) -> None:
        """Books what a request consumed in the place of what it had reserved, in units."""
        self._reserved_units -= reserved
        self.units += consumed


class Stopwatch:
    """The distribution of durations."""

    def __init__(self) -> None:
        self._durations = Histogram(STOPWATCH_BOUNDS)
        self._most = 0.0

    def note(self, seconds: float) -> None:
        """Adds a duration."""
        self._most = max(self._most, seconds)
        self._durations.add(seconds)

    def latency(self) -> LatencySummary | None:
        """The percentiles; None where nothing was noted."""
        if not self._durations.count:
            return None
        return LatencySummary(
            p50=self._percentile(0.5),
            p90=self._percentile(0.9),
            p99=self._percentile(0.99),
            max=_milliseconds(self._most),
        )

    def _percentile(self, share: float) -> float:
        seconds = percentile(self._durations.buckets, share, STOPWATCH_BOUNDS) or 0.0
        return _milliseconds(min(seconds, self._most))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def forecast(
    items: int, *, measured_items: int, seconds: float, units: float, price_per_million: float
) -> Forecast | None:
    """The forecast for `items` from what was measured; None where nothing was."""
    if measured_items == 0 or seconds <= 0:
        return None
    all_units = units / measured_items * items
    return Forecast(
        items=items,
        seconds=round(items / (measured_items / seconds), 1),
        units=round(all_units, 1),
        cost_dollars=round(all_units * price_per_million / 1e6, 4),
    )
