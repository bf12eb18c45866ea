"""The exit codes, and the one place where an outcome or an error becomes one. Scripts read them."""

from typing import Final

from dynaferry.errors import DynaferryError, PlanError, RefusedError
from dynaferry.observe.summary import RunStatus, VerifyStatus

COMPLETE: Final = 0
INTERNAL: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
REJECTED: Final = 4
FAILED: Final = 5
DIFFERENT: Final = 6
NOT_READY: Final = 7
INTERRUPTED: Final = 130

_BY_STATUS: Final[dict[str, int]] = {
    "complete": COMPLETE,
    "equal": COMPLETE,
    "different": DIFFERENT,
    "undecided": DIFFERENT,
    "refused": REFUSED,
    "rejected": REJECTED,
    "failed": FAILED,
    "interrupted": INTERRUPTED,
}


def of_outcome(status: RunStatus | VerifyStatus, error: DynaferryError | None) -> int:
    """The exit code of a run that ended with this status, and with this error if there was one.

    What the plan asked for wrongly is the caller's to correct, whenever it was found out.
    """
    if isinstance(error, PlanError):
        return USAGE
    return _BY_STATUS[status]


def of_error(error: Exception, *, under_way: bool = False) -> int:
    """The exit code of a command that ended with an error and without a summary.

    `under_way` says that a run had begun, so that its state can be resumed.
    """
    if isinstance(error, PlanError):
        return USAGE
    if isinstance(error, RefusedError):
        return REFUSED
    if isinstance(error, DynaferryError) or under_way:
        return FAILED
    return INTERNAL


def status_of(code: int) -> RunStatus:
    """The status in `--json` of a command that ended with `code` and without a summary."""
    if code == INTERRUPTED:
        return "interrupted"
    return "refused" if code in (USAGE, REFUSED) else "failed"
