"""A simulator in a child process, for tests and benchmarks.

with simulator(settings) as simulated:
    ...  # simulated.url
    report = simulated.report()
"""

import http.client
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Raw, Struct

from benchmarks.simulator.report import Report
from benchmarks.simulator.settings import BrownOut, Change, Settings, StreamEvent, validate

CALL_TIMEOUT_SECONDS = 60.0
END_SECONDS = 5.0
_ROOT = Path(__file__).resolve().parents[2]  # where `benchmarks` is a package


class RunningSimulator(Struct, frozen=True):
    """The address of a simulator, and its control. Calls block."""

    url: str

    def report(self) -> Report:
        """What the service saw so far."""
        return msgspec.json.decode(self._call("GET", "report"), type=Report)

    def change(self, table: str, change: Change) -> None:
        """Offers another capacity from now on.

        :raises RuntimeError: there is no such table or index
        """
        self._call("POST", f"tables/{quote(table)}/change", msgspec.json.encode(change))

    def brown_out(self, table: str, brown_out: BrownOut) -> None:
        """Lets the table take nothing for a while, from `start_seconds` after now.

        :raises RuntimeError: there is no such table
        """
        self._call("POST", f"tables/{quote(table)}/brown-out", msgspec.json.encode(brown_out))

    def items(self, table: str) -> list[bytes]:
        """The items that a table keeps, in the order of a Scan.

        :raises RuntimeError: there is no such table, or it keeps none
        """
        answer = self._call("GET", f"tables/{quote(table)}/items")
        return [bytes(item) for item in msgspec.json.decode(answer, type=list[Raw])]

    def stream(self, table: str, event: StreamEvent) -> None:
        """Lets something happen to the table's stream, now.

        :raises RuntimeError: there is no such table, or it can have no stream
        """
        self._call("POST", f"tables/{quote(table)}/stream", msgspec.json.encode(event))

    def stream_brown_out(self, table: str, brown_out: BrownOut) -> None:
        """Lets nobody read the stream for a while, from `start_seconds` after now."""
        path = f"tables/{quote(table)}/stream/brown-out"
        self._call("POST", path, msgspec.json.encode(brown_out))

    def expire(self, table: str, items: int) -> None:
        """Lets time to live delete so many items."""
        self._call("POST", f"tables/{quote(table)}/expire", msgspec.json.encode({"items": items}))

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(
            urlsplit(self.url).netloc, timeout=CALL_TIMEOUT_SECONDS
        )
        try:
            connection.request(method, f"/simulator/{path}", body)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"the simulator answered {response.status}: {answer.decode()}")
        return answer


@contextmanager
def simulator(settings: Settings) -> Iterator[RunningSimulator]:
    """Runs a simulator for as long as the block.

    :raises ValueError: the settings make no sense
    """
    validate(settings)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "settings.json"
        path.write_bytes(msgspec.json.encode(settings))
        with subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "benchmarks.simulator", str(path)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the copy; the simulator ends after it
        ) as child:
            try:
                yield RunningSimulator(_first_line(child))
            finally:
                _end(child)


def _first_line(child: subprocess.Popen[bytes]) -> str:
    line = child.stdout.readline() if child.stdout is not None else b""
    if not line:
        raise RuntimeError("the simulator did not start: see above")
    return line.decode().strip()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
