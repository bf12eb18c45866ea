"""What a move looks at before it begins, beside the service's own engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from dynaferry import CopyPlan
from dynaferry.errors import PreflightError
from dynaferry.follow.dry_run import MoveEstimate, dry_run
from dynaferry.follow.enabled_streams import enabled_streams
from dynaferry.follow.preparation import prepare
from dynaferry.plan.settings import TablePlan
from dynaferry.preflight.stream_words import StreamFindings
from dynaferry.run.sides import open_sides
from tests.local.dynamodb_local import LocalWorld


def stream(view: str) -> dict[str, Any]:
    return {"StreamEnabled": True, "StreamViewType": view}


def plan_of(world: LocalWorld, state_dir: Path, *tables: str, enables: bool = False) -> CopyPlan:
    return CopyPlan(
        tables=tuple(TablePlan(table, table) for table in tables),
        source=world.source,
        target=world.target,
        run="move",
        state_dir=state_dir,
        create_target=True,
        enable_stream=enables,
    )


async def prepared(plan: CopyPlan) -> Sequence[StreamFindings]:
    async with open_sides(plan) as sides:
        return await prepare(plan, sides, lambda _: None)


async def looked_at(plan: CopyPlan) -> Sequence[MoveEstimate]:
    return await dry_run(plan, measured_seconds=1.0)


async def test_a_stream_is_enabled_and_read_and_never_enabled_again(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    world = local_world
    await world.source_tables.create_table("enabled")
    plan = plan_of(world, tmp_path, "enabled", enables=True)
    (found,) = await prepared(plan)
    assert (found.status, found.open_shards, found.is_shared) == ("ENABLED", 1, False)
    assert found.source.stream_view_type == "NEW_IMAGE"
    (noted,) = await to_thread.run_sync(enabled_streams, tmp_path, "move")
    assert noted.stream == found.source.stream_arn
    (again,) = await prepared(plan)
    assert again.source.stream_arn == found.source.stream_arn


@pytest.mark.parametrize("view", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES", "OLD_IMAGE", "KEYS_ONLY"])
async def test_a_dry_run_measures_what_changes_under_each_view(
    local_world: LocalWorld, tmp_path: Path, view: str
) -> None:
    world, table = local_world, f"measured-{view}"
    await world.source_tables.create_table(table, StreamSpecification=stream(view))

    async def write() -> None:
        for version in range(100_000):
            item = {"pk": {"S": f"k{version % 7}"}, "v": {"N": str(version)}}
            await world.source_tables.put_items(table, [item])

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        (estimate,) = await looked_at(plan_of(world, tmp_path, table))
        group.cancel_scope.cancel()
    assert estimate.changes_per_second is not None
    assert estimate.changes_per_second > 1
    assert estimate.stream.source.stream_view_type == view
    assert (estimate.cost.reads_again > 0) == (not view.startswith("NEW_"))
    assert list(tmp_path.iterdir()) == []


async def test_a_stream_that_was_switched_off_is_named(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    world = local_world
    table = await world.source_tables.create_table("off", StreamSpecification=stream("NEW_IMAGE"))
    off = {"TableName": "off", "StreamSpecification": {"StreamEnabled": False}}
    await world.source_tables.call("UpdateTable", off)
    with pytest.raises(PreflightError, match="has no stream") as caught:
        await looked_at(plan_of(world, tmp_path, "off"))
    described = await world.source_tables.call("DescribeTable", {"TableName": "off"})
    if "LatestStreamArn" in described["Table"]:
        assert f"switched off: {table['LatestStreamArn']}" in caught.value.message
