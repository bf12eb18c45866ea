"""A plan names its run the same each time."""

from dynaferry.plan.settings import CopyPlan, TablePlan


def test_a_run_of_one_name_is_named_after_its_table() -> None:
    assert CopyPlan(tables=(TablePlan("orders", "orders"),)).run_name == "orders"
    assert CopyPlan(tables=(TablePlan("a", "b"),)).run_name == "a-to-b"
