"""`make bench`: items per CPU second, dynaferry against a plain aioboto3 loop, in one run.

Both are whole processes as a user starts them, against the null endpoint in a process of its
own; CPU seconds (user and system, start-up included) and peak memory are the kernel's figures
for the process. Pairs are run alternately and the median of the ratios is printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.null_endpoint import SOURCE, TARGET

# Enough pages that starting up is a small part, few enough that a pair takes under a minute.
PAGES = {200: (60, 6), 1024: (400, 15), 10_240: (800, 60), 102_400: (1500, 150)}


class Cost(NamedTuple):
    """What one process did and what it took."""

    items: int
    cpu_seconds: float
    peak_bytes: int

    @property
    def items_per_cpu_second(self) -> float:
        return self.items / self.cpu_seconds


@contextmanager
def endpoint(item_bytes: int, pages: int) -> Iterator[str]:
    """The address of a null endpoint with a source table of `pages` pages."""
    command = [sys.executable, "-m", "benchmarks.null_endpoint"]
    command += ["--item-bytes", str(item_bytes), "--pages", str(pages)]
    with subprocess.Popen(  # noqa: S603  # our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None and server.stdin is not None  # noqa: S101, PT018
        yield server.stdout.readline().strip()
        server.stdin.close()


def measure(command: list[str]) -> tuple[str, float, int]:
    """Runs a command; returns its output, CPU seconds and peak resident bytes."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        # A machine that stores no byte code compiles every module anew: that is not the copy.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    with subprocess.Popen(  # noqa: S603  # our own modules
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None  # noqa: S101
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def run_dynaferry(item_bytes: int, pages: int) -> Cost:
    """`dynaferry copy` of the whole null table, with everything that a user gets."""
    with endpoint(item_bytes, pages) as url, tempfile.TemporaryDirectory() as state_dir:
        command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        command += ["--source-endpoint-url", url, "--target-endpoint-url", url]
        command += ["--state-dir", state_dir, "--progress", "none", "--json"]
        output, cpu_seconds, peak_bytes = measure(command)
    return Cost(json.loads(output)["tables"][0]["items_written"], cpu_seconds, peak_bytes)


def run_plain_aioboto3(item_bytes: int, pages: int) -> Cost:
    """The plain loop over a smaller table, since it takes that much longer."""
    with endpoint(item_bytes, pages) as url:
        command = [sys.executable, "-m", "benchmarks.plain_aioboto3", url]
        output, cpu_seconds, peak_bytes = measure(command)
    return Cost(int(output), cpu_seconds, peak_bytes)


def compare(item_bytes: int, rounds: int) -> str:
    """One row of the table: medians over alternating runs."""
    our_pages, their_pages = PAGES[item_bytes]
    pairs = [
        (run_plain_aioboto3(item_bytes, their_pages), run_dynaferry(item_bytes, our_pages))
        for _ in range(rounds)
    ]
    ratios = [ours.items_per_cpu_second / theirs.items_per_cpu_second for theirs, ours in pairs]
    theirs_rate = statistics.median(theirs.items_per_cpu_second for theirs, _ in pairs)
    ours_rate = statistics.median(ours.items_per_cpu_second for _, ours in pairs)
    peak = max(ours.peak_bytes for _, ours in pairs)
    return (
        f"| {item_bytes:,} B | {theirs_rate:,.0f} | {ours_rate:,.0f} "
        f"| {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) "
        f"| {peak / 1024**2:,.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--item-bytes", type=int, action="append", choices=sorted(PAGES))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    lines = [
        "| item size | plain aioboto3, items per CPU second | dynaferry | ratio (range) "
        "| dynaferry's peak memory |",
        "|---|---|---|---|---|",
    ]
    for line in lines:
        print(line)  # noqa: T201  # the program's output
    for item_bytes in arguments.item_bytes or sorted(PAGES):
        print(compare(item_bytes, arguments.rounds), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
