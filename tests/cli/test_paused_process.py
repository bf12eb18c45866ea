"""A command that is paused by another one while it runs: it holds, it stops, it goes on."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.request import urlopen

import dynaferry
from tests.faults.judge import judge_state
from tests.faults.world import SOURCE, TARGET, World, faulty_world, some_items
from tests.worlds.endpoint import Behaviour, Decide, Request

ITEMS = 1000
RUN = f"{SOURCE}-to-{TARGET}"
# Whoever waits for this grace does not end while the test lasts.
ENDLESS_GRACE = (
    "from dynaferry.copy import pipeline; pipeline.GRACE_SECONDS = 1e6;"
    "from dynaferry.__main__ import main; main()"
)
ENOUGH_SECONDS = 30.0


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[Process]:
    environment = os.environ | {"PYTHONPATH": str(Path(dynaferry.__file__).parents[1])}
    command = (sys.executable, "-c", ENDLESS_GRACE, *arguments)
    child = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def copying(world: World, state_dir: Path, *more: str) -> AbstractAsyncContextManager[Process]:
    return started(
        *("copy", SOURCE, TARGET, "--json", "--progress", "plain", *more),
        *("--source-region", "us-east-1", "--source-endpoint-url", world.url),
        *("--target-region", "us-east-1", "--target-endpoint-url", world.url),
        *("--state-dir", str(state_dir), "--segments", "4"),
    )


async def asked(state_dir: Path, *arguments: str) -> str:
    async with started(*arguments, "--state-dir", str(state_dir)) as child:
        out, err = await asyncio.wait_for(child.communicate(), ENOUGH_SECONDS)
    assert child.returncode == 0, err.decode()
    return out.decode()


def writes_of(world: World) -> asyncio.Event:
    """Set once a few batches were written."""
    wrote = asyncio.Event()
    left = 5

    async def behaviour(request: Request) -> Behaviour:
        nonlocal left
        left -= request.operation == "BatchWriteItem"
        if left < 0:
            wrote.set()
        return await world.weather.behaviour(request)

    world.endpoint.otherwise = Decide(behaviour)
    return wrote


async def until_it_says(child: Process, words: bytes) -> None:
    assert child.stderr is not None
    async with asyncio.timeout(ENOUGH_SECONDS):
        while words not in await child.stderr.readline():
            assert not child.stderr.at_eof()


async def test_a_stop_in_a_pause_waits_for_nothing_and_the_run_resumes(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        wrote = writes_of(world)
        async with copying(world, tmp_path, "--max-write-units", "50") as child:
            await asyncio.wait_for(wrote.wait(), ENOUGH_SECONDS)
            await asked(tmp_path, "pause", RUN)
            await until_it_says(child, b"paused")
            child.send_signal(signal.SIGINT)
            out, err = await asyncio.wait_for(child.communicate(), ENOUGH_SECONDS)
        assert child.returncode == 130, err.decode()
        (table,) = json.loads(out)["tables"]
        assert table["items_read"] == table["items_written"] < ITEMS
        assert (await judge_state(world.source, world.target, tmp_path, RUN)).is_good

        await asked(tmp_path, "resume", RUN)
        async with copying(world, tmp_path) as child:
            out, err = await asyncio.wait_for(child.communicate(), ENOUGH_SECONDS)
        assert child.returncode == 0, err.decode()
        (table,) = json.loads(out)["tables"]
        assert (table["items_read"], table["items_written"]) == (ITEMS, ITEMS)
        assert world.target.items == world.source.items


def target_scans_of(world: World, let_go: asyncio.Event) -> asyncio.Event:
    """Set once the whole target is scanned, by a verification; answered when let go."""
    verifying = asyncio.Event()

    async def behaviour(request: Request) -> Behaviour:
        of_the_target = f'{TARGET}"'.encode() in request.body
        if of_the_target and b'"TotalSegments"' in request.body:
            verifying.set()
            await let_go.wait()
        return await world.weather.behaviour(request)

    world.endpoint.otherwise = Decide(behaviour)
    return verifying


async def test_a_pause_holds_the_verification_after_a_copy_too(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        let_go = asyncio.Event()
        verifying = target_scans_of(world, let_go)
        async with copying(world, tmp_path, "--after-copy") as child:
            await asyncio.wait_for(verifying.wait(), ENOUGH_SECONDS)
            await asked(tmp_path, "pause", RUN)
            await until_it_says(child, b"paused")
            let_go.set()
            told = await asked(tmp_path, "status", RUN)
            assert "complete; its verification is under way, paused" in told
            await asked(tmp_path, "resume", RUN)
            out, err = await asyncio.wait_for(child.communicate(), ENOUGH_SECONDS)
        assert child.returncode == 0, err.decode()
        assert json.loads(out)["verify"]["status"] == "equal"


async def test_a_process_that_verifies_after_its_copy_answers_that_it_is_alive(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with faulty_world(some_items(ITEMS)) as world:
        let_go = asyncio.Event()
        verifying = target_scans_of(world, let_go)
        listen = ("--metrics-listen", f"127.0.0.1:{port}")
        async with copying(world, tmp_path, "--after-copy", *listen) as child:
            await asyncio.wait_for(verifying.wait(), ENOUGH_SECONDS)
            alive = await asyncio.to_thread(urlopen, f"http://127.0.0.1:{port}/livez")
            with alive:
                assert alive.status == 200
            let_go.set()
            out, err = await asyncio.wait_for(child.communicate(), ENOUGH_SECONDS)
        assert child.returncode == 0, err.decode()
        assert json.loads(out)["verify"]["status"] == "equal"
