"""Dead letters of the service's own engine: refused by an index, written once the index is gone."""

from pathlib import Path
from typing import TYPE_CHECKING

from dynaferry import CopyPlan, copy_table
from dynaferry.dead_letters.replay import ReplayRequest, replay
from dynaferry.plan.settings import TablePlan
from dynaferry.state.sqlite.store import SqliteStore
from tests.local.dynamodb_local import LocalWorld
from tests.state.stored_letters import stored_letters

if TYPE_CHECKING:
    from tests.worlds.client import WireItem

GOOD, BAD = 200, 40
INDEX = "by-owner"


async def seed(world: LocalWorld) -> None:
    """Items whose owner has the type of the target's index, and others whose owner has not."""
    good = [{"pk": {"S": f"good-{n}"}, "owner": {"S": f"owner-{n % 7}"}} for n in range(GOOD)]
    bad: list[WireItem] = [
        {
            "pk": {"S": f"bad-{n}"},
            "owner": {"N": str(n)},
            "set": {"NS": ["3", "1e2", "-7"]},
            "deep": {"M": {"list": {"L": [{"B": "AAH/"}, {"SS": ["b", "a"]}, {"S": ""}]}}},
        }
        for n in range(BAD)
    ]
    await world.source_tables.create_table("from-letters", [("pk", "S")])
    await world.source_tables.put_items("from-letters", [*good[:99], *bad, *good[99:]])
    await world.target_tables.create_table(
        "to-letters", [("pk", "S")], indexes={INDEX: [("owner", "S")]}
    )


async def drop_the_index(world: LocalWorld) -> None:
    tables, delete = world.target_tables, {"Delete": {"IndexName": INDEX}}
    await tables.call(
        "UpdateTable", {"TableName": "to-letters", "GlobalSecondaryIndexUpdates": [delete]}
    )
    for _ in range(10_000):
        if not (await tables.describe_table("to-letters")).get("GlobalSecondaryIndexes"):
            return
    raise RuntimeError("the index is still there")


async def test_letters_are_refused_again_while_the_index_stands_and_written_when_it_is_gone(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    await seed(local_world)
    plan = CopyPlan(
        tables=(TablePlan("from-letters", "to-letters"),),
        source=local_world.source,
        target=local_world.target,
        segments=3,
        state_dir=tmp_path,
    )
    rejected = await copy_table(plan)
    assert (rejected.status, rejected.tables[0].items_rejected) == ("rejected", BAD)

    request = ReplayRequest(run=plan.run_name, state_dir=tmp_path, target=local_world.target)
    again = await replay(request)
    assert (again.summary.status, again.summary.refused, again.summary.left) == (
        "rejected",
        BAD,
        BAD,
    )
    store = await SqliteStore.open_for_reading(tmp_path, plan.run_name)
    letters = await stored_letters(store)
    await store.aclose()
    assert {letter.error_code for letter in letters} == {"ValidationException"}
    assert all("Type mismatch" in letter.error_message for letter in letters)

    await drop_the_index(local_world)
    # One of them is there by now as it should be, with its sets in the engine's own order.
    source = await local_world.source_tables.read_items("from-letters")
    (there,) = [item for item in source if item["pk"] == {"S": "bad-7"}]
    await local_world.target_tables.put_items("to-letters", [there])
    mended = await replay(request)
    assert mended.error is None
    assert (mended.summary.written, mended.summary.run_status) == (BAD, "complete")
    (table,) = mended.summary.tables
    assert (table.items_read, table.items_written, table.items_rejected) == (
        GOOD + BAD,
        GOOD + BAD,
        0,
    )
    expected = await local_world.source_tables.read_table("from-letters")
    assert await local_world.target_tables.read_table("to-letters") == expected
