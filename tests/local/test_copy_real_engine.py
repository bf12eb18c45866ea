"""A whole copy between two accounts of the service's own engine, compared item by item."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dynaferry import CopyPlan, copy_table
from dynaferry.observe.summary import RunSummary, TableSummary
from dynaferry.plan.settings import TablePlan
from tests.local.dynamodb_local import LocalWorld
from tests.local.strange_items import full_size_item, key_value, strange_items
from tests.worlds.table_client import KeyAttribute

MANY = 50_000
A_FEW = 400


def plan_of(world: LocalWorld, name: str, state_dir: Path, segments: int) -> CopyPlan:
    return CopyPlan(
        tables=(TablePlan(f"from-{name}", f"to-{name}"),),
        source=world.source,
        target=world.target,
        segments=segments,
        state_dir=state_dir,
    )


def only_table(summary: RunSummary) -> TableSummary:
    (table,) = summary.tables
    assert table.items_read == table.items_written + table.items_rejected + table.items_filtered
    return table


async def create_both(world: LocalWorld, name: str, keys: Sequence[KeyAttribute]) -> None:
    await world.source_tables.create_table(f"from-{name}", keys)
    await world.target_tables.create_table(f"to-{name}", keys)


async def assert_equal_tables(world: LocalWorld, name: str, items: int) -> None:
    source = await world.source_tables.read_table(f"from-{name}")
    target = await world.target_tables.read_table(f"to-{name}")
    assert len(source) == items
    assert target == source


async def test_fifty_thousand_skewed_items_arrive_as_they_are(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    keys = (("pk", "S"), ("sk", "S"))
    await create_both(local_world, "many", keys)
    seeded = await local_world.source_tables.put_items("from-many", strange_items(keys, MANY))

    summary = await copy_table(plan_of(local_world, "many", tmp_path, segments=64))

    table = only_table(summary)
    assert (summary.status, table.status) == ("complete", "complete")
    assert table.items_read == table.items_written == seeded == MANY
    assert table.segments_complete == table.segments_total == 64
    await assert_equal_tables(local_world, "many", MANY)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param((("pk", "S"),), id="S"),
        pytest.param((("pk", "N"),), id="N"),
        pytest.param((("pk", "B"),), id="B"),
        pytest.param((("pk", "S"), ("sk", "N")), id="S-N"),
        pytest.param((("pk", "N"), ("sk", "B")), id="N-B"),
        pytest.param((("pk", "B"), ("sk", "S")), id="B-S"),
        pytest.param((("Items", "S"), ("LastEvaluatedKey", "S")), id="keys-named-like-an-answer"),
    ],
)
async def test_every_type_of_key_is_copied_and_resumed_from(
    local_world: LocalWorld, tmp_path: Path, keys: Sequence[KeyAttribute]
) -> None:
    name = "-".join(f"{attribute}-{type_name}" for attribute, type_name in keys)
    await create_both(local_world, name, keys)
    await local_world.source_tables.put_items(f"from-{name}", strange_items(keys, A_FEW))

    table = only_table(await copy_table(plan_of(local_world, name, tmp_path, segments=5)))

    assert (table.status, table.items_read, table.items_written) == ("complete", A_FEW, A_FEW)
    await assert_equal_tables(local_world, name, A_FEW)


async def test_items_of_400_kb_fill_pages_and_batches_and_arrive(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    await create_both(local_world, "full-size", [("pk", "S")])
    items = [full_size_item({"pk": {"S": f"{number:03}"}}) for number in range(30)]
    await local_world.source_tables.put_items("from-full-size", items)

    table = only_table(await copy_table(plan_of(local_world, "full-size", tmp_path, segments=2)))

    assert (table.status, table.items_written) == ("complete", 30)
    await assert_equal_tables(local_world, "full-size", 30)


async def test_an_empty_table_is_complete_with_nothing_read(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    await create_both(local_world, "empty", [("pk", "S")])

    table = only_table(await copy_table(plan_of(local_world, "empty", tmp_path, segments=3)))

    assert (table.status, table.items_read, table.segments_complete) == ("complete", 0, 3)


async def test_a_second_run_says_complete_and_writes_nothing(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    keys = (("pk", "S"),)
    await create_both(local_world, "twice", keys)
    await local_world.source_tables.put_items("from-twice", strange_items(keys, A_FEW))
    plan = plan_of(local_world, "twice", tmp_path, segments=5)
    first = only_table(await copy_table(plan))
    taken_away = {"pk": key_value("S", 7)}
    await local_world.target_tables.delete_item("to-twice", taken_away)

    second = only_table(await copy_table(plan))

    assert (second.status, second.items_read, second.items_written) == ("complete", A_FEW, A_FEW)
    assert (second.write_units, second.read_units) == (first.write_units, first.read_units)
    assert len(await local_world.target_tables.read_table("to-twice")) == A_FEW - 1


async def test_an_item_that_breaks_an_index_of_the_target_is_set_aside_and_no_other(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    await local_world.source_tables.create_table("from-index", [("pk", "S")])
    await local_world.target_tables.create_table(
        "to-index", [("pk", "S")], indexes={"by-owner": [("owner", "S")]}
    )
    good = [{"pk": {"S": str(n)}, "owner": {"S": f"owner-{n % 7}"}} for n in range(A_FEW)]
    bad = {"pk": {"S": "bad"}, "owner": {"N": "1"}}
    await local_world.source_tables.put_items("from-index", [*good[:99], bad, *good[99:]])

    summary = await copy_table(plan_of(local_world, "index", tmp_path, segments=3))

    table = only_table(summary)
    assert (summary.status, table.status) == ("rejected", "rejected")
    assert (table.items_read, table.items_written) == (A_FEW + 1, A_FEW)
    assert table.items_rejected == 1
    source = await local_world.source_tables.read_table("from-index")
    target = await local_world.target_tables.read_table("to-index")
    assert set(source) - set(target) == {'{"M": {"pk": {"S": "bad"}}}'}
    assert all(source[key] == item for key, item in target.items())
