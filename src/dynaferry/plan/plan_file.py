"""The plan file: the settings of a copy in TOML."""

import tomllib
from pathlib import Path
from typing import Any

from dynaferry.errors import PlanError
from dynaferry.plan.schedule import check_limits
from dynaferry.plan.settings import CopyPlan, PlanDraft
from dynaferry.plan.validation import check_finite, converted, validate
from dynaferry.shared.files import decoded, read_bounded

MOST_PLAN_BYTES = 16 * 1024 * 1024


def read_plan(path: Path) -> CopyPlan:
    """Reads a plan file (TOML). A run is named after the file unless the plan names it.

    :raises PlanError: the file cannot be read, is not TOML, or makes no sense
    """
    return validate(read_draft(path))


def read_draft(path: Path) -> PlanDraft:
    """Reads a plan file that flags are put on top of.

    Each value is of its type and in its range; whether all of it makes sense says `validate` then.

    :raises PlanError: the file cannot be read, is not TOML, or holds what a plan does not know
    """
    return _plan_of(_read_document(path), path.stem, f"the plan {path}")


def plan_of_text(text: str, place: str, *, run: str) -> PlanDraft:
    """The plan in a text that came from `place`; its run has this name unless it says another.

    :raises PlanError: as `read_draft`
    """
    return _plan_of(_document_of(text, f"the plan in {place}"), run, f"the plan in {place}")


def _plan_of(document: dict[str, Any], run: str, called: str) -> PlanDraft:
    document.setdefault("run", run)

    def named(key: str) -> str:
        return f"{key} in {called}" if key else called

    plan = converted(document, named)
    check_finite(plan, named)
    check_limits(plan.limits, named)
    return plan


def _read_document(path: Path) -> dict[str, Any]:
    try:
        text = decoded(read_bounded(path, MOST_PLAN_BYTES))
    except OSError as error:
        raise PlanError(
            f"the plan {path} cannot be read: {error.strerror}", hint="name a TOML file"
        ) from error
    except UnicodeError as error:
        raise PlanError(
            f"the plan {path} is not UTF-8 text",
            hint="save it as UTF-8; in PowerShell: Set-Content -Encoding utf8",
        ) from error
    return _document_of(text, f"the plan {path}")


def _document_of(text: str, called: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanError(f"{called} is not valid TOML: {error}") from error
