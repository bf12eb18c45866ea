"""Counts requests as they go: what one kind of them does to the counters of its table."""

from collections.abc import Iterable

from dynaferry.observe.stats import TableStats


class ReadCounters:
    """Counts the reads of a table."""

    def __init__(self, stats: TableStats) -> None:
        self._stats = stats

    def waiting(self, more: int) -> None:
        """Adds `more` to the requests that wait for a pause or the rate; it may be negative."""
        self._stats.reads_waiting += more

    def sent(self) -> None:
        """Counts a request that is sent."""
        self._stats.read_requests += 1
        self._stats.read_requests_in_flight += 1

    def ended(self) -> None:
        """One that was sent has ended, one way or the other."""
        self._stats.read_requests_in_flight -= 1

    def retried(self) -> None:
        """One failed in a way that lets it be tried again."""
        self._stats.retried_requests += 1

    def throttled(self, operation: str, reasons: Iterable[str]) -> None:
        """One was refused for its rate."""
        self._stats.note_throttle(operation, reasons)

    def consumed(self, units: float) -> None:
        """Counts the units that a request consumed."""
        self._stats.read_units += units


class WriteCounters(ReadCounters):
    """Counts the writes of a table; nobody asks how many of them wait."""

    def waiting(self, more: int) -> None:
        """Is not counted."""

    def sent(self) -> None:
        """Counts a request that is sent."""
        self._stats.write_requests += 1
        self._stats.write_requests_in_flight += 1

    def ended(self) -> None:
        """One that was sent has ended, one way or the other."""
        self._stats.write_requests_in_flight -= 1

    def consumed(self, units: float) -> None:
        """Counts the units that a request consumed."""
        self._stats.write_units += units
