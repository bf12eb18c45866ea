"""What is on the disk after a real SIGKILL."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.state.directory import find_runs, log_paths, state_path
from dynaferry.state.lock import is_locked
from dynaferry.state.records import (
    SegmentRecord,
    TableCounters,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION
from tests.state.kill_child import BEGINNING, LETTERS, NEW, NEW_COUNTERS, OLD, OLD_COUNTERS, RUN
from tests.state.stored_letters import stored_letters

MOMENTS = [
    ("inside a checkpoint", OLD, OLD_COUNTERS),
    ("after a checkpoint", NEW, NEW_COUNTERS),
]


async def killed_at(state_dir: Path, moment: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.state.kill_child",
        str(state_dir),
        moment,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=DEVNULL,
    )
    assert await child.wait() == -signal.SIGKILL


async def kept_in(store: StateStore) -> tuple[list[SegmentRecord], TableCounters]:
    return await store.read_segments(0), await store.read_counters(0)


@pytest.mark.parametrize(("moment", "segments", "counters"), MOMENTS)
async def test_a_checkpoint_that_is_killed_is_stored_whole_or_not_at_all(
    tmp_path: Path, moment: str, segments: list[SegmentRecord], counters: TableCounters
) -> None:
    await killed_at(tmp_path, moment)
    assert not await asyncio.to_thread(is_locked, tmp_path, RUN)

    store = await SqliteStore.open(tmp_path, RUN)
    assert await kept_in(store) == (segments, counters)
    assert await stored_letters(store) == LETTERS
    run = await store.read_run()
    assert (run.identity, run.status, run.attempts) == (IDENTITY, "running", 1)

    await store.begin_attempt(VERSION, CREATED_AT + 1)
    assert await stored_letters(store) == LETTERS[: 1 if segments is OLD else 2]
    await store.checkpoint(0, NEW, NEW_COUNTERS)
    assert await kept_in(store) == (NEW, NEW_COUNTERS)
    await store.aclose()


@pytest.mark.parametrize(("moment", "segments", "counters"), MOMENTS)
async def test_status_reads_what_a_killed_writer_left_and_leaves_it_there(
    tmp_path: Path, moment: str, segments: list[SegmentRecord], counters: TableCounters
) -> None:
    await killed_at(tmp_path, moment)
    path = state_path(tmp_path, RUN)
    log, index = log_paths(path)
    before = [path.read_bytes(), log.read_bytes()]
    assert before[1], "the killed writer's log is what this test is about"
    for _ in range(2):
        reader = await SqliteStore.open_for_reading(tmp_path, RUN)
        assert await kept_in(reader) == (segments, counters)
        await reader.aclose()
        assert [path.read_bytes(), log.read_bytes()] == before
        index.unlink()


async def test_a_damaged_file_and_the_log_of_a_killed_writer_are_left_as_they_are(
    tmp_path: Path,
) -> None:
    await killed_at(tmp_path, "after a checkpoint")
    path = state_path(tmp_path, RUN)
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xa5" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    log = log_paths(path)[0].read_bytes()
    with pytest.raises(StateError, match="is damaged"):
        await SqliteStore.open(tmp_path, RUN)
    with pytest.raises(StateError, match="is damaged"):
        await SqliteStore.set_aside(tmp_path, RUN, CREATED_AT)
    assert path.read_bytes() == damaged
    assert log_paths(path)[0].read_bytes() == log


async def test_a_run_that_was_killed_is_set_aside_with_all_that_is_in_its_log(
    tmp_path: Path,
) -> None:
    await killed_at(tmp_path, "after a checkpoint")
    aside = await SqliteStore.set_aside(tmp_path, RUN, CREATED_AT)
    assert sorted(tmp_path.iterdir()) == [tmp_path / f"{RUN}.lock", aside]
    aside.rename(state_path(tmp_path, RUN))
    store = await SqliteStore.open(tmp_path, RUN)
    assert await kept_in(store) == (NEW, NEW_COUNTERS)
    await store.aclose()


async def test_a_run_killed_before_its_file_has_its_name_was_never_begun(tmp_path: Path) -> None:
    await killed_at(tmp_path, BEGINNING[0])
    assert await asyncio.to_thread(find_runs, tmp_path) == []
    store = await SqliteStore.create(tmp_path, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT + 1)
    assert (await store.read_run()).created_at == CREATED_AT + 1
    await store.aclose()


async def test_a_run_killed_when_its_file_has_its_name_is_whole(tmp_path: Path) -> None:
    await killed_at(tmp_path, BEGINNING[1])
    store = await SqliteStore.open(tmp_path, RUN)
    run = await store.read_run()
    assert (run.identity, run.settings, run.attempts) == (IDENTITY, SETTINGS, 0)
    assert await store.read_segments(0) == []
    await store.aclose()
