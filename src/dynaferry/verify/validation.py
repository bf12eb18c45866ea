"""The validation of a verification's settings."""

import math

from msgspec.structs import replace

from dynaferry.errors import PlanError
from dynaferry.plan.validation import validate
from dynaferry.verify.settings import VerifyPlan


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
