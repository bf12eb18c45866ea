"""A question stands alone, names what it is about, and does not keep a process that is to end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import dynaferry
from dynaferry.cli.question import Questions
from tests.worlds.moto import TARGET_EXTERNAL_ID, TARGET_ROLE_ARN, MotoWorld
from tests.worlds.terminal import terminal

ENOUGH_SECONDS = 60.0
QUESTION = b"orders (222222222222, us-east-1): continue? [y/N]"


async def test_two_questions_never_stand_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: dict[str, bool] = {}
    answered = asyncio.Event()

    async def ask(table: str) -> None:
        answers[table] = await questions.agreed(f"{table}: continue?")
        answered.set()

    with terminal() as (person, stdin):
        monkeypatch.setattr(sys, "stdin", stdin)
        questions = Questions()
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "orders")
            group.start_soon(ask, "events")
            await asyncio.sleep(0)
            await anyio.wait_all_tasks_blocked()
            assert capsys.readouterr().err == "orders: continue?\n"
            os.write(person, b"y\n")
            await asyncio.wait_for(answered.wait(), ENOUGH_SECONDS)
            await anyio.wait_all_tasks_blocked()
            assert capsys.readouterr().err == "events: continue?\n"
            os.write(person, b"n\n")
    assert answers == {"orders": True, "events": False}


async def different_tables(world: MotoWorld) -> None:
    for tables in (world.source_tables, world.target_tables):
        await tables.create_table("orders")
    await world.source_tables.put_items("orders", [{"pk": {"S": "missing"}}])


@asynccontextmanager
async def asking(
    world: MotoWorld, state_dir: Path, *arguments: str
) -> AsyncIterator[tuple[Process, int]]:
    """A command on a terminal of its own, which has come to its question; and the terminal."""
    with terminal() as (person, stdin):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dynaferry", *arguments),
            *("--state-dir", str(state_dir), "--sts-endpoint-url", world.url),
            *("--target-region", "us-east-1", "--target-endpoint-url", world.url),
            *("--target-role-arn", TARGET_ROLE_ARN),
            *("--target-external-id", TARGET_EXTERNAL_ID),
            stdin=stdin,
            stderr=stdin,
            env=os.environ
            | {"PYTHONPATH": str(Path(dynaferry.__file__).parents[1]), "TERM": "dumb"},
        )
        try:
            await until_said(person, b"[y/N]")
            yield child, person
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


async def until_said(person: int, words: bytes) -> bytes:
    """All that the terminal shows until it shows these words."""
    shown = b""
    async with asyncio.timeout(ENOUGH_SECONDS):
        while words not in shown:
            await anyio.wait_readable(person)
            shown += os.read(person, 65536)
    return shown


def verify_of(world: MotoWorld) -> tuple[str, ...]:
    return (
        *("verify", "orders", "orders", "--repair", "--settle", "0", "--progress", "none"),
        *("--source-region", "us-east-1", "--source-endpoint-url", world.url),
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_at_the_question_of_a_repair_ends_it_and_nothing_is_written(
    moto_world: MotoWorld, tmp_path: Path, number: signal.Signals
) -> None:
    await different_tables(moto_world)
    async with asking(moto_world, tmp_path, *verify_of(moto_world)) as (child, _):
        child.send_signal(number)
        assert await asyncio.wait_for(child.wait(), ENOUGH_SECONDS) == 130
    assert await moto_world.target_tables.read_items("orders") == []


async def test_ctrl_c_at_the_question_of_a_benchmark_ends_it(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await different_tables(moto_world)
    arguments = ("bench", "write", "--table", "orders", "--seconds", "1")
    async with asking(moto_world, tmp_path, *arguments) as (child, _):
        child.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(child.wait(), ENOUGH_SECONDS) == 130
    assert await moto_world.target_tables.read_items("orders") == []
