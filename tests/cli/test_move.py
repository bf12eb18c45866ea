"""A move as a person runs it: refused where it must be, killed, interrupted, gone on with."""

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

import anyio
import pytest
from anyio import to_thread

import dynaferry
from dynaferry import CopyPlan, copy_table
from dynaferry.follow.enabled_streams import enabled_streams
from dynaferry.plan.settings import TablePlan
from tests.cli.scraped import Scraper, page_of
from tests.worlds.client import WireItem
from tests.worlds.moto import MotoWorld
from tests.worlds.terminal import END_OF_INPUT, terminal

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
def started(command: list[str], stdin: TextIO | None = None) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


async def ended(command: list[str], stdin: TextIO | None = None) -> tuple[int, str, str]:
    with started(command, stdin) as child:
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
    assert "aws dynamodb update-table --region us-east-1 --table-name arn:aws:dynamodb:" in err
    assert "--stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE" in err
    assert await moto_world.target_tables.call("ListTables", {}) == {"TableNames": []}
    assert not list(tmp_path.glob("*.sqlite"))


async def dry_run(world: MotoWorld, state_dir: Path, *more: str) -> tuple[int, Any, str]:
    """Of a state directory that is not there yet: nothing may be written, so nor may it."""
    code, out, err = await ended(command(world, state_dir / "new", "--dry-run", *more))
    assert not (state_dir / "new").exists()
    assert await world.target_tables.call("ListTables", {}) == {"TableNames": []}
    return code, json.loads(out), err


async def test_a_dry_run_says_what_a_move_finds_and_costs_and_writes_nothing(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)

    async with anyio.create_task_group() as group:

        async def write() -> None:
            for version in range(10_000):
                await world.source_tables.put_items("orders", [an_item(version % 7, version)])
                await anyio.sleep(0.01)

        group.start_soon(write)
        code, document, err = await dry_run(world, tmp_path)
        group.cancel_scope.cancel()
    assert code == 0, err
    (table,) = document["tables"]
    following = table["following"]
    assert following["changes_per_second"] > 0
    assert following["cost_a_day"] > 0
    assert (following["stream_view"], following["stream_status"]) == ("NEW_IMAGE", "ENABLED")
    assert following["stream_arn"].startswith(f"{table['source_arn']}/stream/")
    assert "following: at " in err
    assert "a second about $" in err
    assert "which Lambda functions read the source's stream is not known" in err
    assert "may or may not be copied" not in err


async def test_a_dry_run_names_all_that_a_move_would_be_refused_for(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_source(moto_world)
    code, document, err = await dry_run(moto_world, tmp_path, "--no-create-target")
    assert code == 3
    assert "error: 2 problems\n" in err
    assert "(1) the source table orders has no stream" in err
    assert "(2) the target table orders does not exist" in err
    assert document["error"]["type"] == "PreflightError"


async def test_a_dry_run_that_would_enable_a_stream_enables_none(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_source(moto_world)
    code, document, err = await dry_run(moto_world, tmp_path, "--enable-stream", "--yes")
    assert code == 0, err
    assert "--enable-stream enables one with NEW_IMAGE" in err
    following = document["tables"][0]["following"]
    assert (following["stream_status"], following["cost_a_day"]) == (None, None)
    described = await moto_world.source_tables.call("DescribeTable", {"TableName": "orders"})
    assert "LatestStreamArn" not in described["Table"]


async def test_a_stream_is_not_enabled_where_nobody_can_be_asked(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_source(moto_world)
    code, _, err = await ended(command(moto_world, tmp_path, "--enable-stream"))
    assert code == 2
    assert "nobody can be asked whether to enable a stream" in err
    described = await moto_world.source_tables.call("DescribeTable", {"TableName": "orders"})
    assert "LatestStreamArn" not in described["Table"]


@pytest.mark.parametrize("answer", [b"n\n", END_OF_INPUT])
async def test_on_a_terminal_a_person_is_asked_and_only_yes_is_yes(
    moto_world: MotoWorld, tmp_path: Path, answer: bytes
) -> None:
    await make_source(moto_world)
    with terminal() as (person, stdin):
        os.write(person, answer)
        code, _, err = await ended(command(moto_world, tmp_path, "--enable-stream"), stdin)
    assert code == 3, err
    assert "orders (123456789012, us-east-1) has no stream; one with NEW_IMAGE is enabled" in err
    assert "enable it? [y/N]" in err
    assert "nobody agreed to enable one; nothing was changed" in err
    described = await moto_world.source_tables.call("DescribeTable", {"TableName": "orders"})
    assert "LatestStreamArn" not in described["Table"]


async def test_who_says_yes_gets_a_stream_which_is_remembered_and_never_changed_again(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world)
    for attempt in range(2):
        with terminal() as (person, stdin):
            os.write(person, b"y\n")
            with started(command(world, tmp_path, "--enable-stream"), stdin) as child:
                await until_followed(world, tmp_path)
                child.send_signal(signal.SIGINT)
                _, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
        assert child.returncode == 130, err
        assert ("enable it? [y/N]" in err) == (attempt == 0)
        assert ("enabling a stream with NEW_IMAGE" in err) == (attempt == 0)
        (enabled,) = await to_thread.run_sync(enabled_streams, tmp_path, "orders")
    described = await world.source_tables.call("DescribeTable", {"TableName": "orders"})
    assert described["Table"]["LatestStreamArn"] == enabled.stream
    assert described["Table"]["StreamSpecification"] == STREAM
    status = [sys.executable, "-m", "dynaferry", "status", "--state-dir", str(tmp_path)]
    _, out, _ = await ended(status)
    assert "orders: its stream was enabled by this move" in out
    assert f"--table-name {enabled.table} --stream-specification StreamEnabled=false" in out
    assert stat.S_IMODE((tmp_path / "orders.enabled-streams.jsonl").stat().st_mode) == 0o600


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
    code, _, err = await ended(command(world, tmp_path, "--dry-run"))
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
    with started(command(world, tmp_path, "--metrics-listen", "127.0.0.1:0")) as child:
        scraper = Scraper(await to_thread.run_sync(page_of, child))
        seen = await scraper.until("move_state:re-syncing", 1)
        assert (seen["gaps_open"], seen["gaps_total"], "lag_seconds" in seen) == (1, 1, True)
        assert (await scraper.ask("/healthz")) == (200, "re-syncing\n")
        await scraper.until("gaps_open", 0)
        status = await until_followed(world, tmp_path)
        child.send_signal(signal.SIGINT)
        _, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
    assert child.returncode == 130, err
    assert "records were lost" in err
    assert "the gap is repaired" in err
    assert status["gaps"] == 0


def add_gap(spool: Path) -> None:
    with closing(sqlite3.connect(spool)) as connection, connection:
        connection.execute("INSERT INTO gaps (at, shard, why) VALUES (0, 'a', 'trimmed')")
