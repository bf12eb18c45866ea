"""A verification of two accounts of the service's own engine, with what was planted in one."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dynaferry.dynamodb.client import DynamoClient
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.verify.run import verify_tables
from dynaferry.verify.settings import DEFAULT_SETTLE_SECONDS, VerifyPlan
from dynaferry.verify.summary import ComparisonSummary, VerifySummary
from tests.local.dynamodb_local import LocalWorld
from tests.local.strange_items import strange_items
from tests.worlds.client import WireItem

MANY = 100_000
CHANGES_PER_SECOND = 200
# What a writer writes reaches the target so much later, as by a replication.
LAG_SECONDS = 0.2


def plan_of(world: LocalWorld, name: str, state_dir: Path, **settings: Any) -> VerifyPlan:
    copy = CopyPlan(
        tables=(TablePlan(f"from-{name}", f"to-{name}"),),
        source=world.source,
        target=world.target,
        segments=4,  # its parallel scan reads the whole table for each
        state_dir=state_dir,
    )
    return msgspec.structs.replace(VerifyPlan(copy=copy, settle_seconds=1.0), **settings)


def only_table(summary: VerifySummary) -> ComparisonSummary:
    (table,) = summary.tables
    return table


def an_item(number: int, version: int = 0) -> WireItem:
    return {
        "pk": {"S": f"item-{number}"},
        "version": {"N": str(version)},
        "tags": {"SS": ["red", "green", "blue"]},
        "prices": {"NS": ["1", "2.5", str(number + 10)]},
    }


def written_otherwise(item: WireItem) -> WireItem:
    """The same item: sets and attributes in another order, numbers in another notation."""
    return {
        "prices": {"NS": [f"{number}E0" for number in reversed(item["prices"]["NS"])]},
        "tags": {"SS": ["blue", "red", "green"]},
        "version": {"N": f"{item['version']['N']}.00"},
        "pk": item["pk"],
    }


class Planted:
    """Which numbers are missing, different and extra on the target."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        drawn = draw.sample(range(MANY), draw.randint(100, 300))
        cut = draw.randint(20, len(drawn) - 20)
        self.missing, self.different = set(drawn[:cut]), set(drawn[cut:])
        self.extra = set(range(MANY, MANY + draw.randint(20, 150)))

    @property
    def touched(self) -> set[int]:
        return self.missing | self.different

    def on_target(self) -> list[WireItem]:
        kept = [
            written_otherwise(an_item(number, version=-1 if number in self.different else 0))
            for number in range(MANY)
            if number not in self.missing
        ]
        return kept + [an_item(number) for number in self.extra]


async def seed(world: LocalWorld, name: str, planted: Planted) -> None:
    await world.source_tables.create_table(f"from-{name}")
    await world.target_tables.create_table(f"to-{name}")
    await world.source_tables.put_items(f"from-{name}", map(an_item, range(MANY)))
    await world.target_tables.put_items(f"to-{name}", planted.on_target())


def found_keys(table: ComparisonSummary) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {"missing": set(), "different": set(), "extra": set()}
    for difference in table.differences:
        key = msgspec.json.decode(difference.key)["pk"]["S"]
        found[difference.kind].add(int(key.removeprefix("item-")))
    return found


@asynccontextmanager
async def changing(world: LocalWorld, name: str, planted: Planted) -> AsyncIterator[Counter[str]]:
    """Writes, deletes and adds 200 items a second on the source, and a little later on the target.

    Only items that are equal on both sides; whatever is under way at the end is finished.
    """
    done: Counter[str] = Counter()
    draw = random.Random(7)
    # In turn, so that no item is changed by two at once, which could reach the target in any order.
    free = [number for number in range(MANY) if number not in planted.touched]
    draw.shuffle(free)
    source, target = world.source_tables, world.target_tables

    async def change(numbers: list[int], version: int) -> None:
        """A quarter is deleted and written again, the rest is changed; all of it on both sides."""
        items = [an_item(number, version) for number in numbers]
        gone = [{"pk": item["pk"]} for item in items[: len(items) // 4]]
        for tables, table in ((source, f"from-{name}"), (target, f"to-{name}")):
            for key in gone:
                await tables.delete_item(table, key)
            await tables.put_items(table, items)
            await asyncio.sleep(LAG_SECONDS)
        done["changed"] += len(items)

    async def change_on() -> None:
        version = 0
        async with asyncio.TaskGroup() as changes:
            while not over.is_set():
                version += 1
                picked = [free.pop() for _ in range(CHANGES_PER_SECOND // 10)]
                changes.create_task(change(picked, version))
                await asyncio.sleep(0.1)

    over = asyncio.Event()
    writer = asyncio.create_task(change_on())
    try:
        yield done
    finally:
        over.set()
        await writer


async def test_what_is_planted_among_100_000_items_is_found_to_the_last_one(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    planted, name = Planted(seed=1), "planted"
    await seed(local_world, name, planted)
    plan = plan_of(local_world, name, tmp_path, limit=MANY)

    table = only_table(await verify_tables(plan))
    assert table.status == "different"
    assert table.source_items == MANY
    assert table.target_items == MANY - len(planted.missing) + len(planted.extra)
    assert table.matching == MANY - len(planted.touched)
    assert (table.missing, table.different, table.extra, table.in_flux) == (
        len(planted.missing),
        len(planted.different),
        len(planted.extra),
        0,
    )
    assert found_keys(table) == {
        "missing": planted.missing,
        "different": planted.different,
        "extra": planted.extra,
    }

    # And again while 200 of the other items are changed each second, on both sides.
    # What is given to settle is what it is by default: a busy engine may be a second late itself.
    patient = msgspec.structs.replace(plan, settle_seconds=DEFAULT_SETTLE_SECONDS)
    async with changing(local_world, name, planted) as done:
        table = only_table(await verify_tables(patient))
    assert done["changed"] > 100
    assert found_keys(table) == {
        "missing": planted.missing,
        "different": planted.different,
        "extra": planted.extra,
    }

    mending = msgspec.structs.replace(plan, repair=True, delete_extra=True)
    table = only_table(await verify_tables(mending))
    assert (table.status, table.written, table.deleted) == (
        "equal",
        len(planted.touched),
        len(planted.extra),
    )


@pytest.mark.parametrize("keys", [(("pk", "S"),), (("pk", "N"), ("sk", "B"))])
async def test_strange_items_are_compared_and_repaired_as_they_are(
    local_world: LocalWorld, tmp_path: Path, keys: tuple[tuple[str, str], ...]
) -> None:
    name = "strange-" + "-".join(type_name for _, type_name in keys)
    await local_world.source_tables.create_table(f"from-{name}", keys)
    await local_world.target_tables.create_table(f"to-{name}", keys)
    items = list(strange_items(keys, 200))
    await local_world.source_tables.put_items(f"from-{name}", items)
    other = [item | {"more": {"S": "x"}} for item in items[:60]]
    await local_world.target_tables.put_items(f"to-{name}", [*other, *items[60:120]])
    plan = plan_of(local_world, name, tmp_path, settle_seconds=0.0, repair=True)

    table = only_table(await verify_tables(plan))
    assert (table.matching, table.written, table.status) == (60, 140, "equal")
    source = await local_world.source_tables.read_table(f"from-{name}")
    assert await local_world.target_tables.read_table(f"to-{name}") == source


def wide_item(number: int, version: int, attributes: int) -> WireItem:
    """An item of so many attributes beside its key, with names that leave a condition no room."""
    return {
        "pk": {"S": f"item-{number}"},
        **{f"attribute-{n:04}": {"N": str(version)} for n in range(attributes)},
    }


async def test_a_condition_of_as_many_attributes_as_there_may_be_is_taken(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    """By changed values, by added attributes, and by attributes that the source does not have."""
    name = "wide"
    await local_world.source_tables.create_table(f"from-{name}")
    await local_world.target_tables.create_table(f"to-{name}")
    widths = [148, 149, 150, 400]
    source = [wide_item(number, 1, width) for number, width in enumerate(widths)]
    source += [wide_item(number, 1, 400) for number in (10, 11)]
    target = [wide_item(number, 2, width) for number, width in enumerate(widths)]
    target += [wide_item(10, 1, 1), wide_item(11, 1, 500), wide_item(12, 1, 400)]
    await local_world.source_tables.put_items(f"from-{name}", source)
    await local_world.target_tables.put_items(f"to-{name}", target)
    plan = plan_of(local_world, name, tmp_path, settle_seconds=0.0, repair=True, delete_extra=True)
    table = only_table(await verify_tables(plan))
    assert (table.status, table.written, table.deleted) == ("equal", 6, 1)
    assert await local_world.target_tables.read_table(
        f"to-{name}"
    ) == await local_world.source_tables.read_table(f"from-{name}")


async def test_what_no_condition_sees_is_kept_when_it_is_replaced(
    local_world: LocalWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before each write an attribute is added, and one beyond a condition's reach changed."""
    name = "replaced"
    await local_world.source_tables.create_table(f"from-{name}")
    await local_world.target_tables.create_table(f"to-{name}")
    first = {"attribute-0000": {"N": "9"}}
    await local_world.source_tables.put_items(
        f"from-{name}", [wide_item(1, 1, 1), wide_item(2, 1, 400) | first]
    )
    await local_world.target_tables.put_items(
        f"to-{name}", [wide_item(1, 2, 1), wide_item(2, 1, 400), wide_item(3, 1, 1)]
    )
    newer = [
        wide_item(1, 2, 1) | {"new": {"S": "one"}},
        wide_item(2, 1, 400) | {"attribute-0399": {"S": "new"}},
        wide_item(3, 1, 1) | {"new": {"S": "three"}},
    ]
    call = DynamoClient.send

    async def written_in_between(self: DynamoClient, operation: str, body: bytes) -> bytes:
        if operation in ("PutItem", "DeleteItem"):
            await local_world.target_tables.put_items(
                f"to-{name}",
                [one for one in newer if one["pk"]["S"].encode() in body],
            )
        return await call(self, operation, body)

    monkeypatch.setattr(DynamoClient, "send", written_in_between)
    plan = plan_of(local_world, name, tmp_path, settle_seconds=0.0, repair=True, delete_extra=True)
    table = only_table(await verify_tables(plan))
    assert (table.status, table.undecided) == ("undecided", ("overwritten",))
    assert (table.written, table.deleted, table.overwritten) == (0, 0, 3)
    assert table.kept_in is not None
    lines = Path(table.kept_in).read_text().splitlines()
    kept = sorted((json.loads(line)["item"] for line in lines), key=lambda one: one["pk"]["S"])
    assert kept == newer
