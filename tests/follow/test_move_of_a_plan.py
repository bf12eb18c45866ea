"""All tables of a plan are one move: whatever view their streams have, and where one has none."""

from pathlib import Path

import anyio

from tests.follow.moves import (
    ITEMS,
    STREAM,
    an_item,
    change_source,
    make_source,
    moving,
    plan_of,
)
from tests.worlds.moto import MotoWorld

KEYS = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}


async def test_tables_with_images_with_keys_and_without_a_stream_are_moved_together(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, names = moto_world, ("with-images", "with-keys", "without")
    await make_source(world, "with-images")
    await world.source_tables.create_table("with-keys", StreamSpecification=KEYS)
    await world.source_tables.create_table("without")
    for name in names[1:]:
        await world.source_tables.put_items(name, [an_item(n, 0) for n in range(ITEMS)])
    plan = plan_of(world, tmp_path, *names, enable_stream=True, tables_at_once=3)
    async with moving(world, plan) as move:
        await move.until(lambda: len(move.tables) == len(names))  # all are captured by now
        async with anyio.create_task_group() as group:
            for seed, name in enumerate(names, 1):
                group.start_soon(change_source, world, seed, 60, name)
        await move.until_equal()
        counts = {table.source: table.changes_captured for table in move.tables}
        assert all(counts[name] > 0 for name in names), counts
        assert move.has_said("without (123456789012, us-east-1): enabling a stream")
        assert move.has_said("the source's stream has KEYS_ONLY")
        assert sum("enabling a stream" in line for line in move.said) == 1
    described = await world.source_tables.call("DescribeTable", {"TableName": "with-keys"})
    assert described["Table"]["StreamSpecification"] == KEYS
    described = await world.source_tables.call("DescribeTable", {"TableName": "without"})
    assert described["Table"]["StreamSpecification"] == STREAM
    spools = sorted(path.name for path in tmp_path.glob("orders.spool*.sqlite"))
    assert spools == ["orders.spool.1.sqlite", "orders.spool.2.sqlite", "orders.spool.sqlite"]
