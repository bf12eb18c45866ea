"""What a verification is told, beside the plan of the copy that it checks."""

import math
from pathlib import Path
from typing import Final

from msgspec import Struct

from dynaferry.errors import PlanError
from dynaferry.plan import CopyPlan, validate

DEFAULT_SETTLE_SECONDS: Final = 5.0
DEFAULT_LIMIT: Final = 20


class VerifyPlan(Struct, frozen=True, kw_only=True):
    """What to compare, and how.

    `copy` names the tables, the accounts, the limits and the state directory, as it does for a
    copy. `settle_seconds` lie between the two reads that confirm a difference. `sample_percent`
    of the segments are compared, all where it is None. At most `limit` differences of each table
    are told by their keys, with values only by `show_values`.
    """

    copy: CopyPlan
    settle_seconds: float = DEFAULT_SETTLE_SECONDS
    sample_percent: float | None = None
    limit: int = DEFAULT_LIMIT
    show_values: bool = False
    repair: bool = False
    delete_extra: bool = False
    certificate: Path | None = None

    @property
    def mends(self) -> bool:
        """Whether it may write to the target."""
        return self.repair or self.delete_extra


def validate_verify(plan: VerifyPlan) -> VerifyPlan:
    """Returns the plan if it makes sense.

    :raises PlanError: names the first setting that does not, and what it should be
    """
    validate(plan.copy)
    if not (math.isfinite(plan.settle_seconds) and plan.settle_seconds >= 0):
        raise PlanError("--settle must be a number of seconds, at least 0")
    if plan.sample_percent is not None and not 0 < plan.sample_percent <= 100:
        raise PlanError("--sample must be a percentage, more than 0 and at most 100")
    if plan.limit < 0:
        raise PlanError("--limit must be at least 0")
    return plan
