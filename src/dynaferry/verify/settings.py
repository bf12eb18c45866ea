"""What a verification is told, beside the plan of the copy that it checks."""

import math
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.errors import PlanError
from dynaferry.plan.settings import CopyPlan
from dynaferry.plan.validation import validate

DEFAULT_SETTLE_SECONDS: Final = 5.0
DEFAULT_LIMIT: Final = 20


class VerifyPlan(Struct, frozen=True, kw_only=True):
    """What to compare, and how.

    `copy` names the tables, the accounts, the limits and the state directory, as it does for a
    copy. `settle_seconds` lie between the two reads that confirm a difference. `sample_percent`
    of the segments are compared, all where it is None. At most `limit` differences of each table
    are told by their keys, with values only by `show_values`.

    What proves something (a repair, a deletion, a certificate) begins anew unless `resume` says
    otherwise, and scans with consistent reads unless `consistent_read` says otherwise; all else
    resumes what is unfinished, and scans as `copy.consistent_read` says.
    """

    copy: CopyPlan
    settle_seconds: float = DEFAULT_SETTLE_SECONDS
    sample_percent: float | None = None
    limit: int = DEFAULT_LIMIT
    show_values: bool = False
    repair: bool = False
    delete_extra: bool = False
    certificate: Path | None = None
    resume: bool = False
    consistent_read: bool | None = None

    @property
    def proves(self) -> bool:
        """Whether something is done or filed away because of what it finds."""
        return self.mends or self.certificate is not None

    @property
    def begins_anew(self) -> bool:
        """Whether an unfinished verification is dropped rather than resumed."""
        return self.copy.restart or (self.proves and not self.resume)

    @property
    def scans_consistently(self) -> bool:
        """Whether both sides are scanned with consistent reads, for twice the units."""
        if self.consistent_read is None:
            return self.copy.consistent_read or self.proves
        return self.consistent_read

    @property
    def mends(self) -> bool:
        """Whether it may write to the target."""
        return self.repair or self.delete_extra


def validate_verify(plan: VerifyPlan) -> VerifyPlan:
    """The plan if it makes sense, with its regions filled in.

    :raises PlanError: names the first setting that does not, and what it should be
    """
    copy = validate(plan.copy)
    if not (math.isfinite(plan.settle_seconds) and plan.settle_seconds >= 0):
        raise PlanError("--settle must be a number of seconds, at least 0")
    if plan.sample_percent is not None and not 0 < plan.sample_percent <= 100:
        raise PlanError("--sample must be a percentage, more than 0 and at most 100")
    if plan.resume and plan.copy.restart:
        raise PlanError(
            "--resume and --restart say the contrary of each other", hint="leave one of them out"
        )
    if plan.limit < 0:
        raise PlanError("--limit must be at least 0")
    return plan if copy is plan.copy else replace(plan, copy=copy)
