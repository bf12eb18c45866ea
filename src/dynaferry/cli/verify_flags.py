"""The flags of `verify`, and the plan that they make."""

from pathlib import Path

from msgspec import Struct

from dynaferry.cli.flags import CopyFlags, ProgressFlag, names_a_plan, plan_from
from dynaferry.errors import PlanError
from dynaferry.verify.settings import (
    DEFAULT_LIMIT,
    DEFAULT_SETTLE_SECONDS,
    VerifyPlan,
)
from dynaferry.verify.validation import validate_verify


class VerifyFlags(Struct, frozen=True, kw_only=True):
    """The command line of `verify` as it was typed; `copy` has what it shares with `copy`."""

    copy: CopyFlags
    settle: float = DEFAULT_SETTLE_SECONDS
    sample: float | None = None
    limit: int = DEFAULT_LIMIT
    show_values: bool = False
    certificate: Path | None = None
    repair: bool = False
    delete_extra: bool = False
    yes: bool = False
    resume: bool = False

    @property
    def json(self) -> bool:
        """Whether one document is wanted on stdout."""
        return self.copy.json

    @property
    def progress(self) -> ProgressFlag:
        """How progress is shown."""
        return self.copy.progress

    @property
    def run(self) -> str | None:
        """The name that was given."""
        return self.copy.run


def verify_plan_from(flags: VerifyFlags) -> VerifyPlan:
    """The plan that was asked for.

    :raises PlanError: the command line does not say what to compare, or a setting makes no sense
    """
    if not names_a_plan(flags.copy) and flags.copy.source is None:
        raise PlanError(
            "nothing says what to compare",
            hint="dynaferry verify SOURCE TARGET, or dynaferry verify --plan PLAN.toml",
        )
    return validate_verify(
        VerifyPlan(
            copy=plan_from(flags.copy),
            settle_seconds=flags.settle,
            sample_percent=flags.sample,
            limit=flags.limit,
            show_values=flags.show_values,
            repair=flags.repair,
            delete_extra=flags.delete_extra,
            certificate=flags.certificate,
            resume=flags.resume,
            consistent_read=flags.copy.consistent_read,
        )
    )
