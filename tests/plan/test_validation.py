"""A plan that leaves validation makes sense, and knows its regions."""

import pytest

from dynaferry.errors import PlanError
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.plan.validation import validate

IRELAND = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"


def test_each_side_gets_the_region_that_its_arn_names() -> None:
    plan = validate(
        CopyPlan(tables=(TablePlan("customers", "customers"), TablePlan(IRELAND, "new")))
    )
    assert (plan.source, plan.target) == (Account(region="eu-west-1"), Account())


def test_a_region_that_was_given_stays_as_it_is() -> None:
    plan = CopyPlan(tables=(TablePlan(IRELAND, "new"),), source=Account(region="us-east-1"))
    assert validate(plan) is plan


def test_validation_of_what_was_validated_changes_nothing() -> None:
    plan = validate(CopyPlan(tables=(TablePlan(IRELAND, "new"),)))
    assert validate(plan) is plan


def test_a_tables_own_setting_has_no_flag() -> None:
    with pytest.raises(PlanError, match=r"^segments of the table orders must be at least 1$"):
        validate(CopyPlan(tables=(TablePlan("orders", "orders", segments=0),)))


def test_any_two_tables_make_a_run_name_that_a_file_can_have() -> None:
    names = ("orders", ".hidden", "-dashed", "a.b", "_" * 255, "x" * 254 + "1", "x" * 254 + "2")
    runs = {
        validate(CopyPlan(tables=(TablePlan(source, target),))).run_name: (source, target)
        for source in names
        for target in names
    }
    assert len(runs) == len(names) ** 2
    # The longest file name that is made of it: the log of a state that was set aside.
    assert max(len(f".{run}.sqlite.20260101T000000Z-99.old-wal") for run in runs) <= 255


def test_a_run_name_that_is_too_long_for_a_file_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        validate(CopyPlan(tables=(TablePlan("orders", "orders"),), run="r" * 201))
    assert "at most 200" in (caught.value.hint or "")
