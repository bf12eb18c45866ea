"""A move as a person runs it: refused where it must be, killed, interrupted, gone on with."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

import dynaferry
from dynaferry import CopyPlan, copy_table
from dynaferry.plan.settings import TablePlan
from tests.worlds.client import WireItem
from tests.worlds.moto import MotoWorld

SOURCE = Path(dynaferry.__file__).parents[1]
ITEMS = 400
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}


def command(world: MotoWorld, state_dir: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "dynaferry", "move", "orders", "orders", "--create-target"),
        *("--source-region", "us-east-1", "--source-endpoint-url", world.url),
        *("--target-region", "us-east-1", "--target-endpoint-url", world.url),
        *("--target-role-arn", str(world.target.role_arn)),
        *("--target-external-id", str(world.target.external_id)),
        *("--sts-endpoint-url", world.url, "--state-dir", str(state_dir)),
        *("--readers", "2", "--writers", "4", "--progress", "plain", "--json", *more),
    ]


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            yield child
        finally:
            child.kill()


async def ended(command: list[str]) -> tuple[int, str, str]:
    with started(command) as child:
        out, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
    return child.returncode, out, err


def an_item(number: int, version: int) -> WireItem:
    return {"pk": {"S": f"k{number}"}, "version": {"N": str(version)}}


async def make_source(world: MotoWorld, **settings: Any) -> None:
    await world.source_tables.create_table("orders", **settings)
    await world.source_tables.put_items("orders", [an_item(n, 0) for n in range(ITEMS)])


async def is_equal(world: MotoWorld) -> bool:
    source = await world.source_tables.read_table("orders")
    return bool(source == await world.target_tables.read_table("orders"))


async def status_of(state_dir: Path) -> dict[str, object]:
    seen = [sys.executable, "-m", "dynaferry", "status", "--state-dir", str(state_dir), "--json"]
    _, out, _ = await ended(seen)
    found: dict[str, object] = json.loads(out).get("move", {})
    return found


async def until_followed(world: MotoWorld, state_dir: Path) -> dict[str, object]:
    """How the move stands once the target is equal and nothing waits."""
    with anyio.fail_after(90):
        while True:
            await anyio.sleep(0.5)
            if not await to_thread.run_sync((state_dir / "orders.sqlite").exists):
                continue
            status = await status_of(state_dir)
            is_over = status.get("state") == "following" and status["spool_rows"] == 0
            if is_over and await is_equal(world):
                return status


async def test_a_table_without_a_stream_is_refused_with_the_call_that_enables_one(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_source(moto_world)
    code, _, err = await ended(command(moto_world, tmp_path))
    assert code == 3
    assert "has no stream" in err
    assert "aws dynamodb update-table --table-name orders" in err


async def test_a_run_that_copy_has_made_is_refused_since_nothing_was_captured(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=tmp_path,
        create_target=True,
    )
    await copy_table(plan)
    code, _, err = await ended(command(world, tmp_path))
    assert code == 3
    assert "without a capture" in err


async def test_a_move_goes_on_after_ctrl_c_and_ends_equal_though_the_source_is_written(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)
    chance, version = random.Random(3), 0

    async def write(changes: int) -> None:
        nonlocal version
        for _ in range(changes):
            version, number = version + 1, chance.randrange(2 * ITEMS)
            if chance.random() < 0.2:
                await world.source_tables.delete_item("orders", {"pk": {"S": f"k{number}"}})
            else:
                await world.source_tables.put_items("orders", [an_item(number, version)])

    with started(command(world, tmp_path)) as child:
        await write(150)
        first = await until_followed(world, tmp_path)
        child.send_signal(signal.SIGINT)
        out, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
    assert child.returncode == 130, err
    assert json.loads(out)["status"] == "interrupted"
    assert "orders: following" in err
    assert "may or may not be copied" not in err
    assert first["ready"] is True
    await write(150)  # while nobody follows
    with started(command(world, tmp_path)) as child:
        await write(50)
        status = await until_followed(world, tmp_path)
        child.send_signal(signal.SIGINT)
        _, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
    assert child.returncode == 130, err
    assert status["gaps"] == 0
    assert int(str(status["changes_captured"])) > int(str(first["changes_captured"]))


async def test_after_a_gap_every_key_is_compared_and_the_move_follows_on(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)
    with started(command(world, tmp_path)) as child:
        await until_followed(world, tmp_path)
        child.send_signal(signal.SIGINT)
        await to_thread.run_sync(lambda: child.communicate(timeout=60))
    # What a trimmed stream would have left: a change, a deletion and a new item that nobody saw.
    await world.target_tables.put_items("orders", [an_item(1, 99), an_item(ITEMS + 1, 99)])
    await world.target_tables.delete_item("orders", {"pk": {"S": "k2"}})
    await to_thread.run_sync(add_gap, tmp_path / "orders.spool.sqlite")
    with started(command(world, tmp_path)) as child:
        status = await until_followed(world, tmp_path)
        child.send_signal(signal.SIGINT)
        _, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
    assert child.returncode == 130, err
    assert "records were lost" in err
    assert "the gap is mended" in err
    assert status["gaps"] == 0


def add_gap(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as connection, connection:
        connection.execute("INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'trimmed')")
