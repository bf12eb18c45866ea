"""Which tables of a run are named: by source, target or ARN."""

import pytest

from dynaferry.control.named_tables import tables_named
from dynaferry.errors import PlanError
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.records import RunIdentity, RunRecord, TableIdentity

ARN = "arn:aws:dynamodb:us-east-1:{}:table/{}".format
TABLES = (("orders", "new-orders"), ("users", "orders"), ("audit", "audit"), ("audit", "audit-2"))


def _identity(source: str, target: str) -> TableIdentity:
    return TableIdentity(
        source_arn=ARN("111111111111", source),
        source_table_id=None,
        source_endpoint="http://127.0.0.1:1",
        target_arn=ARN("222222222222", target),
        target_table_id=None,
        target_endpoint="http://127.0.0.1:1",
        total_segments=1,
    )


RECORD = RunRecord(
    run="move",
    identity=RunIdentity(tables=tuple(_identity(*names) for names in TABLES)),
    settings=recorded_settings(CopyPlan(tables=tuple(TablePlan(*names) for names in TABLES))),
    version="0",
    status="running",
    attempts=1,
    created_at=0.0,
    started_at=0.0,
    ended_at=None,
)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        ((), []),
        (("orders",), [0]),  # the source of one before the target of another
        (("new-orders",), [0]),
        (("users", "orders", "users"), [0, 1]),
        (("audit",), [2, 3]),
        (("audit-2",), [3]),
        ((ARN("222222222222", "orders"),), [1]),
    ],
)
def test_a_table_is_named_by_its_source_or_its_target(
    names: tuple[str, ...], numbers: list[int]
) -> None:
    assert tables_named(RECORD, names) == numbers


@pytest.mark.parametrize(
    ("name", "hint"),
    [("order", "did you mean 'orders'?"), ("zzz", "it has orders, users, audit, audit")],
)
def test_a_name_that_is_none_is_refused_with_what_there_is(name: str, hint: str) -> None:
    with pytest.raises(PlanError) as refused:
        tables_named(RECORD, ["orders", name])
    assert refused.value.message == f"the run move has no table {name!r}"
    assert refused.value.hint == hint
