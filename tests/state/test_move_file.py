"""A transition has one end, whoever ends it and whoever is killed meanwhile."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

import dynaferry
from dynaferry.errors import StateError
from dynaferry.state.directory import state_path
from dynaferry.state.move_records import (
    MoveRecord,
    Stage,
    TransitionOutcome,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

NOW = CREATED_AT + 100.0
ROOT = Path(__file__).parents[2]
CUT_OVER = TransitionRequest(what="cut-over", timeout_seconds=30.0)
SWITCH: tuple[Stage, Stage] = ("cutting-over", "switched")
CHECK = TransitionRequest(what="check")
REPLY = TransitionReply(step="quiet", since=NOW, lines=("stop the writers now",))


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    store = await SqliteStore.create(tmp_path, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    return tmp_path


@asynccontextmanager
async def opened(state_dir: Path) -> AsyncIterator[MoveFile]:
    file = await MoveFile.open(state_dir, "orders")
    try:
        yield file
    finally:
        await file.aclose()


def killed(state_dir: Path, number: int, moment: str) -> subprocess.CompletedProcess[bytes]:
    path = f"{Path(dynaferry.__file__).parents[1]}{os.pathsep}{ROOT}"
    child = [sys.executable, "-m", "tests.state.move_kill_child", str(state_dir), str(number)]
    return subprocess.run(
        [*child, moment], env=os.environ | {"PYTHONPATH": path}, cwd=ROOT, timeout=60, check=False
    )


async def test_a_run_that_is_no_move_has_none_and_one_that_has_begun_keeps_its_state(
    state_dir: Path,
) -> None:
    async with opened(state_dir) as file:
        assert await file.read_move() is None
        begun = await file.begin_move("capturing", NOW, has_way_back=True)
        assert begun == MoveRecord(stage="capturing", since=NOW)
        assert await file.enter("copying", "capturing", NOW + 1)
    async with opened(state_dir) as again:
        found = await again.begin_move("capturing", NOW + 9, has_way_back=False)
        assert found == MoveRecord(stage="copying", since=NOW + 1, has_way_back=False)


async def test_the_file_of_a_run_that_is_no_move_is_changed_by_no_look(state_dir: Path) -> None:
    path = state_path(state_dir, "orders")
    before = path.read_bytes()
    async with opened(state_dir) as file:
        assert await file.read_move() is None
    assert path.read_bytes() == before


async def test_a_state_is_left_once_and_only_from_where_it_is(state_dir: Path) -> None:
    async with opened(state_dir) as file:
        await file.begin_move("following", NOW, has_way_back=True)
        assert not await file.enter("switched", "cutting-over", NOW)
        assert await file.enter("cutting-over", "following", NOW)
        assert not await file.enter("cutting-over", "following", NOW)
        assert await file.enter("switched", "cutting-over", NOW + 5)
        assert await file.enter("going-back", "switched", NOW + 6)
        assert await file.enter("switched", "going-back", NOW + 7)
        assert await file.read_move() == MoveRecord(
            stage="switched", since=NOW + 7, switched_at=NOW + 5
        )


async def test_what_is_asked_is_seen_by_the_other_and_so_are_beats_and_replies(
    state_dir: Path,
) -> None:
    async with opened(state_dir) as asks, opened(state_dir) as moves:
        await moves.begin_move("following", NOW, has_way_back=True)
        asked = await asks.ask(CUT_OVER, NOW)
        (seen,) = await moves.read_open()
        assert seen == asked
        assert (seen.request, seen.beats, seen.outcome) == (CUT_OVER, 0, None)
        await moves.reply(asked.number, REPLY)
        assert (await asks.beat(asked.number)).reply == REPLY
        (seen,) = await moves.read_open()
        assert seen.beats == 1
        last = TransitionReply(step="go", since=NOW + 3, shown=("it is quiet",), seconds=6.0)
        assert await moves.end(asked.number, "not ready", NOW + 3, reply=last)
        ended = await asks.beat(asked.number)
        assert (ended.outcome, ended.reply, ended.beats) == ("not ready", last, 1)
        assert await moves.read_open() == []


async def test_one_transition_is_open_at_a_time_and_a_check_beside_it(state_dir: Path) -> None:
    async with opened(state_dir) as file:
        await file.begin_move("following", NOW, has_way_back=True)
        first = await file.ask(CUT_OVER, NOW)
        abort = TransitionRequest(what="abort")
        assert await file.ask(abort, NOW + 1) == first
        check = await file.ask(CHECK, NOW + 1)
        assert check.number != first.number
        assert await file.ask(CUT_OVER, NOW + 2) == first
        await file.end(first.number, "withdrawn", NOW + 3)
        assert (await file.ask(abort, NOW + 4)).request == abort


async def test_a_go_and_a_withdrawal_at_the_same_moment_are_one_of_both_for_either(
    state_dir: Path,
) -> None:
    async with opened(state_dir) as asks, opened(state_dir) as moves:
        await moves.begin_move("cutting-over", NOW, has_way_back=True)
        gone = 0
        for _ in range(20):
            asked = await asks.ask(CUT_OVER, NOW)
            was_its_end: dict[TransitionOutcome, bool] = {}

            async def go(number: int, ends: dict[TransitionOutcome, bool]) -> None:
                ends["go"] = await moves.end(number, "go", NOW, stage=SWITCH)

            async def withdraw(number: int, ends: dict[TransitionOutcome, bool]) -> None:
                ends["withdrawn"] = await asks.end(number, "withdrawn", NOW)

            async with anyio.create_task_group() as group:
                group.start_soon(go, asked.number, was_its_end)
                group.start_soon(withdraw, asked.number, was_its_end)
            (outcome,) = [each for each, was in was_its_end.items() if was]
            assert (await asks.read_transition(asked.number)).outcome == outcome
            move = await moves.read_move()
            assert move is not None
            assert move.stage == ("switched" if outcome == "go" else "cutting-over")
            if outcome == "go":
                gone += 1
                await moves.enter("cutting-over", "switched", NOW)  # for the next round alone


@pytest.mark.parametrize(
    ("moment", "outcome", "stage"),
    [
        ("before a go", None, "cutting-over"),
        ("inside a go", None, "cutting-over"),
        ("after a go", "go", "switched"),
    ],
)
async def test_killed_at_a_go_it_is_a_clean_go_or_nothing_was_switched(
    state_dir: Path, moment: str, outcome: str | None, stage: str
) -> None:
    async with opened(state_dir) as file:
        await file.begin_move("cutting-over", NOW, has_way_back=True)
        number = (await file.ask(CUT_OVER, NOW)).number
    done = await to_thread.run_sync(killed, state_dir, number, moment)
    assert done.returncode == -signal.SIGKILL
    async with opened(state_dir) as file:
        assert (await file.read_transition(number)).outcome == outcome
        move = await file.read_move()
        assert move is not None
        assert move.stage == stage
        # Where it was no go, whoever asked may withdraw it, and only there.
        assert await file.end(number, "withdrawn", NOW + 9) == (outcome is None)


async def test_a_go_of_a_move_that_stands_elsewhere_is_stored_in_no_part(state_dir: Path) -> None:
    async with opened(state_dir) as file:
        await file.begin_move("following", NOW, has_way_back=True)
        number = (await file.ask(CUT_OVER, NOW)).number
        assert not await file.end(number, "go", NOW, stage=SWITCH)
        assert (await file.read_transition(number)).outcome is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE move SET stage = 'elsewhere'", "stage"),
        ("UPDATE move SET stage = 'switched'", "never switched"),
        ("UPDATE transitions SET request = '{}'", "what"),
        ("UPDATE transitions SET outcome = 'go'", "half an end"),
        ("UPDATE transitions SET beats = -1", "beats"),
    ],
)
async def test_what_cannot_be_true_of_a_move_is_damage(
    state_dir: Path, change: str, told: str
) -> None:
    async with opened(state_dir) as file:
        await file.begin_move("following", NOW, has_way_back=True)
        await file.ask(CUT_OVER, NOW)
    with closing(sqlite3.connect(state_path(state_dir, "orders"))) as connection, connection:
        connection.execute(change)
    with pytest.raises(StateError, match=told):
        await MoveFile.open(state_dir, "orders")
