"""Plain counters of a running verification, beside those that it shares with a copy."""

from dataclasses import dataclass, field

from dynaferry.observe.request_counters import ReadCounters
from dynaferry.observe.stats import TableStats


@dataclass(slots=True)
class ComparisonStats(TableStats):
    """One table's counters. What is compared of the source counts as done (`items_written`).

    Read units and requests are of both sides. `unconfirmed` items are still to be read again,
    `differences` have been, and `refused` are those that the target does not take.
    `requests_in_flight` are of both sides, reads and writes; so are `requests_waiting`, for a pause
    or the pace.
    """

    target_items: int = 0
    requests_in_flight: int = 0
    requests_waiting: int = 0
    unconfirmed: int = 0
    differences: int = 0
    refused: int = 0


@dataclass(slots=True)
class ComparisonRunStats:
    """The counters of every table of a verification, in the plan's order, and what holds it."""

    run: str
    tables: list[ComparisonStats] = field(default_factory=list)
    paused: bool = False
    limits_in_words: str | None = None
    read_cap_units: float | None = None
    write_cap_units: float | None = None
    write_cap_is_scheduled: bool = False


class ComparisonReads(ReadCounters):
    """Counts the reads of both sides of a table."""

    def __init__(self, stats: ComparisonStats) -> None:
        super().__init__(stats)
        self._comparison = stats

    def waiting(self, more: int) -> None:
        """Adds `more` to the requests that wait for a pause or the rate; it may be negative."""
        self._comparison.requests_waiting += more

    def sent(self) -> None:
        """Counts a request that is sent."""
        self._comparison.read_requests += 1
        self._comparison.requests_in_flight += 1

    def ended(self) -> None:
        """One that was sent has ended, one way or the other."""
        self._comparison.requests_in_flight -= 1


class RepairWrites(ComparisonReads):
    """Counts the writes of a repair."""

    def sent(self) -> None:
        """Counts a request that is sent."""
        self._comparison.write_requests += 1
        self._comparison.requests_in_flight += 1

    def consumed(self, units: float) -> None:
        """Counts the units that a request consumed."""
        self._comparison.write_units += units
