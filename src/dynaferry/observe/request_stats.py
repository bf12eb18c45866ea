"""The outcomes and durations of an operation's requests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dynaferry.observe.histogram import Histogram

# `unprocessed`: a response with a remainder that is sent again. `refused`: for the content of an
# item. `stopped`: for a reason that ends the run.
RequestOutcome = Literal[
    "ok", "unprocessed", "throttled", "unavailable", "corrupt", "refused", "stopped"
]


@dataclass(slots=True)
class RequestStats(Histogram):
    """The requests of one operation in this attempt, and their times."""

    outcomes: dict[RequestOutcome, int] = field(default_factory=dict)

    def note(self, outcome: RequestOutcome, seconds: float) -> None:
        """Counts a request that ended."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.add(seconds)

    def note_all(self, outcome: RequestOutcome, seconds: Sequence[float]) -> None:
        """Counts requests that ended alike."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + len(seconds)
        self.add_all(seconds)
