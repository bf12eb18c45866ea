"""A signal while the service says nothing at all: the command ends, and soon."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

import dynaferry
from dynaferry.copy import pipeline
from dynaferry.dynamodb.http import pool, timeouts
from tests.faults.judge import judge_state
from tests.faults.weather import Silence
from tests.faults.world import SOURCE, TARGET, World, faulty_world, some_items
from tests.worlds.endpoint import Behaviour, Decide, Request

ITEMS = 200
# By the promise a stop takes under 5 s; a busy machine may take its time to end a process.
GENEROUS_SECONDS = 20.0


def test_the_grace_of_a_stop_and_all_that_comes_after_it_are_under_five_seconds() -> None:
    """A silent request would be waited for much longer: the grace must cut it off."""
    assert pipeline.GRACE_SECONDS + pool.CLOSE_CONNECTIONS_SECONDS <= 5.0
    assert timeouts.READ_TIMEOUT_SECONDS > GENEROUS_SECONDS


async def started(world: World, state_dir: Path) -> Process:
    environment = os.environ | {"PYTHONPATH": str(Path(dynaferry.__file__).parents[1])}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET, "--json"),
        *("--source-region", "us-east-1", "--source-endpoint-url", world.url),
        *("--target-region", "us-east-1", "--target-endpoint-url", world.url),
        *("--state-dir", str(state_dir), "--segments", "4"),
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
    )


async def hanging_after(world: World, writes: int) -> asyncio.Event:
    """Has the service fall silent, and tells when it has, with a request before it."""
    silent = asyncio.Event()
    left = writes

    async def behaviour(request: Request) -> Behaviour:
        nonlocal left
        left -= request.operation == "BatchWriteItem"
        if left < 0:
            silent.set()
            return Silence()
        return await world.weather.behaviour(request)

    world.endpoint.otherwise = Decide(behaviour)
    return silent


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_stop_ends_a_copy_whose_service_hangs_and_the_next_goes_on(
    tmp_path: Path, signals: int
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        silent = await hanging_after(world, writes=4)
        child = await started(world, tmp_path)
        await asyncio.wait_for(silent.wait(), 60)
        for _ in range(signals):
            child.send_signal(signal.SIGTERM)
            await asyncio.sleep(0)
        out, err = await asyncio.wait_for(child.communicate(), GENEROUS_SECONDS)
        assert child.returncode == 130, err.decode()
        (table,) = json.loads(out)["tables"]
        assert table["items_read"] == table["items_written"] < ITEMS
        run = f"{SOURCE}-to-{TARGET}"
        assert (await judge_state(world.source, world.target, tmp_path, run)).is_good

        world.endpoint.otherwise = Decide(world.weather.behaviour)
        child = await started(world, tmp_path)
        out, err = await asyncio.wait_for(child.communicate(), 60)
        assert child.returncode == 0, err.decode()
        (table,) = json.loads(out)["tables"]
        assert (table["items_read"], table["items_written"]) == (ITEMS, ITEMS)
        assert world.target.items == world.source.items
