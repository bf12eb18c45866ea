"""Whole copies by dynaferry, judged by what the service saw."""

from pathlib import Path

import pytest

from benchmarks.simulator import (
    NO_LATENCY,
    BrownOut,
    OnDemand,
    Partitions,
    Provisioned,
    Settings,
    Table,
    TableReport,
    seeded_digest,
    simulator,
)
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome

SOURCE = Table(
    name="source",
    items=1500,
    item_bytes=(300, 1024, 5000),
    sort_key="sk",
    hot_key_share=0.33,
    latency=NO_LATENCY,
)


async def copied(tmp_path: Path, target: Table) -> tuple[Outcome, TableReport]:
    """Copies the source to `target` and gives both sides' view of it."""
    with simulator(Settings(tables=(SOURCE, target))) as simulated:
        account = Account(region="us-east-1", endpoint_url=simulated.url)
        plan = CopyPlan(
            tables=(TablePlan("source", "target"),),
            source=account,
            target=account,
            state_dir=tmp_path,
            segments=7,
        )
        outcome = await execute(plan)
        return outcome, simulated.report().tables["target"]


@pytest.mark.parametrize(
    "target",
    [
        Table(
            name="target",
            sort_key="sk",
            remember_items=True,
            capacity=OnDemand(write_units=40_000),
        ),
        # Too little for one batch at a time, so that there are throttles and remainders.
        Table(
            name="target",
            sort_key="sk",
            remember_items=True,
            latency=NO_LATENCY,
            capacity=Provisioned(write_units=3000, read_units=10, burst_seconds=1),
            partitions=Partitions(count=3, write_units=900),
        ),
        Table(
            name="target",
            sort_key="sk",
            remember_items=True,
            # Slow enough to meet some of them, whenever the copy begins.
            capacity=OnDemand(write_units=1500),
            brown_outs=tuple(
                BrownOut(start_seconds=number * 0.3, seconds=0.1, answer="500")
                for number in range(200)
            ),
        ),
    ],
    ids=["plenty", "too little", "brown-outs"],
)
async def test_every_item_arrives_byte_for_byte_whatever_the_target_refuses(
    tmp_path: Path, target: Table
) -> None:
    outcome, seen = await copied(tmp_path, target)
    assert outcome.error is None
    (summary,) = outcome.summary.tables
    assert summary.items_written == SOURCE.items
    assert (seen.distinct_items, seen.items_digest) == seeded_digest(SOURCE)
    assert summary.write_units == seen.total(lambda second: second.write_units)
    assert summary.unprocessed_items == seen.total(lambda second: second.unprocessed_items)
