"""The world that other tests stand on: two accounts, told apart, in wire form."""

from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.plan.validation import validate
from tests.worlds.client import canonical
from tests.worlds.moto import SOURCE_ACCOUNT_ID, TARGET_ACCOUNT_ID, MotoWorld


async def test_a_table_of_one_account_is_not_in_the_other(moto_world: MotoWorld) -> None:
    source = await moto_world.source_tables.create_table("orders")
    target = await moto_world.target_tables.create_table("orders")

    assert f":{SOURCE_ACCOUNT_ID}:" in source["TableArn"]
    assert f":{TARGET_ACCOUNT_ID}:" in target["TableArn"]
    assert await moto_world.source_tables.put_items("orders", [{"pk": {"S": "a"}}]) == 1
    assert await moto_world.source_tables.read_table("orders") == {
        canonical({"pk": {"S": "a"}}): canonical({"pk": {"S": "a"}})
    }
    assert await moto_world.target_tables.read_table("orders") == {}


async def test_a_reset_empties_both_accounts(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders")
    await moto_world.target_tables.create_table("orders")

    moto_world.reset()

    assert (await moto_world.source_tables.call("ListTables", {}))["TableNames"] == []
    assert (await moto_world.target_tables.call("ListTables", {}))["TableNames"] == []


async def test_items_come_back_as_they_were_put(moto_world: MotoWorld) -> None:
    items = [
        {
            "pk": {"S": f"{n}"},
            "long": {"N": "1" * 38},
            "bytes": {"B": "AAEC/w=="},
            "Items": {"S": ""},
        }
        for n in range(60)
    ]
    await moto_world.source_tables.create_table("orders", indexes={"by-owner": [("owner", "S")]})

    assert await moto_world.source_tables.put_items("orders", items) == 60

    back = await moto_world.source_tables.read_items("orders")
    assert sorted(map(canonical, back)) == sorted(map(canonical, items))


def test_both_accounts_make_a_valid_plan(moto_world: MotoWorld) -> None:
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=moto_world.source,
        target=moto_world.target,
        sts_endpoint_url=moto_world.sts_endpoint_url,
    )
    assert validate(plan) is plan


def test_sets_compare_without_order_and_numbers_as_text() -> None:
    assert canonical({"s": {"NS": ["2", "10"]}}) == canonical({"s": {"NS": ["10", "2"]}})
    assert canonical({"s": {"L": [{"SS": ["b", "a"]}]}}) == canonical(
        {"s": {"L": [{"SS": ["a", "b"]}]}}
    )
    assert canonical({"s": {"L": [{"N": "1"}, {"N": "2"}]}}) != canonical(
        {"s": {"L": [{"N": "2"}, {"N": "1"}]}}
    )
    assert canonical({"n": {"N": "1"}}) != canonical({"n": {"N": "1.0"}})
