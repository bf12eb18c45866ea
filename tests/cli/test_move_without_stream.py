"""A move without a stream with the processes that people have: copied, switched, ended."""

import json
import subprocess
import time
from pathlib import Path

import anyio
from anyio import to_thread

from tests.cli.test_cut_over import Writer, asking, cut_over
from tests.cli.test_move import command, ended, is_equal, make_source, started, status_of
from tests.worlds.moto import MotoWorld


async def until_converged(
    move: subprocess.Popen[str], state_dir: Path, *, is_running: bool = False
) -> dict[str, object]:
    with anyio.fail_after(90):
        while True:
            await anyio.sleep(0.5)
            assert move.poll() is None
            if not await to_thread.run_sync((state_dir / "orders.sqlite").exists):
                continue
            status = await status_of(state_dir)
            if status.get("state") == "following" and (status["is_running"] or not is_running):
                return status


async def test_without_a_stream_the_outage_is_told_and_the_switch_is_one_pass(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, writer = moto_world, Writer(moto_world)
    await make_source(world)
    dry = await ended(command(world, tmp_path / "new", "--without-stream", "--dry-run"))
    assert dry[0] == 0
    assert "a switch takes an outage of one pass of both tables, about" in dry[2]
    move_command = command(world, tmp_path, "--without-stream")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        with started(move_command) as move:
            status = await until_converged(move, tmp_path)
            assert (status["ready"], status["not_ready"]) == (True, [])
            passes = status["passes"]
            assert isinstance(passes, dict)
            assert passes["done"] >= 1
            assert passes["found"] > 0
            move.kill()
        with started(move_command) as move:
            await until_converged(move, tmp_path, is_running=True)
            code, report, err = await cut_over(tmp_path, "--check")
            assert code == 0, err
            assert report["outage_seconds"] > 0
            assert "a switch now takes an outage of about" in err
            writer.stops.set()
            stopped_at = time.time()
            code, report, err = await cut_over(tmp_path)
            assert code == 0, err
            assert (report["outcome"], report["state"]) == ("go", "switched")
            assert report["switched_at"] - stopped_at < 60
            assert any("all keys of both tables are equal" in shown for shown in report["shown"])
            assert await is_equal(world)
            out, err = await to_thread.run_sync(lambda: move.communicate(timeout=60))
            assert move.returncode == 0, err
            assert json.loads(out)["status"] == "complete"
            assert "go: the target may be used" in err
    code, out, err = await ended(asking("finish", tmp_path))
    assert code == 0, err
    assert json.loads(out)["state"] == "finished"
