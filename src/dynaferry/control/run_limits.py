"""The limits of a run: the caps that its tables share, those of each table, and what is paused."""

import math
import time
from collections.abc import Callable

from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.throttle.adaptive_limiter import AdaptiveLimiter, first_units
from dynaferry.throttle.cap import Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.rate_profile import EAGER, POLITE, RateProfile
from dynaferry.throttle.retry import Patience


class RunCaps:
    """The caps that a run's tables share, each changeable, and the run's pause.

    `tables` are the limits of each table, by the name of its target.
    """

    def __init__(self, plan: CopyPlan, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.read = Cap(plan.max_read_units, clock=clock)
        self.write = Cap(plan.max_write_units, clock=clock)
        self.gate = PauseGate()
        self.tables = {table.target_name: TableCaps(self, table) for table in plan.tables}

    def __repr__(self) -> str:
        paused = "" if self.gate.is_open else ", paused"
        return f"<{type(self).__name__} read {self.read!r}, write {self.write!r}{paused}>"

    def of_table(self, table: TablePlan) -> "TableCaps":
        """The limits of a table: one of the plan, or another that shares the caps with them."""
        return self.tables.get(table.target_name) or TableCaps(self, table)


class TableCaps:
    """The limits of one table of a run: caps of its own beside the run's, and its pause.

    It is paused where it is or the run is.
    """

    def __init__(self, run: RunCaps, planned: TablePlan) -> None:
        self.planned = planned
        self.read = Cap(planned.max_read_units, clock=run.clock)
        self.write = Cap(planned.max_write_units, clock=run.clock)
        self.gate = PauseGate(within=run.gate)
        self._run = run

    def __repr__(self) -> str:
        paused = "" if self.gate.is_open else ", paused"
        return f"<{type(self).__name__} read {self.read!r}, write {self.write!r}{paused}>"

    def read_limiter(self, ceiling: float = math.inf) -> AdaptiveLimiter:
        """A read limiter that obeys them, and never goes above `ceiling` units a second."""
        return self._limiter(POLITE, (self.read, self._run.read), ceiling)

    def write_limiter(self) -> AdaptiveLimiter:
        """A write limiter that obeys them."""
        return self._limiter(EAGER, (self.write, self._run.write), math.inf)

    def patience(self, seconds: float) -> Patience:
        """A side's patience, which does not run out while the table is paused."""
        return Patience(seconds, clock=self.gate.open_clock)

    def _limiter(
        self, profile: RateProfile, caps: tuple[Cap, Cap], ceiling: float
    ) -> AdaptiveLimiter:
        controller = RateController(profile, now=self._run.clock(), ceiling=ceiling)
        return AdaptiveLimiter(
            controller,
            CapLimiter(caps, self.gate),
            scatter=profile is POLITE,
            first_units=first_units(ceiling),
            clock=self._run.clock,
        )
