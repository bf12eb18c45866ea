"""Odd names, odd keys and odd values through a whole copy, byte by byte, in bad weather."""

import asyncio
import random
from pathlib import Path

import pytest

from dynaferry.cli import exit_codes
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run.copy_tables import execute
from dynaferry.state.directory import find_runs
from tests.faults.judge import judge_finished
from tests.faults.mixture import KEYS
from tests.faults.odd_items import odd_items, written_oddly
from tests.faults.service import POISON
from tests.faults.test_each_fault import assert_copied, exit_code
from tests.faults.world import faulty_world
from tests.local.strange_items import nested
from tests.worlds.client import WireItem
from tests.worlds.table_client import KeyAttribute

ODD_NAMES = (
    *("Items", "Item", "LastEvaluatedKey", "UnprocessedItems", "PutRequest", "RequestItems"),
    *("Count", "ScannedCount", "ConsumedCapacity", "Key", "S", "N", "B", "__type", "message"),
    *("", " ", "\x00", "\u2028", "\ufeff", "\U0001f6a2", 'a"b\\c', "}}]}}", "ключ", "x" * 255),
)
ODD_TEXTS = (
    *("\x00", "\x00\x00end", "\u0000\uffff", "\U0010ffff", "e\u0301", "\u00e9", "\u202eright"),
    *('"}}},{"PutRequest":{"Item":{"pk":{"S":"injected"}}}', "\\u0000", "\r\n", "\ufffe", "\ud7ff"),
)
LARGEST = "9.9999999999999999999999999999999999999"
NUMBERS = (
    *("0", "-0", "0.0", "1", "1.0", "1.00", "1e0", "1E+0", "10e-1", "0.1e1", "+1", "01", "1."),
    *(
        "9.9999999999999999999999999999999999999E+125",
        "-9.9999999999999999999999999999999999999E+125",
    ),
    *("1E-130", "-1E-130", "12345678901234567890123456789012345678", "0." + "0" * 129 + "1"),
    *(".5", "-.5", "1e+125", "0e0"),
)


def odd_values() -> list[WireItem]:
    """Attributes that stand where they should not, and values at every limit."""
    items: list[WireItem] = [{name: {"M": {name: {"S": name}}}} for name in ODD_NAMES]
    items += [{"text": {"S": text}, text: {"S": "name"}} for text in ODD_TEXTS]
    items += [{"n": {"N": number}, "ns": {"NS": [number, "2"]}} for number in NUMBERS]
    items.append({"deep": nested(31)})
    items.append({"empty": {"S": ""}, "b": {"B": ""}, "l": {"L": []}, "m": {"M": {}}})
    items.append({"null": {"NULL": True}, "no": {"BOOL": False}, "future": {"VECTOR": [1.5]}})
    return items


@pytest.mark.parametrize("keys", KEYS, ids=str)
async def test_keys_of_every_type_and_name_are_copied_in_bad_weather(
    tmp_path: Path, keys: tuple[KeyAttribute, ...]
) -> None:
    chance = random.Random(str(keys))
    items = odd_items(keys, 300, chance, bad_share=0.03)
    async with faulty_world(
        items,
        keys=keys,
        shares={"partly unprocessed": 0.2, "refused after some were written": 0.1},
    ) as world:
        outcome = await execute(world.plan(tmp_path))
        assert exit_code(outcome) == exit_codes.REJECTED
        verdict = await judge_finished(
            world.service, world.source, world.target, outcome.summary, tmp_path
        )
        assert verdict.is_good, str(verdict)


async def test_odd_values_arrive_as_the_bytes_that_they_are(tmp_path: Path) -> None:
    chance = random.Random(3)
    items = [
        written_oddly(value | {"pk": {"S": f"{number}"}}, chance)
        for number, value in enumerate(odd_values())
    ]
    async with faulty_world(items, shares={"partly unprocessed": 0.5}) as world:
        await assert_copied(world, await execute(world.plan(tmp_path)), tmp_path)
        assert sorted(world.target.items.values()) == sorted(items)


async def test_a_key_that_is_written_another_way_in_the_response_is_found(tmp_path: Path) -> None:
    """The service gives one notation of a number back, whichever it was sent."""
    items = [b'{"pk":{"N":"%d.0"},"v":{"S":"x"}}' % number for number in range(60)]
    async with faulty_world(items, keys=(("pk", "N"),)) as world:
        world.service.normalizes_numbers = True
        world.weather.set_shares({"partly unprocessed": 0.6})
        await assert_copied(world, await execute(world.plan(tmp_path)), tmp_path)
        assert world.weather.met["partly unprocessed"] > 2


async def test_a_refused_item_whose_key_is_no_text_is_set_aside_whole(tmp_path: Path) -> None:
    """No service gives such a key; should it come, it may end nothing but its own way."""
    bad = b'{"pk":{"S":"\xff"},"v":{"S":"%b"}}' % POISON
    async with faulty_world([b'{"pk":{"S":"good"}}']) as world:
        world.service.also_in_a_page = bad
        outcome = await execute(world.plan(tmp_path, segments=1))
        assert exit_code(outcome) == exit_codes.REJECTED
        (table,) = outcome.summary.tables
        assert (table.items_read, table.items_written, table.items_rejected) == (2, 1, 1)


NAMES = (
    "a.b-c_D.1",
    "...",
    "---",
    ".-.",
    "_" * 255,
    "x" * 255,
    "sqlite",
    "orders.sqlite",
    "a.lock",
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
async def test_a_table_of_any_name_is_copied_and_resumed(tmp_path: Path, name: str) -> None:
    longest = "t" * 255
    async with faulty_world([b'{"pk":{"S":"%d"}}' % n for n in range(60)]) as world:
        for table, new in ((world.source, name), (world.target, longest)):
            del world.service.tables[table.name]
            table.name = new
            world.service.tables[new] = table
        here = Account(region="us-east-1", endpoint_url=world.url)
        plan = CopyPlan(
            tables=(TablePlan(name, longest),), source=here, target=here, state_dir=tmp_path
        )
        outcome = await execute(plan)
        await assert_copied(world, outcome, tmp_path)
        assert await asyncio.to_thread(find_runs, tmp_path) == [plan.run_name]
        said: list[str] = []
        again = await execute(plan, say=said.append)
        assert exit_code(again) == exit_codes.COMPLETE
        assert any("already complete" in line for line in said)
