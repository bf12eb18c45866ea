"""Exit codes are a contract with scripts: every one of them, in one table."""

import pytest

from dynaferry import errors
from dynaferry.cli import exit_codes
from dynaferry.observe.summary import RunStatus


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("complete", None, 0),
        ("refused", errors.PlanError("no region"), 2),
        ("refused", errors.PreflightError("the target holds items"), 3),
        ("refused", errors.StateError("another run"), 3),
        ("refused", errors.AccessDeniedError("may not describe"), 3),
        ("refused", errors.TableNotFoundError("no such table"), 3),
        ("rejected", None, 4),
        ("failed", errors.ServiceGoneError("nothing accepted for 300 s"), 5),
        ("failed", errors.AccessDeniedError("may not write any more"), 5),
        ("failed", errors.UnavailableError("no answer"), 5),
        ("interrupted", None, 130),
    ],
)
def test_each_outcome_has_its_code(
    status: RunStatus, error: errors.DynaferryError | None, code: int
) -> None:
    assert exit_codes.of_outcome(status, error) == code


@pytest.mark.parametrize(
    ("error", "under_way", "code"),
    [
        (errors.PlanError("x"), True, 2),
        (errors.StateError("x"), False, 3),
        (errors.PreflightError("x"), True, 3),
        (errors.StoppedError("x"), False, 5),
        (errors.UnavailableError("x"), False, 5),
        (ZeroDivisionError("x"), True, 5),
        (ZeroDivisionError("x"), False, 1),
    ],
)
def test_each_error_without_a_summary_has_its_code(
    error: Exception, under_way: bool, code: int
) -> None:
    assert exit_codes.of_error(error, under_way=under_way) == code


@pytest.mark.parametrize(
    ("code", "status"),
    [(1, "failed"), (2, "refused"), (3, "refused"), (5, "failed"), (130, "interrupted")],
)
def test_a_code_without_a_summary_has_the_status_that_fits(code: int, status: RunStatus) -> None:
    assert exit_codes.status_of(code) == status
