"""What an attempt that has nothing to sum up is called, which is its exit code."""

import pytest

from dynaferry.cli import exit_codes
from dynaferry.errors import (
    DynaferryError,
    NotReadyError,
    PreflightError,
    StateWriteError,
    UnavailableError,
)
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.run.outcome import without_summary

PLAN = CopyPlan(tables=(TablePlan("orders", "orders"),))


@pytest.mark.parametrize(
    ("error", "begun", "resumes", "code"),
    [
        (PreflightError("the keys differ"), False, False, exit_codes.REFUSED),
        (PreflightError("the keys differ"), False, True, exit_codes.REFUSED),
        (UnavailableError("no answer"), False, False, exit_codes.REFUSED),
        (UnavailableError("no answer"), False, True, exit_codes.FAILED),
        (NotReadyError("still CREATING"), False, False, exit_codes.FAILED),
        (NotReadyError("still CREATING"), False, True, exit_codes.FAILED),
        (StateWriteError("no room"), True, False, exit_codes.FAILED),
        (None, False, False, exit_codes.INTERRUPTED),
    ],
)
def test_what_will_pass_is_not_refused_for_good(
    error: DynaferryError | None, begun: bool, resumes: bool, code: int
) -> None:
    outcome = without_summary(PLAN, error, begun=begun, resumes=resumes)
    assert exit_codes.of_outcome(outcome.summary.status, error) == code
    assert outcome.error is error
