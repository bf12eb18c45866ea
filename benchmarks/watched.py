"""`python -m benchmarks.watched`: what it costs a copy to be watched.

Pairs of whole `dynaferry copy` processes against the null endpoint, one of each pair with the live
page open and a scrape a second, the other one with neither, who goes first taking turns. CPU
seconds are the kernel's for the copying process, user and system.

Whoever is watched loads a web server first. That is paid once, however long the copy is, so it is
told apart: what a copy of a single page costs, either way, is taken off each copy of that kind.

And how long a scrape takes with 10,000 segments.
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

from msgspec import Struct
from prometheus_client import generate_latest

from benchmarks.null_endpoint import SOURCE, TARGET
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.prometheus import registry_for
from dynaferry.observe.stats import RunStats, TableStats

ITEM_BYTES, SEGMENTS, SCRAPES = 1024, 10_000, 200


def scrape_seconds() -> float:
    """The median time of a scrape of a table with 10,000 segments, all of them under way."""
    table = TableStats("orders", "orders", SEGMENTS, state="running")
    for segment in range(SEGMENTS):
        table.segments.begun(segment)
    monitor = RunMonitor("orders", readers=8)
    monitor.stats = RunStats("orders", [table])
    monitor.refresh()
    registry, times = registry_for(monitor), []
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


class Copied(Struct, frozen=True):
    """One copy: what it wrote, the CPU seconds of its process, and how many news a page got."""

    items: int
    cpu_seconds: float
    news: int


def copied(pages: int, *, watched: bool) -> Copied:
    """Copies a table of so many pages in a process of its own."""
    with endpoint(pages) as url, tempfile.TemporaryDirectory() as state_dir:
        command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        command += ["--source-endpoint-url", url, "--target-endpoint-url", url]
        command += ["--source-region", "us-east-1", "--target-region", "us-east-1"]
        command += ["--state-dir", state_dir, "--progress", "none", "--json"]
        if watched:
            command += ["--metrics-listen", "127.0.0.1:0"]
        return _run(command, watched=watched)


def _run(command: list[str], *, watched: bool) -> Copied:
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
    return Copied(items, usage.ru_utime + usage.ru_stime, len(told))


def startup_seconds(rounds: int) -> dict[bool, float]:
    """The median CPU seconds of a copy of one page, by whether it is watched."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for watched in (False, True):
            seconds[watched].append(copied(1, watched=watched).cpu_seconds)
    return {watched: statistics.median(found) for watched, found in seconds.items()}


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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.watched",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=int, default=6, help="how many pairs [default: 6]")
    parser.add_argument(
        "--pages", type=int, default=800, help="pages of 1,024 items a copy [default: 800]"
    )
    parser.add_argument(
        "--startups", type=int, default=5, help="copies of one page of each kind [default: 5]"
    )
    arguments = parser.parse_args()
    say(f"a scrape with {SEGMENTS:,} segments: {scrape_seconds() * 1000:.2f} ms")
    startup = startup_seconds(arguments.startups)
    say(
        f"start-up: {startup[False] * 1000:.0f} ms of CPU alone, {startup[True] * 1000:.0f} ms"
        " watched; paid once, and not in what follows"
    )
    costs = [
        cost_of_a_pair(pair, arguments.pages, startup) for pair in range(1, arguments.pairs + 1)
    ]
    say(
        f"being watched costs {statistics.median(costs):.1%} of the items per CPU second"
        f" (median of {len(costs)} pairs; {min(costs):.1%} to {max(costs):.1%})"
    )


def cost_of_a_pair(pair: int, pages: int, startup: dict[bool, float]) -> float:
    """The share of the items per CPU second that the watched copy of a pair lost."""
    first = bool(pair % 2)
    copies = {watched: copied(pages, watched=watched) for watched in (first, not first)}
    speeds = {
        watched: copy.items / (copy.cpu_seconds - startup[watched])
        for watched, copy in copies.items()
    }
    cost = 1 - speeds[True] / speeds[False]
    say(
        f"pair {pair}: {speeds[False]:,.0f} items per CPU second alone, {speeds[True]:,.0f} watched"
        f" ({copies[True].cpu_seconds:.1f} s of CPU, {copies[True].news} news): {cost:+.1%}"
    )
    return cost


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # it is a program


if __name__ == "__main__":
    main()
