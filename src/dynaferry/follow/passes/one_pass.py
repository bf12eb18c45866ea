"""One pass: every key of both sides compared, as `verify` does it, and what differs repaired.

It is `verify --repair --delete-extra`: read consistently, each difference seen twice, and written
only where the target still is what was seen. So a writer of the source beside it is no harm; what
changes behind it is for the next pass.
"""

import time
from collections.abc import Callable
from typing import Final, Literal

import anyio
from msgspec.structs import replace

from dynaferry.errors import DynaferryError
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.passes.convergence import LAST_SETTLE_SECONDS, SETTLE_SECONDS
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say
from dynaferry.state.move_records import PassRecord, TablePass
from dynaferry.stop import StopSignal
from dynaferry.verify.run import execute
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import ENDED
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats
from dynaferry.verify.summary import ComparisonSummary, VerifyOutcome

Phase = Literal["opening", "reading", "settling", "repairing"]
PHASES: Final[tuple[Phase, ...]] = ("opening", "reading", "settling", "repairing")
_LOOK_SECONDS: Final = 0.1
_MOST_TOLD: Final = 5
# Said by a verification that a person asks for; a pass begins anew each time, and tells the rest.
_NOT_OF_A_PASS: Final = ("starting over:", "its repair wrote", "items that the copy rejected")


class OnePass:
    """One pass. `phase` is what it does now, `share` how much is compared by now."""

    def __init__(
        self,
        plan: CopyPlan,
        begun: PassRecord,
        stop: StopSignal,
        say: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._begun = begun
        self._stop = stop
        self._say = say
        self._clock = clock
        self._stats = ComparisonRunStats(plan.run_name)
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._retried_reads: dict[str, int] = {}
        self._since = anyio.current_time()
        self.phase: Phase = "opening"
        self._outcome: VerifyOutcome | None = None

    @property
    def error(self) -> DynaferryError | None:
        """What ended it before its time, where something did."""
        return None if self._outcome is None else self._outcome.error

    @property
    def number(self) -> int:
        """Which one it is."""
        return self._begun.number

    @property
    def share(self) -> float:
        """How much of both sides is compared by now, of 1."""
        whole = sum(table.segments_total for table in self._stats.tables)
        return sum(table.segments_complete for table in self._stats.tables) / whole if whole else 0

    @property
    def may_have_written(self) -> bool:
        """Whether a table was written, or may have been: one repairs while another is read."""
        return any(map(_may_have_written, self._stats.tables))

    def end_reading(self) -> None:
        """Ends it at once, unless every table is read; then it goes on to its end."""
        if self.phase != "repairing" and not self._stop.asked:
            self._stop.ask()

    async def make(self) -> PassRecord:
        """Makes it; errors are in what is given back."""
        is_last = self._begun.is_last
        plan = VerifyPlan(
            copy=replace(self._plan, restart=False, run=self._plan.run_name),
            settle_seconds=LAST_SETTLE_SECONDS if is_last else SETTLE_SECONDS,
            limit=_MOST_TOLD,
            repair=True,
            delete_extra=True,
            consistent_read=True,
        )
        outcome = await execute(plan, stop=self._stop, watch=self._watch, say=self._say_of_it)
        self._note_phase()
        self._enter(self.phase)
        self._outcome = outcome
        return self._record(outcome)

    async def _watch(self, stats: ComparisonRunStats) -> None:
        """Notes when each phase begins."""
        self._stats = stats
        while True:
            self._note_phase()
            await anyio.sleep(_LOOK_SECONDS)

    def _note_phase(self) -> None:
        for table in self._stats.tables:
            if _phase(table) != "repairing":
                self._retried_reads[table.target] = table.retried_requests
        phase = min(map(_phase, self._stats.tables), key=PHASES.index, default=self.phase)
        if PHASES.index(phase) > PHASES.index(self.phase):
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        now = anyio.current_time()
        self._seconds[self.phase] += now - self._since
        self.phase, self._since = phase, now

    def _say_of_it(self, line: str) -> None:
        if not any(words in line for words in _NOT_OF_A_PASS):
            self._say(line)

    def _record(self, outcome: VerifyOutcome) -> PassRecord:
        summary, error, now = outcome.summary, outcome.error, self._clock()
        refused = [table.refused for table in self._stats.tables] or [0] * len(summary.tables)
        tables = [_found(*each) for each in zip(summary.tables, refused, strict=True)]
        is_cut_short = error is not None or summary.status not in ENDED
        may_land = any(self._may_land(table, is_cut_short) for table in self._stats.tables)
        return replace(
            self._begun,
            ended_at=now,
            opening_seconds=self._seconds["opening"],
            reading_seconds=self._seconds["reading"],
            settling_seconds=self._seconds["settling"],
            repairing_seconds=self._seconds["repairing"],
            may_land_until=now + LATE_WRITE_SECONDS if may_land else None,
            is_complete=error is None and summary.status in ENDED and summary.consistent_read,
            error=None if error is None else error.message,
            tables=tuple(tables),
        )

    def _may_land(self, table: ComparisonStats, is_cut_short: bool) -> bool:
        """Whether nobody knows of a write to the table whether it will still take effect: it was
        sent again without a response (of reads that is no harm), or its repair was cut short.
        """
        is_sent_again = table.retried_requests > self._retried_reads.get(table.target, 0)
        is_cut_short = is_cut_short and table.state != "complete"
        return _may_have_written(table) and (is_sent_again or is_cut_short)


def _may_have_written(table: ComparisonStats) -> bool:
    return table.write_requests > 0 or _phase(table) == "repairing"


def _phase(table: ComparisonStats) -> Phase:
    """What a table does; one that waits for its turn is to be read."""
    if table.segments_complete < table.segments_total:
        return "reading"
    return "settling" if table.unconfirmed else "repairing"


def _found(table: ComparisonSummary, refused: int) -> TablePass:
    left = table.missing + table.extra + table.different
    repaired = table.written + table.deleted
    replaced = table.overwritten + table.unseen
    return TablePass(
        source=table.source,
        target=table.target,
        items=table.source_items,
        found=left + repaired + replaced + table.in_flux + table.rejected,
        repaired=repaired,
        in_flux=table.in_flux,
        left=left,
        refused=refused,
        rejected=table.rejected,
        is_equal=table.status == "equal",
    )
