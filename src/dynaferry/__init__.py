"""dynaferry copies DynamoDB tables between AWS accounts on the data plane.

The names here are loaded when first used, so that the command line starts at once. Not even
`typing` is imported: until the handlers of signals are in their place, Ctrl-C is a traceback.
"""

from __future__ import annotations

from dynaferry._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dynaferry.control.requests import pause, resume, set_limits
    from dynaferry.errors import (
        DynaferryError,
        PlanError,
        RefusedError,
        RetryableError,
        StoppedError,
    )
    from dynaferry.follow.move_tables import move_tables
    from dynaferry.observe.estimator import RunProgress, TableProgress
    from dynaferry.observe.summary import RunSummary, TableSummary
    from dynaferry.plan.plan_file import read_plan
    from dynaferry.plan.settings import Account, CopyPlan, TablePlan
    from dynaferry.run.library import (
        RunEstimate,
        TableEstimate,
        copy_table,
        copy_tables,
        estimate,
    )
    from dynaferry.stop import StopSignal
    from dynaferry.verify.run import verify_tables
    from dynaferry.verify.settings import VerifyPlan
    from dynaferry.verify.summary import VerifySummary

__all__ = [
    "Account",
    "CopyPlan",
    "DynaferryError",
    "PlanError",
    "RefusedError",
    "RetryableError",
    "RunEstimate",
    "RunProgress",
    "RunSummary",
    "StopSignal",
    "StoppedError",
    "TableEstimate",
    "TablePlan",
    "TableProgress",
    "TableSummary",
    "VerifyPlan",
    "VerifySummary",
    "__version__",
    "copy_table",
    "copy_tables",
    "estimate",
    "move_tables",
    "pause",
    "read_plan",
    "resume",
    "set_limits",
    "verify_tables",
]

_HOMES = {
    "Account": "dynaferry.plan.settings",
    "CopyPlan": "dynaferry.plan.settings",
    "DynaferryError": "dynaferry.errors",
    "PlanError": "dynaferry.errors",
    "RefusedError": "dynaferry.errors",
    "RetryableError": "dynaferry.errors",
    "RunEstimate": "dynaferry.run.library",
    "RunProgress": "dynaferry.observe.estimator",
    "RunSummary": "dynaferry.observe.summary",
    "StopSignal": "dynaferry.stop",
    "StoppedError": "dynaferry.errors",
    "TableEstimate": "dynaferry.run.library",
    "TablePlan": "dynaferry.plan.settings",
    "TableProgress": "dynaferry.observe.estimator",
    "TableSummary": "dynaferry.observe.summary",
    "VerifyPlan": "dynaferry.verify.settings",
    "VerifySummary": "dynaferry.verify.summary",
    "copy_table": "dynaferry.run.library",
    "copy_tables": "dynaferry.run.library",
    "estimate": "dynaferry.run.library",
    "move_tables": "dynaferry.follow.move_tables",
    "pause": "dynaferry.control.requests",
    "read_plan": "dynaferry.plan.plan_file",
    "resume": "dynaferry.control.requests",
    "set_limits": "dynaferry.control.requests",
    "verify_tables": "dynaferry.verify.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynaferry' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
