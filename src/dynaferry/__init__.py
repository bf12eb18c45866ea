"""dynaferry copies DynamoDB tables between AWS accounts on the data plane.

The names here are loaded when first used, so that the command line starts at once. Not even
`typing` is imported: until the handlers of signals are in their place, Ctrl-C is a traceback.
"""

from __future__ import annotations

from dynaferry._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dynaferry.errors import (
        DynaferryError,
        PlanError,
        RefusedError,
        RetryableError,
        StoppedError,
    )
    from dynaferry.follow.move_tables import move_tables
    from dynaferry.observe.summary import RunSummary, TableSummary
    from dynaferry.plan.plan_file import read_plan
    from dynaferry.plan.settings import Account, CopyPlan, TablePlan
    from dynaferry.run.copy_tables import copy_table
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
    "RunSummary",
    "StopSignal",
    "StoppedError",
    "TablePlan",
    "TableSummary",
    "VerifyPlan",
    "VerifySummary",
    "__version__",
    "copy_table",
    "move_tables",
    "read_plan",
    "verify_tables",
]

_HOMES = {
    "Account": "dynaferry.plan.settings",
    "CopyPlan": "dynaferry.plan.settings",
    "DynaferryError": "dynaferry.errors",
    "PlanError": "dynaferry.errors",
    "RefusedError": "dynaferry.errors",
    "RetryableError": "dynaferry.errors",
    "RunSummary": "dynaferry.observe.summary",
    "StopSignal": "dynaferry.stop",
    "StoppedError": "dynaferry.errors",
    "TablePlan": "dynaferry.plan.settings",
    "TableSummary": "dynaferry.observe.summary",
    "VerifyPlan": "dynaferry.verify.settings",
    "VerifySummary": "dynaferry.verify.summary",
    "copy_table": "dynaferry.run.copy_tables",
    "move_tables": "dynaferry.follow.move_tables",
    "read_plan": "dynaferry.plan.plan_file",
    "verify_tables": "dynaferry.verify.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynaferry' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
