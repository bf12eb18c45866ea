"""The switch as people do it, with the processes that they have: asked, gone, withdrawn, killed."""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from tests.cli.test_move import (
    STREAM,
    an_item,
    command,
    ended,
    is_equal,
    make_source,
    started,
    status_of,
    until_followed,
)
from tests.worlds.moto import MotoWorld


def asking(what: str, state_dir: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "dynaferry", what, "orders", *more),
        *("--state-dir", str(state_dir), "--json"),
    ]


async def cut_over(state_dir: Path, *more: str) -> tuple[int, Any, str]:
    code, out, err = await ended(asking("cut-over", state_dir, *more))
    return code, json.loads(out), err


class Writer:
    """Writes to a table of the source until it is told to stop, and knows when it last did."""

    def __init__(self, world: MotoWorld) -> None:
        self._world = world
        self.stops = anyio.Event()
        self.versions = 0
        self.wrote_at = 0.0

    async def run(self) -> None:
        while not self.stops.is_set():
            self.versions += 1
            item = an_item(self.versions % 50, self.versions)
            await self._world.source_tables.put_items("orders", [item])
            self.wrote_at = time.time()
            await anyio.sleep(0.02)


@asynccontextmanager
async def following(world: MotoWorld, state_dir: Path) -> AsyncIterator[subprocess.Popen[str]]:
    """A move that follows."""
    await make_source(world, StreamSpecification=STREAM)
    with started(command(world, state_dir)) as move:
        await until_followed(world, state_dir)
        yield move


async def until_switched(state_dir: Path, since: float) -> None:
    """A process that was started then knows of the switch and of a write behind it."""
    with anyio.fail_after(60):
        while True:
            await anyio.sleep(0.5)
            status = await status_of(state_dir)
            is_new = float(str(status["at"])) > since
            if is_new and status["state"] == "switched" and status["late_writes"]:
                return


async def interrupted(move: subprocess.Popen[str]) -> str:
    """Ends it by Ctrl-C, unless it has ended; gives what it said."""
    move.send_signal(signal.SIGINT)
    _, err = await to_thread.run_sync(lambda: move.communicate(timeout=60))
    return err


async def test_a_cut_over_begins_while_writers_write_and_goes_once_they_have_stopped(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, writer = moto_world, Writer(moto_world)
    async with following(world, tmp_path) as move, anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        code, report, err = await cut_over(tmp_path, "--check")
        assert code == 0, err
        assert (report["outcome"], report["state"], report["ready"]) == ("ready", "following", True)
        assert "a way back" in report["not_shown"][0]
        assert "put-resource-policy --resource-arn arn:aws:dynamodb:us-east-1:" in err
        code, report, err = await cut_over(tmp_path, "--check", "--proof", "closed")
        assert code == 7, err
        assert "was not enabled by this move" in report["not_ready"][0]
        # Writers that do not stop: the time is over, and nothing was switched.
        code, report, err = await cut_over(tmp_path, "--timeout", "3")
        assert code == 7, err
        assert (report["outcome"], report["ready"]) == ("not ready", False)
        assert "3 s are over" in report["not_ready"][0]
        assert "stop the writers now" in err
        assert "nothing was switched" in err
        # The same asked again, and they stop after a while.
        gone = tmp_path / "gone"
        with started(
            asking("cut-over", tmp_path, "--on-go", f"touch {shlex.quote(str(gone))}")
        ) as asks:
            await anyio.sleep(2)
            writer.stops.set()
            out, err = await to_thread.run_sync(lambda: asks.communicate(timeout=60))
        went_at = time.time()
        assert asks.returncode == 0, err
        report = json.loads(out)
        assert (report["outcome"], report["state"]) == ("go", "switched")
        assert report["switched_at"] >= writer.wrote_at + 5
        assert 5 <= report["seconds"] <= went_at - writer.wrote_at
        assert any("are equal on both sides" in shown for shown in report["shown"])
        assert report["proven"] == ["recent keys equal"]
        assert report["not_proven"] == ["drained", "all keys equal", "no later writes"]
        # How writers are stopped is said once, behind the first line.
        assert err.splitlines()[1].startswith("whoever may can deny writes to orders")
        assert err.count("put-resource-policy") == 1
        assert gone.exists()
        assert await is_equal(world)
        # Behind the go nothing is applied any more, and what is written to the source is told.
        await world.source_tables.put_items("orders", [an_item(7, -1)])
        await world.target_tables.put_items("orders", [an_item(7, 99_999)])
        await anyio.sleep(3)
        assert "LATE WRITES: 1 keys" in await interrupted(move)
    with started(command(world, tmp_path)) as move:
        code, report, err = await cut_over(tmp_path)
        assert (code, report["outcome"], report["state"]) == (0, "go", "switched"), err
        await until_switched(tmp_path, went_at + 4)
        assert "LATE WRITES: 1 keys" in await interrupted(move)
    items = await world.target_tables.read_table("orders")
    assert '{"M": {"pk": {"S": "k7"}, "version": {"N": "99999"}}}' in items.values()
    code, out, err = await ended(asking("abort", tmp_path))
    assert code == 3
    # What is in use is not copied over.
    code, _, err = await ended(command(world, tmp_path, "--restart"))
    assert code == 3
    assert "its target is in use" in err
    code, out, err = await ended(asking("finish", tmp_path, "--without-comparison"))
    assert code == 6, err
    report = json.loads(out)
    assert (report["state"], report["late_writes"]) == ("finished", 1)
    assert Path(report["kept"][0]).exists()
    assert "dynaferry late-writes list orders" in report["left"][0]
    # They are listed still, each with what was written.
    code, out, err = await ended(
        [
            *(sys.executable, "-m", "dynaferry", "late-writes", "list", "orders"),
            *("--state-dir", str(tmp_path), "--json"),
        ]
    )
    assert code == 0, err
    (late,) = json.loads(out)["late_writes"]
    assert (late["table"], late["key"]) == ("orders", {"pk": {"S": "k7"}})
    assert (late["change"], late["writes"]) == ("put", 1)
    code, _, err = await ended(command(world, tmp_path))
    assert code == 3
    assert "the move is finished" in err


async def test_who_stops_asking_or_is_killed_has_switched_nothing_and_it_follows_on(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, writer = moto_world, Writer(moto_world)
    async with following(world, tmp_path) as move, anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        with started(asking("cut-over", tmp_path)) as asks:
            await anyio.sleep(2)
            asks.send_signal(signal.SIGINT)
            out, err = await to_thread.run_sync(lambda: asks.communicate(timeout=60))
        assert asks.returncode == 7, err
        assert json.loads(out)["outcome"] == "withdrawn"
        assert json.loads(out)["state"] in ("following", "cutting-over")
        with started(asking("cut-over", tmp_path)) as asks:
            await anyio.sleep(2)
            asks.kill()
        writer.stops.set()
        # Nobody waits for it any more: that is found out before there could be a go.
        stop, stopped = f"touch {shlex.quote(str(tmp_path / 'stopped'))}", tmp_path / "stopped"
        code, report, err = await cut_over(tmp_path, "--on-stop-writers", stop)
        assert code == 0, err
        assert report["outcome"] == "go"
        assert stopped.exists()
        told = await interrupted(move)
        assert told.count("nothing was switched: it follows on") == 2
        assert told.count("go: the target may be used") == 1
    # The comparison behind the go had no time.
    code, out, err = await ended(asking("finish", tmp_path))
    assert code == 7, err
    assert json.loads(out)["state"] == "switched"
    assert list(tmp_path.glob("*spool*"))
    code, out, err = await ended(asking("finish", tmp_path, "--without-comparison"))
    assert code == 0, err
    assert json.loads(out)["state"] == "finished"
    assert not list(tmp_path.glob("*spool*"))


async def test_a_move_that_is_killed_in_a_cut_over_has_switched_nothing_and_is_aborted(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, writer = moto_world, Writer(moto_world)
    async with following(world, tmp_path) as move, anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        with started(asking("cut-over", tmp_path)) as asks:
            await anyio.sleep(2)
            move.kill()
            out, err = await to_thread.run_sync(lambda: asks.communicate(timeout=60))
        assert asks.returncode == 7, err
        assert "the same move command resumes it" in json.loads(out)["not_ready"][0]
        writer.stops.set()
    code, report, err = await cut_over(tmp_path, "--check")
    assert code == 7, err
    assert "the same move command resumes it" in report["not_ready"][0]
    code, out, err = await ended(asking("finish", tmp_path))
    assert code == 3
    code, out, err = await ended(asking("abort", tmp_path))
    assert code == 0, err
    assert json.loads(out)["state"] == "aborted"
    assert "delete-table --table-name orders" in err
    assert not list(tmp_path.glob("*spool*"))
    code, _, err = await ended(command(world, tmp_path))
    assert code == 3
    assert "the move is aborted" in err


async def test_a_move_that_follows_is_aborted_and_its_process_ends(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    async with following(moto_world, tmp_path) as move:
        code, out, err = await ended(asking("abort", tmp_path))
        assert code == 0, err
        assert json.loads(out)["state"] == "aborted"
        await to_thread.run_sync(lambda: move.communicate(timeout=60))
        assert move.returncode == 130
    code, _, err = await ended(asking("abort", tmp_path))
    assert code == 0, err
