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
from dynaferry.follow import cut_over as cut_over_steps
from dynaferry.follow import quiet
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.follow.move_state import MoveCommand
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
REPLICATION_SECONDS = 4.0
LEGACY = GlobalTable(regions=("eu-west-1",), version="2017.11.29", own_write_seconds=0.3)
IMAGES = Stream(view="NEW_AND_OLD_IMAGES", enabled_before_seconds=3600.0, shards=2)
FROM_ELSEWHERE: dict[str, Any] = {
    "aws:rep:deleting": {"BOOL": False},
    "aws:rep:updateregion": {"S": "eu-west-1"},
    "aws:rep:updatetime": {"N": "1800000000.000001"},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Waits that are long enough here; and a profile that may write to the source."""
    monkeypatch.setattr(quiet, "LEAST_SECONDS", 1.0)
    monkeypatch.setattr(quiet, "LEAST_POLLS", 2)
    monkeypatch.setattr(cut_over_steps, "REPLICATION_SECONDS", REPLICATION_SECONDS)
    monkeypatch.setattr(cut_over_steps, "WAY_BACK_QUIET_SECONDS", 0.6)
    credentials = tmp_path / "credentials"
    credentials.write_text("[back]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))


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

    async def write(self, number: int, version: int, table: str = "source", **more: Any) -> None:
        item = {"pk": {"S": f"w{number}"}, "version": {"N": str(version)}, **more}
        await self.source_tables.call("PutItem", {"TableName": table, "Item": item})


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
        way_back="keep" if world.target_is_legacy else "none",
        segments=4,
        readers=2,
        writers=4,
    )


async def asked_of_move(state_dir: Path, what: MoveCommand, request: TransitionRequest) -> Answer:
    file = await MoveFile.open(state_dir, "orders")
    async with closing(file):
        asker = MoveAsker(file, state_dir, "orders", StopSignal(), lambda _: None)
        return await asker.ask(what, request)


async def cut_over(state_dir: Path, **asked: Any) -> Answer:
    return await asked_of_move(state_dir, "cut-over", TransitionRequest(what="cut-over", **asked))


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
    world: World, tmp_path: Path
) -> None:
    async with moving(world, plan_of(world, tmp_path)) as move:
        for number in range(40):
            await world.write(number, 0)
        await move.until(lambda: bool(move.tables) and move.tables[0].state == "following")
        for number in range(20, 60):  # merged: what has come here of two writes elsewhere
            await world.write(number, 2, **FROM_ELSEWHERE)
        await world.source_tables.delete_item("source", {"pk": {"S": "w7"}})
        await until_equal(world, move)
        if world.target_is_legacy:
            await until_switched(tmp_path)
            await world.write(8, 3, table="target")
            await world.write(60, 3, table="target")
            await until_gone_back(tmp_path)
            assert await world.without_own("source") == await world.without_own("target")
        target_items = await world.source_tables.read_items("target")
    assert move.has_said("(aws:rep:*): they are not copied")
    # The source's attributes are in no target: what is there its own service has set.
    regions = {item.get("aws:rep:updateregion", {}).get("S") for item in target_items}
    assert regions == ({"us-east-1"} if world.target_is_legacy else {None})
    verified = await verify_tables(VerifyPlan(copy=plan_of(world, tmp_path / "verify")))
    assert verified.tables[0].status == "equal"
    assert verified.tables[0].matching == SEEDED + (60 if world.target_is_legacy else 59)


async def until_switched(state_dir: Path) -> None:
    """By what was observed, once other Regions have had the time to replicate."""
    stopped_at = time.monotonic()
    refused = await cut_over(state_dir, proof="closed")
    assert refused.outcome == "refused"
    assert "a global table, whose stream cannot be disabled" in refused.reply.reasons[0]
    answer = await cut_over(state_dir)
    assert answer.outcome == "go", answer
    assert time.monotonic() - stopped_at >= REPLICATION_SECONDS
    assert any("equal on both sides" in line for line in answer.reply.shown)
    assert "a write in eu-west-1 that is not replicated yet" in answer.reply.not_shown
    assert any("that eu-west-1 have everything" in line for line in answer.reply.not_shown)


async def until_gone_back(state_dir: Path) -> None:
    """What was written to the target is in the source, which its own service has marked."""
    went_at = time.monotonic()
    answer = await asked_of_move(
        state_dir, "cut-back", TransitionRequest(what="cut-back", write_profile="back")
    )
    assert answer.outcome == "go", answer
    assert time.monotonic() - went_at >= REPLICATION_SECONDS
