"""Runs one contestant against a null endpoint of its own, and reads what the kernel counted."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from benchmarks.contestants import ROOT, Contestant, Target
from benchmarks.null_endpoint import Seen
from benchmarks.results import Run

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    # A machine that stores no byte code compiles every module anew: that is not the copy.
    "PYTHONDONTWRITEBYTECODE": "",
}


class Certificate(NamedTuple):
    """What a TLS endpoint shows; clients are made to trust it."""

    certificate: Path
    key: Path


class Endpoint:
    """A null endpoint in a process of its own. `seen` is there once it has ended."""

    def __init__(
        self,
        item_bytes: int,
        pages: int,
        *,
        wait_seconds: float = 0.0,
        tls: Certificate | None = None,
    ) -> None:
        command = [sys.executable, "-m", "benchmarks.null_endpoint"]
        command += ["--item-bytes", str(item_bytes), "--pages", str(pages)]
        command += ["--wait-seconds", str(wait_seconds)]
        if tls is not None:
            command += ["--tls", *map(str, tls)]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.url = self._pipe(self._process.stdout).readline().strip()
        self.seen: Seen | None = None

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("the endpoint has no pipe")
        return pipe

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._pipe(self._process.stdin).close()
            said = self._pipe(self._process.stdout).read()
        self.seen = msgspec.json.decode(said, type=Seen)


class Cost(NamedTuple):
    """What a process took."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def measure(
    command: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    output: IO[str] | None = None,
) -> Cost:
    """Runs a command to its end; what it prints goes to `output`.

    :raises RuntimeError: it failed, with the last line that it said
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603  # our own modules and peers
            command,
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=said,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            cwd=ROOT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            last = (said.read().strip() or "it said nothing").splitlines()[-1]
            raise RuntimeError(f"{command[1:3]} ended with {process.returncode}: {last}")
    # The kernel counts kilobytes, but for macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(usage.ru_utime + usage.ru_stime, wall_seconds, usage.ru_maxrss * unit)


def run(
    contestant: Contestant,
    *,
    part: str,
    item_bytes: int,
    pages: int,
    number: int = 0,
    setting: int = 0,
    wait_seconds: float = 0.0,
    tls: Certificate | None = None,
) -> Run:
    """One run of one contestant.

    :raises RuntimeError: it failed, or did not write the whole table
    """
    endpoint = Endpoint(item_bytes, pages, wait_seconds=wait_seconds, tls=tls)
    trusted = {"AWS_CA_BUNDLE": str(tls.certificate)} if tls else {}
    with endpoint, tempfile.TemporaryDirectory() as scratch:
        target = Target(endpoint.url, Path(scratch), tls.certificate if tls else None)
        cost = measure(contestant.command(target), trusted)
    seen = endpoint.seen
    expected = pages * max(1, 1024 * 1024 // item_bytes)
    if seen is None or seen.items_written != expected:
        raise RuntimeError(f"{contestant.name} did not write {expected} items: {seen}")
    return Run(
        part=part,
        contestant=contestant.name,
        item_bytes=item_bytes,
        round=number,
        setting=setting,
        items=seen.items_written,
        requests=sum(seen.requests.values()),
        items_per_tick=tuple(seen.items_per_tick),
        tick_seconds=seen.tick_seconds,
        **cost._asdict(),
    )
