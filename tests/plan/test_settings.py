"""A plan names its run the same each time, and is never one that makes no sense."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.errors import PlanError
from dynaferry.plan.plan_file import read_draft, read_plan
from dynaferry.plan.settings import Account, CopyPlan, PlanDraft, TablePlan
from dynaferry.plan.validation import validate

TABLES = (TablePlan("orders", "orders"),)


def test_a_run_of_one_name_is_named_after_its_table() -> None:
    assert CopyPlan(tables=(TablePlan("orders", "orders"),)).run_name == "orders"
    assert CopyPlan(tables=(TablePlan("all", "both"),)).run_name == "all-to-both"


NONSENSE: list[dict[str, Any]] = [
    {"writers": 0},
    {"max_write_units": "8k"},
    {"max_read_units": float("inf")},
    {"compress": "zip"},
    {"tables": ()},
    {"tables": (TablePlan("no name", "orders"),)},
    {"tables": (*TABLES, TablePlan("events", "orders"))},
    {"run": "../elsewhere"},
    {"target": Account(external_id="a-secret")},
    {"source": Account(endpoint_url="localhost")},
    {"without_stream": True, "enable_stream": True},
]


@pytest.mark.parametrize("settings", NONSENSE, ids=str)
def test_the_constructor_refuses_at_once_what_a_copy_would_refuse(settings: dict[str, Any]) -> None:
    with pytest.raises(PlanError) as caught:
        CopyPlan(**({"tables": TABLES} | settings))
    with pytest.raises(PlanError) as again:
        validate(PlanDraft(**({"tables": TABLES} | settings)))
    assert caught.value.message == again.value.message


def test_a_plan_cannot_be_changed_into_one_that_makes_no_sense() -> None:
    with pytest.raises(PlanError, match="--writers must be at least 1"):
        replace(CopyPlan(tables=TABLES), writers=0)


def test_a_plan_file_is_refused_as_a_whole_and_a_draft_of_it_waits_for_its_flags(
    tmp_path: Path,
) -> None:
    path = tmp_path / "move.toml"
    path.write_text(
        '[target]\nexternal_id = "a-secret"\n[[tables]]\nsource = "orders"\ntarget = "orders"\n'
    )
    with pytest.raises(PlanError, match="an external id for the target needs a role"):
        read_plan(path)
    draft = read_draft(path)
    role = replace(draft.target, role_arn="arn:aws:iam::222222222222:role/dynaferry-target")
    assert validate(replace(draft, target=role)).target.external_id == "a-secret"
