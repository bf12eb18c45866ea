"""The limits of a run: the caps that its tables share, and its pause."""

import math
import time
from collections.abc import Callable

from dynaferry.plan.settings import CopyPlan
from dynaferry.throttle.adaptive_limiter import AdaptiveLimiter, first_units
from dynaferry.throttle.cap import Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.rate_profile import EAGER, POLITE, RateProfile
from dynaferry.throttle.retry import Patience


class RunCaps:
    """The caps that a run's tables share, each changeable, and the run's pause."""

    def __init__(self, plan: CopyPlan, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.read = Cap(plan.max_read_units, clock=clock)
        self.write = Cap(plan.max_write_units, clock=clock)
        self.gate = PauseGate()

    def __repr__(self) -> str:
        paused = "" if self.gate.is_open else ", paused"
        return f"<{type(self).__name__} read {self.read!r}, write {self.write!r}{paused}>"

    def read_limiter(
        self, table_max_units: float | None, ceiling: float = math.inf
    ) -> AdaptiveLimiter:
        """The read limiter of a table with this cap of its own, in units a second, and never above
        `ceiling`.
        """
        return self._limiter(POLITE, table_max_units, self.read, ceiling)

    def write_limiter(self, table_max_units: float | None) -> AdaptiveLimiter:
        """The write limiter of a table with this cap of its own, in units a second."""
        return self._limiter(EAGER, table_max_units, self.write, math.inf)

    def patience(self, seconds: float) -> Patience:
        """A side's patience, which does not run out while the run is paused."""
        return Patience(seconds, clock=self.gate.open_clock)

    def _limiter(
        self, temper: RateProfile, own_max_units: float | None, of_run: Cap, ceiling: float
    ) -> AdaptiveLimiter:
        caps = [of_run]
        if own_max_units is not None:  # for good: only the run's caps change
            caps.insert(0, Cap(own_max_units, clock=self.clock))
        controller = RateController(temper, now=self.clock(), ceiling=ceiling)
        return AdaptiveLimiter(
            controller,
            CapLimiter(caps, self.gate),
            scatter=temper is POLITE,
            first_units=first_units(ceiling),
            clock=self.clock,
        )
