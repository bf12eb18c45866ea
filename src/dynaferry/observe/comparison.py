"""Plain counters of a running verification, beside those that it shares with a copy."""

from dataclasses import dataclass, field

from dynaferry.observe.stats import TableStats


@dataclass(slots=True)
class ComparisonStats(TableStats):
    """One table's counters. What is compared of the source counts as done (`items_written`).

    Read units and requests are of both sides. `unconfirmed` items are still to be read again,
    `differences` have been.
    """

    target_items: int = 0
    unconfirmed: int = 0
    differences: int = 0


@dataclass(slots=True)
class ComparisonRunStats:
    """The counters of every table of a verification, in the plan's order."""

    run: str
    tables: list[ComparisonStats] = field(default_factory=list)
