"""A command whose event loop does not turn any more: it ends by itself, or by the third signal."""

import asyncio
import json
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dynaferry import CopyPlan, TablePlan, copy_table
from dynaferry.cli import failure, signals
from dynaferry.cli.interrupts import run_async
from dynaferry.cli.watchdog import Silence, stacks
from tests.faults.judge import judge_state
from tests.faults.world import SOURCE, TARGET, World, faulty_world, some_items
from tests.worlds.moto import TARGET_EXTERNAL_ID, MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items

ROOT = Path(__file__).parents[2]
RUN = f"{SOURCE}-to-{TARGET}"
ITEMS = 400
ENOUGH_SECONDS = 60.0
NEVER = 1_000_000
SECRET_ITEM = b'{"pk":{"S":"a key that nobody may see"},"note":{"S":"nor what is in the item"}}'


# When ------------------------------------------------------------------------------------------


def test_a_loop_is_given_up_after_so_many_checks_in_a_row_without_a_turn() -> None:
    silence = Silence(3)
    assert [silence.check(turns) for turns in (5, 5, 5, 5)] == [False, False, False, True]


def test_one_turn_between_two_checks_is_enough() -> None:
    silence = Silence(3)
    assert not any(silence.check(checks // 3) for checks in range(300))


def test_stacks_name_files_and_lines_and_no_values() -> None:
    def stand(secret: str) -> None:
        began.set()
        ended.wait(ENOUGH_SECONDS)
        assert secret

    began, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=stand, args=("a value that nobody may see",), name="one")
    thread.start()
    began.wait(ENOUGH_SECONDS)
    told = stacks(thread.ident or 0)
    ended.set()
    thread.join()
    assert told[0] == "stack of one:"
    assert any(" in test_stacks_name_files" in line and "stand" in line for line in told)
    assert not any("a value" in line for line in told)


# What becomes of it ----------------------------------------------------------------------------


@asynccontextmanager
async def started(
    *arguments: str,
    how: str = "busy",
    after: int = 12,
    watched: bool = True,
    temporary: Path | None = None,
) -> AsyncIterator[Process]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    if temporary is not None:
        environment["TMPDIR"] = str(temporary)
    words = (how, str(after), "watched" if watched else "alone", *arguments)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cli.stuck_child", *words),
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env=environment,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def sides(world: World, state_dir: Path) -> tuple[str, ...]:
    return (
        *("--source-region", "us-east-1", "--source-endpoint-url", world.url),
        *("--target-region", "us-east-1", "--target-endpoint-url", world.url),
        *("--state-dir", str(state_dir), "--segments", "4"),
    )


def copying(world: World, state_dir: Path) -> tuple[str, ...]:
    return ("copy", SOURCE, TARGET, "--json", *sides(world, state_dir))


async def ended(child: Process) -> tuple[str, str]:
    out, err = await asyncio.wait_for(child.communicate(), ENOUGH_SECONDS)
    return out.decode(), err.decode()


def document(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.removeprefix("stuck\n"))
    return found


async def until_stuck(child: Process) -> None:
    assert child.stdout is not None
    line = await asyncio.wait_for(child.stdout.readline(), ENOUGH_SECONDS)
    assert line == b"stuck\n"


async def finish(world: World, state_dir: Path) -> None:
    """The same command again copies the rest, and nothing is missing."""
    assert (await judge_state(world.source, world.target, state_dir, RUN)).is_good
    async with started(*copying(world, state_dir), after=NEVER) as child:
        out, err = await ended(child)
    assert child.returncode == 0, err
    (table,) = json.loads(out)["tables"]
    assert (table["items_read"], table["items_written"]) == (len(world.source.items),) * 2
    assert world.target.items == world.source.items


@pytest.mark.parametrize("how", ["busy", "asleep"])
async def test_a_copy_that_hangs_ends_with_5_and_its_stacks_and_the_same_command_resumes(
    tmp_path: Path, how: str
) -> None:
    async with faulty_world([*some_items(ITEMS), SECRET_ITEM]) as world:
        async with started(*copying(world, tmp_path), how=how) as child:
            out, err = await ended(child)
        assert child.returncode == 5, err
        assert "stack of MainThread:\n  cli/stuck_child.py:" in err
        assert " in stick\n" in err
        assert "error: dynaferry hung for" in err
        assert "hint: the same command resumes" in err
        assert "nobody may see" not in err
        told = document(out)
        assert (told["status"], told["error"]["type"]) == ("failed", "LoopStalledError")
        async with started("status", RUN, "--state-dir", str(tmp_path)) as child:
            seen, err = await ended(child)
        assert "state       failed\n" in seen, err
        assert "error: dynaferry hung for" in seen
        await finish(world, tmp_path)


async def test_in_a_log_of_json_the_stacks_are_events(tmp_path: Path) -> None:
    async with (
        faulty_world(some_items(ITEMS)) as world,
        started(*copying(world, tmp_path), "--log-format", "json") as child,
    ):
        _, err = await ended(child)
    assert child.returncode == 5
    events = [json.loads(line) for line in err.splitlines()]
    (event,) = [each for each in events if each["message"] == "the event loop does not turn"]
    assert (event["level"], event["run"]) == ("error", RUN)
    assert " in stick" in event["stacks"]


async def test_a_verification_that_hangs_ends_with_5_and_the_same_command_resumes(
    tmp_path: Path,
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        for item in world.source.items.values():
            world.target.put(item)
        command = ("verify", SOURCE, TARGET, "--json", *sides(world, tmp_path))
        async with started(*command) as child:
            out, err = await ended(child)
        assert child.returncode == 5, err
        assert document(out)["error"]["type"] == "LoopStalledError"
        async with started(*command, after=NEVER) as child:
            out, err = await ended(child)
        assert child.returncode == 0, err


async def test_a_replay_that_hangs_ends_with_5_and_the_same_command_resumes(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", TARGET_EXTERNAL_ID)
    await rejected_run(moto_world, tmp_path)
    command = ("dead-letters", "replay", "orders", "--json", "--state-dir", str(tmp_path))
    async with started(*command, after=3) as child:
        out, err = await ended(child)
    assert child.returncode == 5, err
    assert document(out)["error"]["type"] == "LoopStalledError"
    async with started(*command, after=NEVER) as child:
        out, err = await ended(child)
    assert child.returncode == 0, err
    source = await moto_world.source_tables.read_table("orders")
    assert await moto_world.target_tables.read_table("orders") == source


async def rejected_run(world: MotoWorld, state_dir: Path) -> None:
    """Copies a table whose target refuses some items, and takes them afterwards."""
    notes = [REFUSED] * 10 + ["fine"] * 10
    await world.source_tables.create_table("orders")
    await world.source_tables.put_items(
        "orders", [{"pk": {"S": f"k{n}"}, "note": {"S": note}} for n, note in enumerate(notes)]
    )
    await world.target_tables.create_table("orders")
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        segments=1,
    )
    with refusing_marked_items():
        assert (await copy_table(plan)).status == "rejected"


async def test_a_benchmark_that_hangs_ends_with_5(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        command = (
            *("bench", "read", SOURCE, "--yes", "--json", "--source-region", "us-east-1"),
            *("--source-endpoint-url", world.url, "--state-dir", str(tmp_path)),
        )
        async with started(*command) as child:
            out, err = await ended(child)
    assert child.returncode == 5, err
    assert document(out)["error"]["type"] == "LoopStalledError"


async def test_a_demo_that_hangs_ends_with_5_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with started("demo", "--items", "500", after=3, temporary=tmp_path) as child:
        _, err = await ended(child)
    assert child.returncode == 5, err
    assert "error: dynaferry hung for" in err
    assert list(tmp_path.iterdir()) == []


async def test_a_process_that_was_stopped_for_longer_than_that_goes_on(tmp_path: Path) -> None:
    """As on a machine that was suspended."""
    async with faulty_world(some_items(ITEMS)) as world:
        arguments = (*copying(world, tmp_path), "--max-write-units", "200")
        async with started(*arguments, after=NEVER) as child:
            await until_written(world)
            child.send_signal(signal.SIGSTOP)
            await asyncio.sleep(2)  # several times what the watchdog waits here
            child.send_signal(signal.SIGCONT)
            _, err = await ended(child)
        assert child.returncode == 0, err


async def until_written(world: World) -> None:
    async with asyncio.timeout(ENOUGH_SECONDS):
        while not world.target.items:  # noqa: ASYNC110  # a table tells nobody
            await asyncio.sleep(0.01)


# The third signal ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "number"),
    [("busy", signal.SIGINT), ("busy", signal.SIGHUP), ("asleep", signal.SIGTERM)],
)
async def test_the_third_signal_ends_a_copy_that_hangs_and_the_same_command_resumes(
    tmp_path: Path, how: str, number: signal.Signals
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        async with started(*copying(world, tmp_path), how=how, watched=False) as child:
            await until_stuck(child)
            for each in (signal.SIGINT, signal.SIGTERM, number):
                assert child.returncode is None
                child.send_signal(each)
                await asyncio.sleep(0.3)  # signals that wait are one
            _, err = await ended(child)
        assert child.returncode == 130, err
        assert signals.ENDED_AT_ONCE in err
        await finish(world, tmp_path)


# Who is watched --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_command_that_only_prints_may_wait_for_its_reader(is_watched: bool) -> None:
    async def body() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    last_words = failure.print_error if is_watched else None
    assert ("dynaferry-watchdog" in run_async(body, last_words=last_words)) == is_watched
