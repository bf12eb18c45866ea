"""The parts of a benchmark: what is run, against what, how often."""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.contestants import (
    DYNAFERRY,
    FLOOR,
    PEERS,
    Contestant,
    dynaferry,
)
from benchmarks.null_endpoint import SOURCE, TARGET
from benchmarks.process import Certificate, Endpoint, measure, run
from benchmarks.results import Results, Run, StartUp
from tests.worlds.certificates import self_signed

Say = Callable[[str], None]

PROFILES = (200, 1024, 10_240, 102_400)
QUICK_PARTS = ("startup", "speed-200", "speed-1024", "tls")
QUICK_SHARE = 0.25  # of the pages
SEGMENTS = (8, 100, 1_000, 10_000)
TLS_PAGES = 400
WRITERS = (1, 4, 16, 64)
WRITERS_WAIT_SECONDS = 0.005
SIZES = (100, 1_000)  # pages of 1,024 items of 1 KB: about 100,000 and a million items
SIZE_ROUNDS = 2  # memory hardly differs from run to run


def speed(results: Results, say: Say, item_bytes: int) -> None:
    """Everybody at one item size, in turn, so that a slow minute hits all alike."""
    contestants = [DYNAFERRY, FLOOR]
    for peer in PEERS:
        reason = peer.prepare()
        results.skipped.pop(peer.name, None)
        if reason is None:
            contestants.append(peer)
        else:
            results.skipped[peer.name] = reason
            say(f"{peer.title}: skipped, {reason}")
    runs = [
        _one(contestant, "speed", item_bytes, number, results, say)
        for number in range(_rounds(results))
        for contestant in contestants
        if number < contestant.rounds
    ]
    results.replace_part("speed", runs, item_bytes=item_bytes)


def tls(results: Results, say: Say) -> None:
    """The copy and the floor, plain and over TLS, in turn."""
    runs = []
    with _certificate() as certificate:
        for number in range(_rounds(results)):
            for contestant in (DYNAFERRY, FLOOR):
                plain = contestant._replace(pages={1024: TLS_PAGES})
                secured = plain._replace(name=f"{contestant.name}+tls")
                runs.append(_one(plain, "tls", 1024, number, results, say))
                runs.append(_one(secured, "tls", 1024, number, results, say, certificate))
    results.replace_part("tls", runs)


def size(results: Results, say: Say) -> None:
    """A large table against a small one: memory must not grow with it."""
    runs = []
    for pages in SIZES:
        for number in range(min(SIZE_ROUNDS, _rounds(results))):
            done = run(
                DYNAFERRY, part="size", item_bytes=1024, pages=pages, number=number, setting=pages
            )
            runs.append(_said(done, say))
    results.replace_part("size", runs)


def segments(results: Results, say: Say) -> None:
    """One table cut into few and many segments."""
    runs = []
    for count in SEGMENTS[:2] if results.quick else SEGMENTS:
        flags = dynaferry("--segments", str(count))
        done = run(
            DYNAFERRY._replace(command=flags),
            part="segments",
            item_bytes=1024,
            pages=_pages(400, results),
            setting=count,
        )
        runs.append(_said(done, say))
    results.replace_part("segments", runs)


def writers(results: Results, say: Say) -> None:
    """More and more requests in flight, against an endpoint that takes 5 ms to answer."""
    runs = []
    for count in WRITERS[::2] if results.quick else WRITERS:
        flags = dynaferry("--writers", str(count))
        done = run(
            DYNAFERRY._replace(command=flags),
            part="writers",
            item_bytes=1024,
            pages=max(2, min(400, _pages(8 * count, results))),
            setting=count,
            wait_seconds=WRITERS_WAIT_SECONDS,
        )
        runs.append(_said(done, say))
    results.replace_part("writers", runs)


def startup(results: Results, say: Say) -> None:
    """How long a person waits: for --help, and for the first Scan of a segment."""
    help_command = [sys.executable, "-m", "dynaferry", "--help"]
    times = 3 if results.quick else 7
    helps = [measure(help_command).wall_seconds for _ in range(times)]
    scans = [_first_scan_seconds() for _ in range(times)]
    results.start_up = StartUp(help_seconds=tuple(helps), first_scan_seconds=tuple(scans))
    say(f"--help {statistics.median(helps):.2f} s, first Scan {statistics.median(scans):.2f} s")


PARTS: dict[str, Callable[[Results, Say], None]] = {
    "startup": startup,
    **{f"speed-{size}": partial(speed, item_bytes=size) for size in PROFILES},
    "tls": tls,
    "size": size,
    "segments": segments,
    "writers": writers,
}


def _first_scan_seconds() -> float:
    """From starting the process to the moment when the first Scan arrives at the source."""
    endpoint = Endpoint(1024, 1)
    with endpoint, tempfile.TemporaryDirectory() as scratch:
        started = time.time()
        command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        command += ["--source-endpoint-url", endpoint.url, "--target-endpoint-url", endpoint.url]
        command += ["--state-dir", scratch, "--progress", "none"]
        measure(command)
    if endpoint.seen is None or endpoint.seen.first_scan_at is None:
        raise RuntimeError("the copy read nothing")
    return endpoint.seen.first_scan_at - started


def _rounds(results: Results) -> int:
    return 1 if results.quick else DYNAFERRY.rounds


def _pages(pages: int, results: Results) -> int:
    return max(1, int(pages * QUICK_SHARE)) if results.quick else pages


def _one(
    contestant: Contestant,
    part: str,
    item_bytes: int,
    number: int,
    results: Results,
    say: Say,
    certificate: Certificate | None = None,
) -> Run:
    pages = _pages(contestant.pages[item_bytes], results)
    done = run(
        contestant, part=part, item_bytes=item_bytes, pages=pages, number=number, tls=certificate
    )
    return _said(done, say)


def _said(done: Run, say: Say) -> Run:
    say(
        f"{done.part:9} {done.contestant:14} {done.item_bytes:>7,} B"
        f" {done.items_per_cpu_second:>9,.0f} items/CPU s"
        f" {done.items / done.wall_seconds:>9,.0f} items/s {done.peak_bytes / 1024**2:>5,.0f} MB"
        + (f"  ({done.setting:,})" if done.setting else "")
    )
    return done


@contextmanager
def _certificate() -> Iterator[Certificate]:
    folder = Path(tempfile.mkdtemp())
    try:
        _, bundle = self_signed(folder)
        yield Certificate(bundle, folder / "key.pem")
    finally:
        shutil.rmtree(folder)
