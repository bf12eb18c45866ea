"""The engine that other tests stand on: two accounts, and strange items kept as they are."""

import pytest

from tests.local.dynamodb_local import LocalWorld
from tests.local.strange_items import full_size_item, strange_items
from tests.worlds.client import canonical, key_of
from tests.worlds.table_client import ServiceRefusedError


async def test_an_access_key_is_an_account(local_world: LocalWorld) -> None:
    await local_world.source_tables.create_table("accounts")

    with pytest.raises(ServiceRefusedError, match="ResourceNotFoundException"):
        await local_world.target_tables.describe_table("accounts")


async def test_the_engine_gives_strange_items_back_as_they_were_put(
    local_world: LocalWorld,
) -> None:
    keys = (("pk", "S"), ("sk", "B"))
    items = list(strange_items(keys, 100))
    await local_world.source_tables.create_table("strange", keys)

    assert await local_world.source_tables.put_items("strange", items) == 100

    assert await local_world.source_tables.read_table("strange") == {
        key_of(item, ["pk", "sk"]): canonical(item) for item in items
    }


async def test_a_full_size_item_fits_and_one_more_byte_does_not(local_world: LocalWorld) -> None:
    await local_world.source_tables.create_table("full")
    item = full_size_item({"pk": {"S": "a"}})
    one_too_many = {"pk": {"S": "a"}, "v": {"S": item["v"]["S"] + "x"}}

    assert await local_world.source_tables.put_items("full", [item]) == 1
    with pytest.raises(ExceptionGroup) as refused:
        await local_world.source_tables.put_items("full", [one_too_many])

    assert refused.group_contains(ServiceRefusedError, match="Item size has exceeded")


@pytest.mark.parametrize("owner", [{"N": "1"}, {"S": ""}], ids=["wrong type", "empty"])
async def test_one_item_with_a_bad_index_key_refuses_its_whole_batch(
    local_world: LocalWorld, owner: dict[str, str]
) -> None:
    name = f"index-{'-'.join(owner)}"
    await local_world.target_tables.create_table(name, indexes={"by-owner": [("owner", "S")]})

    with pytest.raises(ExceptionGroup) as refused:
        await local_world.target_tables.put_items(
            name, [{"pk": {"S": "good"}}, {"pk": {"S": "bad"}, "owner": owner}]
        )

    assert refused.group_contains(ServiceRefusedError, match="ValidationException")
    assert await local_world.target_tables.read_items(name) == []
