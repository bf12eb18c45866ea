"""A move from a replica of version 2017.11.29 to another, on the simulator: what the service writes
into items by itself is in no target, makes no difference, and the switch waits for other Regions.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from benchmarks.simulator import (
    NO_LATENCY,
    GlobalTable,
    RunningSimulator,
    Settings,
    Stream,
    Table,
    simulator,
)
from dynaferry import CopyPlan
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.plan.settings import Account, TablePlan
from dynaferry.run.lifecycle import closing
from dynaferry.state.move_records import TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from dynaferry.verify.run import verify_tables
from dynaferry.verify.settings import VerifyPlan
from tests.follow.moves import Moving, moving
from tests.worlds.client import WireItem
from tests.worlds.table_client import TableClient

SEEDED = 60
LEGACY = GlobalTable(regions=("eu-west-1",), version="2017.11.29", own_write_seconds=0.3)
IMAGES = Stream(view="NEW_AND_OLD_IMAGES", enabled_before_seconds=3600.0, shards=2)
FROM_ELSEWHERE = {
    "aws:rep:deleting": {"BOOL": False},
    "aws:rep:updateregion": {"S": "eu-west-1"},
    "aws:rep:updatetime": {"N": "1800000000.000001"},
}


class World:
    """Both tables in one simulator, past dynaferry."""

    def __init__(self, simulated: RunningSimulator, *, target_is_legacy: bool) -> None:
        self.url = simulated.url
        self.target_is_legacy = target_is_legacy
        self.source_tables = self.target_tables = TableClient(self.url, "us-east-1", "testing")

    async def without_own(self, table: str) -> dict[str, WireItem]:
        items = await self.source_tables.read_items(table)
        return {
            item["pk"]["S"]: {n: v for n, v in item.items() if not n.startswith("aws:")}
            for item in items
        }

    async def write(self, number: int, version: int, **more: Any) -> None:
        item = {"pk": {"S": f"w{number}"}, "version": {"N": str(version)}, **more}
        await self.source_tables.call("PutItem", {"TableName": "source", "Item": item})


@pytest.fixture(params=["2017.11.29", "one Region"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The target is such a table as well, or is alone."""
    is_legacy = request.param == LEGACY.version
    source = Table(
        name="source",
        items=SEEDED,
        item_bytes=200,
        stream=IMAGES,
        global_table=LEGACY,
        latency=NO_LATENCY,
    )
    target = Table(
        name="target",
        keeps_items=True,
        stream=IMAGES if is_legacy else None,
        global_table=LEGACY if is_legacy else None,
        latency=NO_LATENCY,
    )
    with simulator(Settings(tables=(source, target))) as simulated:
        yield World(simulated, target_is_legacy=is_legacy)


def plan_of(world: World, state_dir: Path) -> CopyPlan:
    account = Account(region="us-east-1", endpoint_url=world.url)
    return CopyPlan(
        tables=(TablePlan("source", "target"),),
        source=account,
        target=account,
        state_dir=state_dir,
        run="orders",
        segments=4,
        readers=2,
        writers=4,
    )


async def cut_over(state_dir: Path, **asked: Any) -> Answer:
    file = await MoveFile.open(state_dir, "orders")
    async with closing(file):
        asker = MoveAsker(file, state_dir, "orders", StopSignal(), lambda _: None)
        return await asker.ask("cut-over", TransitionRequest(what="cut-over", **asked))


async def until_equal(world: World, move: Moving) -> None:
    with anyio.fail_after(60):
        while True:
            move_is_quiet = bool(move.tables) and not any(t.spool_rows for t in move.tables)
            if move_is_quiet and await world.without_own("source") == await world.without_own(
                "target"
            ):
                return
            assert move.outcome is None, (move.outcome, move.said)
            await anyio.sleep(0.2)


async def test_what_a_legacy_global_table_writes_by_itself_never_arrives_and_never_differs(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaferry.follow.cut_over.REPLICATION_SECONDS", 7.0)
    async with moving(world, plan_of(world, tmp_path)) as move:
        for number in range(40):
            await world.write(number, 0)
        await move.until(lambda: bool(move.tables) and move.tables[0].state == "following")
        for number in range(20, 60):  # merged: what has come here of two writes elsewhere
            await world.write(number, 2, **FROM_ELSEWHERE)
        await world.source_tables.delete_item("source", {"pk": {"S": "w7"}})
        await until_equal(world, move)
        stopped_at = time.monotonic()
        refused = await cut_over(tmp_path, proof="closed")
        assert refused.outcome == "not ready"
        assert "cannot be disabled" in refused.reply.reasons[0]
        answer = await cut_over(tmp_path)
        waited = time.monotonic() - stopped_at
        target_items = await world.source_tables.read_items("target")
    assert answer.outcome == "go", answer
    assert waited >= 7.0
    assert any("replicate" in line for line in answer.reply.lines)
    assert any("equal on both sides" in line for line in answer.reply.shown)
    assert any("eu-west-1" in line for line in answer.reply.not_shown)
    assert move.has_said("(aws:rep:*): they are not copied")
    # The source's attributes are in no target: what is there its own service has set.
    regions = {item.get("aws:rep:updateregion", {}).get("S") for item in target_items}
    assert regions == ({"us-east-1"} if world.target_is_legacy else {None})
    verified = await verify_tables(VerifyPlan(copy=plan_of(world, tmp_path / "verify")))
    assert verified.tables[0].status == "equal"
    assert verified.tables[0].matching == SEEDED + 59
