"""A disk that is full or read-only in the middle: an error that says so, and a state that holds."""

import asyncio
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dynaferry.cli import exit_codes
from dynaferry.errors import StateError, StateWriteError
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from dynaferry.state.directory import log_paths, state_path
from tests.faults.judge import judge_finished, judge_state
from tests.faults.service import POISON
from tests.faults.test_each_fault import at_request, exit_code
from tests.faults.world import RUN, World, faulty_world, some_items
from tests.worlds.small_disk import small_disk

# Each bad item is stored whole, so that a small disk is soon full.
BAD_ITEMS = [
    b'{"pk":{"S":"bad %d"},"v":{"S":"%b"},"w":{"S":"%b"}}' % (n, POISON, b"x" * 4000)
    for n in range(150)
]
ITEMS = [*some_items(300), *BAD_ITEMS]
TOO_SMALL = 200 * 1024
CHATTR = "/usr/bin/chattr"


@contextmanager
def no_file_larger_than(most_bytes: int) -> Iterator[None]:
    """The kernel refuses to write beyond, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def assert_failed_and_true(world: World, outcome: Outcome, state_dir: Path) -> None:
    """Stopped for the state file's sake, and what the state says holds."""
    error = outcome.error
    assert isinstance(error, StateWriteError), repr(error)
    assert exit_code(outcome) == exit_codes.FAILED
    assert str(state_path(state_dir, RUN)) in error.message
    assert "same command again" in (error.hint or "")
    verdict = await judge_state(world.source, world.target, state_dir, RUN)
    assert verdict.is_good, str(verdict)
    (table,) = outcome.summary.tables
    assert table.items_read == table.items_written + table.items_rejected
    assert table.items_read < len(ITEMS)


async def assert_goes_on(world: World, state_dir: Path) -> None:
    outcome = await execute(world.plan(state_dir))
    assert exit_code(outcome) == exit_codes.REJECTED
    verdict = await judge_finished(
        world.service, world.source, world.target, outcome.summary, state_dir
    )
    assert verdict.is_good, str(verdict)


async def test_a_file_that_cannot_grow_stops_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    async with faulty_world(ITEMS) as world:
        with no_file_larger_than(TOO_SMALL):
            outcome = await execute(world.plan(tmp_path))
        await assert_failed_and_true(world, outcome, tmp_path)
        await assert_goes_on(world, tmp_path)


async def test_a_disk_that_fills_stops_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="300k") as disk:
        async with faulty_world(ITEMS) as world:
            outcome = await execute(world.plan(disk.path))
            assert "make room" in str(outcome.error and outcome.error.hint)
            await assert_failed_and_true(world, outcome, disk.path)
            disk.set("size=8m")
            await assert_goes_on(world, disk.path)


async def test_a_disk_without_room_for_a_state_file_refuses_the_run(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="8k") as disk:
        async with faulty_world(ITEMS) as world:
            outcome = await execute(world.plan(disk.path))
            assert isinstance(outcome.error, StateError), repr(outcome.error)
            assert exit_code(outcome) == exit_codes.REFUSED
            assert world.target.items == {}
            disk.set("size=8m")
            await assert_goes_on(world, disk.path)


async def test_a_disk_made_read_only_between_two_attempts_refuses_and_is_named(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", size="8m") as disk:
        async with faulty_world(ITEMS) as world:
            at_request(world, "Scan", 5, lambda: world.service.denied.add("Scan"))
            await execute(world.plan(disk.path))
            world.service.mend()
            written = dict(world.target.items)
            disk.set("ro")
            outcome = await execute(world.plan(disk.path))
            disk.set("rw")
            assert isinstance(outcome.error, StateError), repr(outcome.error)
            assert exit_code(outcome) == exit_codes.REFUSED
            assert str(disk.path) in outcome.error.message
            assert world.target.items == written
            await assert_goes_on(world, disk.path)


@contextmanager
def _unchangeable(*files: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for file in files:
            subprocess.run([CHATTR, "-i", str(file)], check=True, capture_output=True)


async def test_a_state_made_read_only_mid_way_stops_the_run_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    files = (state_path(tmp_path, RUN), log_paths(state_path(tmp_path, RUN))[0])
    frozen: list[int] = []

    def freeze() -> None:
        done = [subprocess.run([CHATTR, "+i", str(f)], capture_output=True) for f in files]
        frozen.extend(process.returncode for process in done)

    if not os.access(CHATTR, os.X_OK) or os.geteuid() != 0:
        pytest.skip("needs chattr, which takes root and Linux")
    async with faulty_world(ITEMS) as world:
        at_request(world, "BatchWriteItem", 5, freeze)
        with _unchangeable(*files):
            outcome = await execute(world.plan(tmp_path))
        if frozen != [0, 0]:
            pytest.skip("this file system knows no unchangeable files")
        await assert_failed_and_true(world, outcome, tmp_path)
        await assert_goes_on(world, tmp_path)


async def test_two_runs_of_one_state_at_once_and_the_second_is_refused(tmp_path: Path) -> None:
    async with faulty_world([*some_items(100), *BAD_ITEMS[:2]]) as world:
        second: list[asyncio.Task[Outcome]] = []

        def start_second() -> None:
            second.append(asyncio.ensure_future(execute(world.plan(tmp_path))))

        at_request(world, "BatchWriteItem", 2, start_second)
        world.weather.set_shares({"answer slow": 0.5})
        first = await execute(world.plan(tmp_path))
        refused = await second[0]
        assert isinstance(refused.error, StateError), repr(refused.error)
        assert exit_code(refused) == exit_codes.REFUSED
        assert "another dynaferry works on this run" in refused.error.message
        assert exit_code(first) == exit_codes.REJECTED
        verdict = await judge_finished(
            world.service, world.source, world.target, first.summary, tmp_path
        )
        assert verdict.is_good, str(verdict)
