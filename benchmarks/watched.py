"""`python -m benchmarks.watched`: what it costs a copy to be watched.

Pairs of whole `dynaferry copy` processes against the null endpoint, one of each pair with the live
page open and a scrape a second, the other one with neither; and how long a scrape takes with
10,000 segments. CPU seconds are the kernel's for the process (user and system, start-up included).
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import generate_latest

from benchmarks.null_endpoint import SOURCE, TARGET
from dynaferry.observe.lookout import Lookout
from dynaferry.observe.prometheus import registry_for
from dynaferry.observe.stats import RunStats, TableStats

ITEM_BYTES, SEGMENTS, SCRAPES = 1024, 10_000, 200


def scrape_seconds() -> float:
    """The median time of a scrape of a table with 10,000 segments, all of them under way."""
    table = TableStats("orders", "orders", SEGMENTS, state="running")
    for segment in range(SEGMENTS):
        table.segments.begun(segment)
    lookout = Lookout("orders", readers=8)
    lookout.stats = RunStats("orders", [table])
    lookout.look()
    registry, times = registry_for(lookout), []
    for _ in range(SCRAPES):
        began = time.perf_counter()
        generate_latest(registry)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@contextmanager
def endpoint(pages: int) -> Iterator[str]:
    """The address of a null endpoint with a source table of `pages` pages."""
    command = [sys.executable, "-m", "benchmarks.null_endpoint"]
    command += ["--item-bytes", str(ITEM_BYTES), "--pages", str(pages)]
    with subprocess.Popen(  # noqa: S603  # our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None and server.stdin is not None  # noqa: S101, PT018
        yield server.stdout.readline().strip()
        server.stdin.close()


def items_per_cpu_second(pages: int, *, watched: bool) -> tuple[float, int]:
    """The speed of one copy, and how many news the page was told."""
    with endpoint(pages) as url, tempfile.TemporaryDirectory() as state_dir:
        command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        command += ["--source-endpoint-url", url, "--target-endpoint-url", url]
        command += ["--source-region", "us-east-1", "--target-region", "us-east-1"]
        command += ["--state-dir", state_dir, "--progress", "none", "--json"]
        if watched:
            command += ["--metrics-listen", "127.0.0.1:0"]
        return _run(command, watched=watched)


def _run(command: list[str], *, watched: bool) -> tuple[float, int]:
    credentials = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    with subprocess.Popen(  # noqa: S603  # our own module
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | credentials,
    ) as process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        told: list[int] = []
        if watched:
            place = re.search(r"http://\S+/", process.stderr.readline())
            assert place is not None  # noqa: S101
            _watch(place[0], told)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    items: int = json.loads(output)["tables"][0]["items_written"]
    return items / (usage.ru_utime + usage.ru_stime), len(told)


def _watch(url: str, told: list[int]) -> None:
    """Opens the page's line, and scrapes once a second, until nobody answers any more."""

    def read_news(answer: Any) -> None:
        told.extend(len(line) for line in answer if line.startswith(b"data: "))

    def scrape() -> None:
        while True:
            try:
                with urllib.request.urlopen(f"{url}metrics", timeout=5) as answer:  # noqa: S310
                    answer.read()
            except OSError:
                return
            time.sleep(1)

    answer = urllib.request.urlopen(f"{url}events", timeout=60)  # noqa: S310  # loopback
    threading.Thread(target=read_news, args=(answer,), daemon=True).start()
    threading.Thread(target=scrape, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watched", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--pages", type=int, default=400)
    arguments = parser.parse_args()
    print(f"a scrape with {SEGMENTS:,} segments: {scrape_seconds() * 1000:.2f} ms")  # noqa: T201
    ratios = []
    for pair in range(arguments.pairs):
        first = bool(pair % 2)  # who goes first takes turns
        speeds = {
            watched: items_per_cpu_second(arguments.pages, watched=watched)
            for watched in (first, not first)
        }
        (alone, _), (seen, told) = speeds[False], speeds[True]
        ratios.append(1 - seen / alone)
        print(  # noqa: T201
            f"pair {pair + 1}: {alone:,.0f} items per CPU second alone, {seen:,.0f} watched"
            f" ({told} news): {ratios[-1]:+.1%}"
        )
    print(  # noqa: T201
        f"being watched costs {statistics.median(ratios):.1%} of the items per CPU second"
        f" (median; {min(ratios):.1%} to {max(ratios):.1%})"
    )


if __name__ == "__main__":
    main()
