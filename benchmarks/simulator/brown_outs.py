"""The spans in which a table takes nothing. Pure; times are seconds since the table's start."""

from collections.abc import Iterable

from benchmarks.simulator.refusals import Direction, Reason, Refusal, throttle, unavailable
from benchmarks.simulator.settings import BrownOut


class BrownOuts:
    """All of one table's."""

    def __init__(self, planned: Iterable[BrownOut], arn: str, *, on_demand: bool) -> None:
        self._spans = [(span.start_seconds, span) for span in planned]
        self._arn = arn
        self._on_demand = on_demand

    def add(self, span: BrownOut, seconds: float) -> None:
        """Adds one whose start counts from `seconds`."""
        self._spans.append((seconds + span.start_seconds, span))

    def refusal_at(self, seconds: float, direction: Direction) -> Refusal | None:
        """How everything is refused now; None where it is not."""
        for start_seconds, span in self._spans:
            if start_seconds <= seconds < start_seconds + span.seconds:
                return self._refusal(span, direction)
        return None

    def _refusal(self, span: BrownOut, direction: Direction) -> Refusal:
        if span.answer != "throttle":
            return unavailable(span.answer)
        limit = "KeyRange" if self._on_demand else "Provisioned"
        reason = Reason(f"Table{direction}{limit}ThroughputExceeded", self._arn)
        return throttle([reason], on_demand=self._on_demand)
