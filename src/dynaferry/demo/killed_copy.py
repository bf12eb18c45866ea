"""The demo's copy: killed by `kill -9` on the way, and resumed by the same command.

A process of its own, started as it is typed, since nothing less can be killed so.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.text import TextReceiveStream

from dynaferry.demo import accounts
from dynaferry.errors import StateError, StoppedError
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import has_state
from dynaferry.state.sqlite.store import SqliteStore

Say = Callable[[str], None]

COPY: Final = "orders-copy"
RUN: Final = f"{accounts.TABLE}-to-{COPY}"
# It is killed once so large a part of the items is stored as written.
KILLED_AT: Final = 1 / 3
_SECONDS: Final = 6  # what the whole copy takes under its cap, at least
_LOOK_SECONDS: Final = 0.02
_MOST_SECONDS: Final = 120.0


async def copy_with_a_kill(count: int, plan: CopyPlan, directory: Path, say: Say) -> None:
    """Copies the demo's table, a line for each that the copy says.

    :raises StoppedError: the copy ended otherwise than complete
    """
    words = _command(count, plan, directory)
    say(f"   $ dynaferry {_in_short(words)}")
    with anyio.fail_after(_MOST_SECONDS):
        async with _started(words) as process, anyio.create_task_group() as beside:
            beside.start_soon(_told, process, say)
            written = await _until_written(int(count * KILLED_AT), directory, process)
            has_ended = process.returncode is not None
            if not has_ended:
                process.kill()
            await process.wait()
    if has_ended:
        say("   it was complete before it could be killed; the same command again:")
    else:
        say(f"   $ kill -9 {process.pid}    # {written:,} items are written for good; once more:")
    with anyio.fail_after(_MOST_SECONDS):
        async with _started(words) as process, anyio.create_task_group() as beside:
            beside.start_soon(_told, process, say)
            code = await process.wait()
    if code:
        raise StoppedError(f"the copy of the demo ended with exit code {code}")


def _command(count: int, plan: CopyPlan, directory: Path) -> list[str]:
    """What is typed. The external id is in the environment: a process list shows the rest."""
    here = str(plan.source.endpoint_url)
    flags = {
        "--source-region": accounts.SOURCE_REGION,
        "--target-region": accounts.TARGET_REGION,
        "--target-role-arn": accounts.ROLE_ARN,
        "--source-endpoint-url": here,
        "--target-endpoint-url": here,
        "--sts-endpoint-url": here,
        "--state-dir": str(directory / "copy"),
        "--max-write-units": str(max(20, count // _SECONDS)),
        "--segments": "8",
        "--readers": "2",
        "--writers": "4",
        "--metrics-listen": "127.0.0.1:0",
        "--progress": "plain",
    }
    named = [word for flag in flags.items() for word in flag]
    return ["copy", accounts.TABLE, COPY, "--create-target", *named]


def _in_short(words: Sequence[str]) -> str:
    return f"{' '.join(words[:4])} --target-role-arn {accounts.ROLE_ARN} …"


@asynccontextmanager
async def _started(words: Sequence[str]) -> AsyncIterator[Process]:
    """A process that does not outlive the block."""
    process = await anyio.open_process(
        [sys.executable, "-m", "dynaferry", *words],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DYNAFERRY_TARGET_EXTERNAL_ID": accounts.EXTERNAL_ID},
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.wait()
            await process.aclose()


async def _told(process: Process, say: Say) -> None:
    """Says what it says, line by line."""
    if process.stderr is not None:
        async for line in _lines(process.stderr):
            say(f"     {line}")


async def _lines(told: ByteReceiveStream) -> AsyncIterator[str]:
    rest = ""
    async for part in TextReceiveStream(told, errors="replace"):
        *lines, rest = (rest + part).split("\n")
        for line in lines:
            yield line


async def _until_written(items: int, directory: Path, process: Process) -> int:
    """How many items its state file calls written, once they are so many or it has ended."""
    while True:
        has_ended = process.returncode is not None
        written = await _written(directory / "copy")
        if written >= items or has_ended:
            return written
        await anyio.sleep(_LOOK_SECONDS)


async def _written(state_dir: Path) -> int:
    if not await to_thread.run_sync(has_state, state_dir, RUN):
        return 0
    try:
        store = await SqliteStore.open_for_reading(state_dir, RUN)
    except StateError:  # it is being made
        return 0
    async with closing(store):
        return (await store.read_totals(0)).items_written
