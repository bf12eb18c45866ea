"""The validation of a plan, from flags, file or code.

A plan that leaves here is whole: every value in its range, every name one that the service knows,
and each side in the region that its tables' ARNs name.
"""

import itertools
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from dynaferry.errors import PlanError
from dynaferry.plan.messages import Named, as_flag, fault_in_words, toml_type
from dynaferry.plan.patterns import check_patterns, filled_in, is_pattern
from dynaferry.plan.schedule import check_limits
from dynaferry.plan.settings import (
    MAX_RUN_NAME,
    RESERVED_RUN_SUFFIX,
    SPOOL_RUN_NAME,
    Account,
    CopyPlan,
    PlanDraft,
    run_name_of,
)
from dynaferry.shared.arn import arn_region, is_role_arn, is_table_arn
from dynaferry.shared.files import expanded
from dynaferry.shared.urls import checked_url

_TABLE_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
# What a wildcard may stand for.
_ANY_NAME: Final = "any"
_RUN_NAME: Final = re.compile(rf"[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,{MAX_RUN_NAME - 1}}}")


def validate(plan: PlanDraft) -> CopyPlan:
    """The plan if it makes sense, with its regions filled in; the same one again for such a plan.

    :raises PlanError: names the first setting that does not, and what it should be
    """
    check_plan(plan)
    source = with_region(plan.source, [table.source for table in plan.tables])
    target = with_region(plan.target, [table.target for table in plan.tables])
    if isinstance(plan, CopyPlan) and (source, target) == (plan.source, plan.target):
        return plan
    return CopyPlan(**(asdict(plan) | {"source": source, "target": target}))


def check_plan(plan: PlanDraft) -> None:
    """Returns if the settings of a plan make sense.

    :raises PlanError: names the first that does not, and what it should be
    """
    check_finite(plan, as_flag)
    converted(msgspec.to_builtins(plan, enc_hook=str), as_flag)
    check_limits(plan.limits, str)
    _check_tables(plan)
    check_account("source", plan.source)
    check_account("target", plan.target)
    if plan.sts_endpoint_url is not None:
        checked_url("--sts-endpoint-url", plan.sts_endpoint_url)
    if plan.without_stream and plan.enable_stream:
        raise PlanError(
            "--without-stream and --enable-stream say the contrary of each other",
            hint="leave one of them out",
        )
    if plan.without_stream and plan.way_back == "keep":
        raise PlanError(
            "--without-stream has no way back: nothing is captured of either side",
            hint="leave --way-back keep out, or move with a stream",
        )
    _check_run_name(run_name_of(plan))


def with_region(account: Account, tables: Sequence[str]) -> Account:
    """The account with the region that its table ARNs name, where it names none itself."""
    if account.region is not None:
        return account
    named = (arn_region(table) for table in tables)
    return replace(account, region=next((region for region in named if region), None))


def converted(document: Mapping[str, Any], named: Named) -> PlanDraft:
    """The plan in a document, each value of its type and in its range.

    :raises PlanError: names the first that is not, as `named` has it
    """
    try:
        return msgspec.convert(document, PlanDraft, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        raise fault_in_words(error, document, named) from error


def _to_path(_: object, value: object) -> Path:
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{toml_type(value)}`")
    if "\0" in value:
        raise ValueError("no path has a zero byte")
    return expanded(value)


def check_finite(plan: PlanDraft, named: Named) -> None:
    """Returns if every number is one: `inf` and `nan` would pass, and no limit is none given.

    :raises PlanError: names the first that is not
    """
    places = [("", plan), *((f" of the table {table.source}", table) for table in plan.tables)]
    for where, settings in places:
        for key in settings.__struct_fields__:
            value = getattr(settings, key)
            if isinstance(value, float) and not math.isfinite(value):
                raise PlanError(f"{named(key + where)} must be a number, not {value}")


def _check_tables(plan: PlanDraft) -> None:
    if not plan.tables:
        raise PlanError("the plan names no table", hint="add a [[tables]] with source and target")
    for table in plan.tables:
        for side, value in (("source", table.source), ("target", table.target)):
            name = filled_in(value, itertools.repeat(_ANY_NAME))
            if not (_TABLE_NAME.fullmatch(name) or is_table_arn(name)):
                raise PlanError(
                    f"the {side} {value!r} is neither a table name nor a table ARN",
                    hint="a name has 3 to 255 letters, digits, '.', '_' or '-'",
                )
    check_patterns(plan)
    targets = [table.target for table in plan.tables if not is_pattern(table.target)]
    for target in targets:
        if targets.count(target) > 1:
            raise PlanError(f"the target {target!r} is named twice in the plan")


def external_id_variable(side: str) -> str:
    """The environment variable that gives the external id of a side."""
    return f"DYNAFERRY_{side.upper()}_EXTERNAL_ID"


def has_unused_external_id(account: Account) -> bool:
    """Whether there is an external id, and no role to assume with it."""
    return account.external_id is not None and account.role_arn is None


def _comes_from_environment(side: str, account: Account) -> bool:
    """A variable is set for a whole shell, so that it may be of no use to this command."""
    return os.environ.get(external_id_variable(side)) == account.external_id


def check_account(side: str, account: Account) -> None:
    """Returns if a side can be reached as it says.

    :raises PlanError: names the setting that makes no sense
    """
    if account.endpoint_url is not None:
        checked_url(f"--{side}-endpoint-url", account.endpoint_url)
    if account.streams_endpoint_url is not None:
        checked_url(f"--{side}-streams-endpoint-url", account.streams_endpoint_url)
    if account.role_arn is not None and not is_role_arn(account.role_arn):
        raise PlanError(
            f"the {side} role {account.role_arn!r} is not a role ARN",
            hint="it looks like arn:aws:iam::123456789012:role/name",
        )
    if has_unused_external_id(account) and not _comes_from_environment(side, account):
        raise PlanError(
            f"an external id for the {side} needs a role to assume",
            hint=f"add --{side}-role-arn; an external id may also come from the variable "
            f"{external_id_variable(side)}",
        )
    if account.external_id is not None and not 2 <= len(account.external_id) <= 1224:
        raise PlanError(f"the external id for the {side} must have 2 to 1224 characters")


def _check_run_name(name: str) -> None:
    if not _RUN_NAME.fullmatch(name):
        raise PlanError(
            f"a run cannot be named {name!r}",
            hint=f"use at most {MAX_RUN_NAME} letters, digits, '.', '_' and '-'",
        )
    if name.endswith(RESERVED_RUN_SUFFIX) or SPOOL_RUN_NAME.search(name):
        raise PlanError(
            f"a run cannot be named {name!r}: such names are those of verifications and spools",
            hint="give the run another name with --run",
        )
