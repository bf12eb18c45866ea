"""What is run: an endpoint with a stream, and `dynaferry move` processes whose cost is read."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from benchmarks.contestants import ROOT
from benchmarks.follow.arrivals import Arrived, Lags
from benchmarks.null_endpoint import SOURCE, TARGET
from benchmarks.process import ENVIRONMENT
from dynaferry.follow.stored_move import read_move
from dynaferry.observe.move_status import MoveStatus
from dynaferry.state.directory import spool_path

RUN = "bench"
LOOK_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


class StreamEndpoint:
    """The endpoint, in a process of its own."""

    def __init__(self, *, pages: int, shards: int = 16, keys: int = 1_000_000) -> None:
        command = [sys.executable, "-m", "benchmarks.follow.endpoint", "--pages", str(pages)]
        command += ["--shards", str(shards), "--keys", str(keys)]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.url = _pipe(self._process.stdout).readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            _pipe(self._process.stdin).close()

    def flood(self, changes: int) -> None:
        """So many changes are in the stream at once."""
        self._ask("BenchWrite", {"flood": changes})

    def write(self, per_second: float, seconds: float) -> None:
        """From now on the source is written at this rate, for so long."""
        self._ask("BenchWrite", {"per_second": per_second, "seconds": seconds})

    def hold(self, on: bool) -> None:
        """The scan of the source gives nothing until it is let go."""
        self._ask("BenchHold", {"on": on})

    def seen(self) -> Arrived:
        """What it has seen so far."""
        return msgspec.json.decode(self._ask("BenchSeen", {}), type=Arrived)

    def lags(self) -> Lags:
        """How late everything was that has arrived."""
        return msgspec.json.decode(self._ask("BenchLags", {}), type=Lags)

    def _ask(self, operation: str, what: dict[str, Any]) -> bytes:
        request = urllib.request.Request(  # noqa: S310  # loopback
            self.url, json.dumps(what).encode(), {"X-Amz-Target": f"Bench.{operation}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            said: bytes = answer.read()
        return said


class Command:
    """A `dynaferry` process that copies or moves the table; what it takes is the kernel's word."""

    def __init__(self, command: str, url: str, state_dir: Path, *flags: str) -> None:
        words = [sys.executable, "-m", "dynaferry", command, SOURCE, TARGET, "--run", RUN]
        words += ["--source-endpoint-url", url, "--target-endpoint-url", url]
        words += ["--state-dir", str(state_dir), "--progress", "none", *flags]
        self._said = (state_dir / f"{command}.said").open("w+")
        self._state_dir = state_dir
        self._process = subprocess.Popen(  # noqa: S603  # our own words
            words,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT},
            cwd=ROOT,
        )

    @classmethod
    def move(cls, url: str, state_dir: Path) -> Self:
        """`dynaferry move`, with everything that a user gets."""
        return cls("move", url, state_dir, "--source-streams-endpoint-url", url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process, self._said:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
                self._process.wait(60)

    def cpu_seconds(self) -> float:
        """What it has used so far, user and system.

        :raises RuntimeError: it has ended, with the last line that it said
        """
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError as error:
            raise self._ended() from error
        if stat[0] == "Z":
            raise self._ended()
        return (int(stat[11]) + int(stat[12])) / _TICKS

    def peak_bytes(self) -> int:
        """The most memory that it has had."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise self._ended()

    def status(self) -> MoveStatus | None:
        """How the move stands, by its own word."""
        found = read_move(self._state_dir, RUN, 1)
        return found[0] if found else None

    def wait_until(self, what: str) -> MoveStatus:
        """Waits until it is in this state."""
        while True:
            status = self.status()
            self.cpu_seconds()
            if status is not None and status.state == what:
                return status
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Ends it as Ctrl-C does, and waits."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def _ended(self) -> RuntimeError:
        self._said.seek(0)
        said = self._said.read().strip().splitlines() or ["nothing"]
        return RuntimeError(f"it has ended, and said: {'; '.join(said[-3:])}")


def captured(state_dir: Path) -> int:
    """The changes that are in the spool for good, or were."""
    path = spool_path(state_dir, RUN, 0)
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as spool:
        (count,) = spool.execute("SELECT captured FROM spool").fetchone()
    return int(count)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("the endpoint has no pipe")
    return pipe
