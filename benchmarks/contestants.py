"""Who is measured: how each is started, and why it cannot be where that is so."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.null_endpoint import SOURCE, TARGET

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
NPM_PEER = "copy-dynamodb-table@2.2.1"
INSTALL_SECONDS = 240.0


class Target(NamedTuple):
    """Where a contestant is pointed, and a folder of its own."""

    url: str
    scratch: Path
    certificates: Path | None = None


class Contestant(NamedTuple):
    """A way to copy the null table.

    `pages` is the size of the table by item size: enough that starting up is under a tenth of the
    run (boto3's takes 3.6 s of CPU, aioboto3's 0.9 s), few enough that it takes a minute at most.
    `prepare` says why it cannot run here, or nothing. Who is slower by far takes part in fewer
    `rounds`.
    """

    name: str
    title: str
    command: Callable[[Target], list[str]]
    pages: Mapping[int, int]
    prepare: Callable[[], str | None] = lambda: None
    rounds: int = 3


def dynaferry(*flags: str) -> Callable[[Target], list[str]]:
    """`dynaferry copy`, with everything that a user gets."""

    def command(target: Target) -> list[str]:
        words = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        words += ["--source-endpoint-url", target.url, "--target-endpoint-url", target.url]
        words += ["--state-dir", str(target.scratch), "--progress", "none", *flags]
        return words

    return command


def _module(name: str) -> Callable[[Target], list[str]]:
    def command(target: Target) -> list[str]:
        certificates = [str(target.certificates)] if target.certificates else []
        return [sys.executable, "-m", name, target.url, *certificates]

    return command


def _prepare_npm() -> str | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not on this machine"
    if (CACHE / "npm" / "node_modules" / "copy-dynamodb-table").is_dir():
        return None
    folder = CACHE / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--prefix", str(folder), "--no-fund", "--no-audit", NPM_PEER]
    return _tried(command, folder, "npm did not install it")


def _npm_command(target: Target) -> list[str]:
    script = str(ROOT / "benchmarks" / "peers" / "npm_copy.js")
    return ["node", "--no-deprecation", script, str(CACHE / "npm" / "node_modules"), target.url]


def _prepare_go() -> str | None:
    if shutil.which("go") is None:
        return "go is not on this machine"
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-trimpath", "-o", str(CACHE / "go_loop"), "."]
    return _tried(command, ROOT / "benchmarks" / "peers" / "go_loop", "go did not build it")


def _tried(command: list[str], folder: Path, reason: str) -> str | None:
    try:
        subprocess.run(  # noqa: S603  # our own words
            command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return reason
    return None


DYNAFERRY = Contestant(
    "dynaferry",
    "dynaferry",
    dynaferry(),
    {200: 1600, 1024: 3000, 10_240: 2400, 102_400: 3000},
)
FLOOR = Contestant(
    "floor",
    "floor: the same requests, no bookkeeping",
    _module("benchmarks.floor"),
    DYNAFERRY.pages,
)
PLAIN_AIOBOTO3 = Contestant(
    "aioboto3",
    "aioboto3, scan + 16 batch_write_item",
    _module("benchmarks.peers.plain_aioboto3"),
    {200: 24, 1024: 28, 10_240: 130, 102_400: 1_100},
)
PEERS = (
    PLAIN_AIOBOTO3,
    Contestant(
        "boto3",
        "boto3, batch_writer in 16 threads",
        _module("benchmarks.peers.boto3_threads"),
        {200: 32, 1024: 44, 10_240: 240, 102_400: 1_900},
        rounds=2,
    ),
    Contestant(
        "npm",
        f"npm {NPM_PEER}",
        _npm_command,
        {200: 5, 1024: 14, 10_240: 60, 102_400: 90},
        _prepare_npm,
        rounds=2,
    ),
    Contestant(
        "go",
        "AWS SDK for Go v2, 4 segments + 16 goroutines",
        lambda target: [str(CACHE / "go_loop"), target.url],
        {200: 15, 1024: 60, 10_240: 200, 102_400: 400},
        _prepare_go,
    ),
)
