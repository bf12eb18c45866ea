"""The settings of a verification, beside the plan of the copy that it checks."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from dynaferry.plan.settings import CopyPlan

DEFAULT_SETTLE_SECONDS: Final = 5.0
DEFAULT_LIMIT: Final = 20


class VerifyPlan(Struct, frozen=True, kw_only=True):
    """The plan of a verification: what to compare, and how.

    `copy` names the tables, the accounts, the limits and the state directory, as it does for a
    copy. `settle_seconds` lie between the two reads that confirm a difference. `sample_percent`
    of the segments are compared, all where it is None. At most `limit` differences of each table
    are shown by their keys, with values only by `show_values`.

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
        """Whether a repair may write to the target."""
        return self.repair or self.delete_extra
