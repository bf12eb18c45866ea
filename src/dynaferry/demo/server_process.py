"""The demo's server as a child process: started, filled, ended."""

import asyncio
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import anyio

from dynaferry.demo.installation import install_command
from dynaferry.errors import PlanError, StoppedError

_START_SECONDS = 60
_END_SECONDS = 5


class DemoServer:
    """The running server. Everything in it is gone when it ends."""

    def __init__(self, stdin: StreamWriter, stdout: StreamReader, log: Path) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._log = log
        self.endpoint_url = ""

    async def started(self) -> None:
        """Waits until it takes requests.

        :raises StoppedError: it did not start
        """
        with anyio.move_on_after(_START_SECONDS):
            self.endpoint_url = f"http://127.0.0.1:{await self._read_number()}"
            return
        raise StoppedError(f"the demo's server did not start within {_START_SECONDS} s")

    async def fill_source(self, count: int) -> None:
        """Fills the source table, which is there already, with the demo's first `count` items.

        :raises StoppedError: the server ended
        """
        self._stdin.write(f"{count}\n".encode())
        await self._read_number()

    async def _read_number(self) -> int:
        line = await self._stdout.readline()
        if not line:
            raise StoppedError(f"the demo's server ended: {_last_line(self._log)}")
        return int(line)


def require_moto() -> None:
    """Checks that the demo can run.

    :raises PlanError: something that it needs is not installed
    """
    missing = [name for name in ("moto", "flask", "flask_cors") if find_spec(name) is None]
    if missing:
        raise PlanError(
            f"the demo needs {' and '.join(missing)}, not installed with this Python",
            hint=install_command(),
        )


@asynccontextmanager
async def start_server(directory: Path) -> AsyncIterator[DemoServer]:
    """Runs the server for as long as the block; it logs into `directory`.

    :raises StoppedError: it did not start
    """
    log = directory / "server.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            # -P: what lies in the current directory is not imported.
            sys.executable, "-P", "-m", "dynaferry.demo.server",
            stdin=PIPE,
            stdout=PIPE,
            stderr=stderr,
            env=_environment(),
            # Ctrl-C is for the copy; the server ends after it.
            start_new_session=True,
        )  # fmt: skip
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process with pipes has both")
    try:
        server = DemoServer(process.stdin, process.stdout, log)
        await server.started()
        yield server
    finally:
        process.stdin.close()
        await _end(process)


def _environment() -> dict[str, str]:
    """Nothing that configures moto from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MOTO_")}


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(_END_SECONDS):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
