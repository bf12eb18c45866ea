"""The estimate of a small table is about what its copy takes: the real copy, in virtual time."""

import pytest

from benchmarks.simulator import OnDemand, Partitions, Provisioned, Settings, Table
from benchmarks.simulator.service import Service
from benchmarks.throttle.cases import Case
from benchmarks.throttle.virtual import described, run_virtual
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import estimate_copy, segments_for

TABLE = TablePlan("source", "target")
PLAN = CopyPlan(tables=(TABLE,))


@pytest.mark.parametrize(
    ("items", "write_units", "partitions"),
    [(30_000, 3000, None), (30_000, 3000, 6), (5_000, 1000, None), (3_000, 3000, None)],
)
def test_a_small_table_takes_about_as_long_as_was_estimated(
    items: int, write_units: int, partitions: int | None
) -> None:
    source = Table(
        name="source",
        items=items,
        item_bytes=300,
        sort_key="sk",
        capacity=OnDemand(read_units=40_000, write_units=10),
        partitions=Partitions(count=8),
    )
    target = Table(
        name="target",
        sort_key="sk",
        capacity=Provisioned(write_units=write_units, read_units=1000, burst_seconds=0),
        partitions=Partitions(count=partitions),
    )
    service = Service(Settings(tables=(source, target)))
    seen, there = (described(service, name) for name in ("source", "target"))
    segments = segments_for(PLAN, TABLE, seen, there)
    estimate = estimate_copy(PLAN, TABLE, seen, there, total_segments=segments)
    trial = run_virtual(
        Case(name="small", title="a small table", source=source, target=target, seconds=120)
    )
    written = trial.report.tables["target"].total(lambda second: second.items_written)
    assert written == items
    assert trial.seconds == pytest.approx(estimate.seconds, rel=0.2)
