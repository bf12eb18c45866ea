"""The parts: what is run, and what is asked of it."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.follow.filling import fill
from benchmarks.follow.moving import LOOK_SECONDS, Command, StreamEndpoint, captured
from benchmarks.follow.results import MEGABYTE, Figure, FollowResults, Moment

Say = Callable[[str], None]
SHARDS = 16
# The endpoint gives this many items a page of the table.
ITEMS_A_PAGE = 1024
ARRIVE_SECONDS = 30.0
# What the machine had left for it, where others are busy: rates by the clock are to be read so.
_SHARE = "of a core, as much as it got"


class Sizes(NamedTuple):
    """How much of everything."""

    changes_per_second: float = 2_000.0
    seconds: float = 600.0
    flood: int = 400_000
    drained: int = 400_000
    rows: int = 5_000_000
    drained_of_rows: int = 400_000
    pages: int = 3_000
    changes_beside: float = 500.0
    rounds: int = 3


QUICK = Sizes(400.0, 2.0, 4_000, 4_000, 8_000, 1_000, 20, 100.0, 1)


def lag(results: FollowResults, sizes: Sizes, say: Say) -> list[Figure]:
    """Changes at a steady rate, from their write on the source to their arrival on the target."""
    with _world() as (endpoint, folder), Command.move(endpoint.url, folder) as move:
        move.wait_until("following")
        endpoint.write(sizes.changes_per_second, sizes.seconds)
        results.moments = list(_watched(move, sizes.seconds))
        # What was written at last is to be seen in a moment, and arrives a moment later.
        until = time.monotonic() + ARRIVE_SECONDS
        time.sleep(2.0)
        while (lags := endpoint.lags()).under_way and time.monotonic() < until:
            time.sleep(0.2)
        peak = move.peak_bytes()
    overall = lags.overall
    if overall is None or lags.under_way or lags.seen.out_of_order or lags.seen.unknown:
        raise RuntimeError(f"not every change arrived in order: {lags.seen}, {lags.under_way} left")
    results.lags = lags.by_second
    cpu = statistics.fmean(moment.cpu_share for moment in results.moments)
    setting = f"{sizes.changes_per_second:,.0f} changes/s of 1 KB, {sizes.seconds:,.0f} s"
    return [
        _figure("lag", "median lag", overall.median, "s", setting, at_most=1.2),
        _figure("lag", "lag, 99%", overall.p99, "s", setting, at_most=2.0),
        _figure("lag", "longest lag", overall.most, "s", setting),
        _figure("lag", "changes that arrived", overall.count, "", setting),
        _figure("lag", "of a core", cpu, "%", setting, at_most=0.15),
        _figure("lag", "peak memory", peak / MEGABYTE, "MB", setting, at_most=120.0),
    ]


def _watched(move: Command, seconds: float) -> Iterator[Moment]:
    """What it takes, second by second."""
    began = before_at = time.monotonic()
    before = move.cpu_seconds()
    while (now := time.monotonic()) - began < seconds:
        time.sleep(min(1.0, max(0.01, began + seconds - now)))
        used, at = move.cpu_seconds(), time.monotonic()
        share = (used - before) / (at - before_at)
        yield Moment(round(at - began, 2), round(share, 4), move.peak_bytes() / MEGABYTE)
        before, before_at = used, at


def capture(results: FollowResults, sizes: Sizes, say: Say) -> list[Figure]:
    """A stream that is full from the start: into the spool while the scan is held, and out of it
    once it goes on.
    """
    setting = f"{sizes.flood:,} changes of 1 KB, scan held"
    with _world() as (endpoint, folder):
        endpoint.hold(True)
        with Command.move(endpoint.url, folder) as move:
            move.wait_until("copying")
            endpoint.flood(sizes.flood)
            cpu, began = move.cpu_seconds(), time.monotonic()
            wanted = sizes.flood // SHARDS * SHARDS
            while captured(folder) < wanted:
                move.cpu_seconds()
                time.sleep(LOOK_SECONDS)
            took, used = time.monotonic() - began, move.cpu_seconds() - cpu
            peak = move.peak_bytes()
    return [
        _figure("capture", "changes a second", wanted / took, "", setting, at_least=10_000.0),
        _figure("capture", "changes per CPU second", wanted / used, "", setting),
        _figure("capture", _SHARE, used / took, "%", setting),
        _figure("capture", "peak memory", peak / MEGABYTE, "MB", setting),
    ]


def drain(results: FollowResults, sizes: Sizes, say: Say) -> list[Figure]:
    """A spool that holds what a copy of some minutes has left, when the move goes on."""
    drained = _drained(sizes.drained, sizes.drained, say)
    least = {"items a second": 15_000.0, "items per CPU second": 40_000.0}
    return [
        _figure("drain", what, value, unit, drained.setting, at_least=least.get(what))
        for what, value, unit in drained.figures
    ]


def deep(results: FollowResults, sizes: Sizes, say: Say) -> list[Figure]:
    """A spool whose index is larger than its cache, as after days."""
    drained = _drained(sizes.rows, sizes.drained_of_rows, say)
    most = {"peak memory": 200.0}
    return [
        _figure("deep", what, value, unit, drained.setting, at_most=most.get(what))
        for what, value, unit in drained.figures
    ]


class _Drained(NamedTuple):
    """What was measured while rows left a spool."""

    setting: str
    figures: list[tuple[str, float, str]]


def _drained(rows: int, count: int, say: Say) -> _Drained:
    with _world() as (endpoint, folder):
        with Command.move(endpoint.url, folder) as move:
            move.wait_until("following")
        began = time.monotonic()
        spool_bytes = fill(folder, rows)
        say(f"filled a spool of {spool_bytes:,} bytes in {time.monotonic() - began:.0f} s")
        started = time.monotonic()
        with Command.move(endpoint.url, folder) as move:
            while not endpoint.seen().applied:
                move.cpu_seconds()
                time.sleep(LOOK_SECONDS)
            cpu, began = move.cpu_seconds(), time.monotonic()
            before = endpoint.seen().applied
            while (applied := endpoint.seen().applied) < count:
                move.cpu_seconds()
                time.sleep(LOOK_SECONDS)
            took, used = time.monotonic() - began, move.cpu_seconds() - cpu
            peak = move.peak_bytes()
    done = applied - before
    figures = [
        ("first item after", began - started, "s"),
        ("items a second", done / took, ""),
        ("items per CPU second", done / used, ""),
        (_SHARE, used / took, "%"),
        ("peak memory", peak / MEGABYTE, "MB"),
    ]
    return _Drained(f"{count:,} of {rows:,} rows of 1 KB", figures)


def beside(results: FollowResults, sizes: Sizes, say: Say) -> list[Figure]:
    """A copy with the capture beside it and a copy without, in turn."""
    alone, together = [], []
    for number in range(sizes.rounds):
        alone.append(_copied("copy", sizes))
        together.append(_copied("move", sizes))
        say(f"round {number + 1}: {alone[-1]:,.0f} items per CPU second, {together[-1]:,.0f}")
    losses = [1 - with_it / without for with_it, without in zip(together, alone, strict=True)]
    setting = f"{sizes.changes_beside:,.0f} changes/s, {sizes.pages * ITEMS_A_PAGE:,} items"
    return [
        _figure("beside", "items per CPU second", statistics.median(alone), "", "copy"),
        _figure("beside", "items per CPU second", statistics.median(together), "", setting),
        _figure("beside", "lost", statistics.median(losses), "%", setting, at_most=0.10),
    ]


def _copied(command: str, sizes: Sizes) -> float:
    """Items per CPU second, from the start of the process until the last item is written."""
    items = sizes.pages * ITEMS_A_PAGE
    with _world(sizes.pages) as (endpoint, folder):
        if command == "move":
            endpoint.write(sizes.changes_beside, 3600.0)
            process = Command.move(endpoint.url, folder)
        else:
            process = Command("copy", endpoint.url, folder)
        with process:
            used = process.cpu_seconds()
            while endpoint.seen().copied < items:
                used = process.cpu_seconds()
                time.sleep(LOOK_SECONDS)
            used = process.cpu_seconds()
    return items / used


PARTS: dict[str, Callable[[FollowResults, Sizes, Say], list[Figure]]] = {
    "lag": lag,
    "capture": capture,
    "drain": drain,
    "deep": deep,
    "beside": beside,
}


def measure(part: str, results: FollowResults, sizes: Sizes, say: Say) -> None:
    """Measures one part, and notes how busy the machine was before."""
    results.load[part] = round(os.getloadavg()[0], 1)
    results.replace_part(part, PARTS[part](results, sizes, say))


def _figure(
    part: str,
    what: str,
    value: float,
    unit: str,
    setting: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    return Figure(
        part=part,
        what=what,
        value=value,
        unit=unit,
        setting=setting,
        at_most=at_most,
        at_least=at_least,
    )


@contextmanager
def _world(pages: int = 1) -> Iterator[tuple[StreamEndpoint, Path]]:
    """An endpoint with a table of so many pages, and a folder for the state of a run."""
    with (
        StreamEndpoint(pages=pages, shards=SHARDS) as endpoint,
        tempfile.TemporaryDirectory() as name,
    ):
        yield endpoint, Path(name)
