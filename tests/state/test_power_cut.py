"""What a power cut leaves of a commit: of all that was written since the disk last promised, any
part may be there, in any order of sectors.

Before a commit everything is on the disk, and after it too: what differs is what was under way.
SQLite writes in an order that it waits for [https://www.sqlite.org/wal.html, src/wal.c]: a log that
is begun anew has its header on the disk before any frame; the log is on the disk whole before any
page of it goes into the file; and pages are in the file before the log is begun anew. So at any
cut only one of these three is in doubt, and within it every sector is old or new.
"""

import random
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dynaferry.state.directory import log_paths, state_path
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import (
    CREATED_AT,
    IDENTITY,
    SETTINGS,
    VERSION,
    counters,
    dead_letter,
    segment_record,
)
from tests.state.stored_letters import stored_letters

RUN = "cut"
SECTOR_BYTES = 512
LOG_HEADER_BYTES = 32
COMMITS = 40
CUTS_OF_A_COMMIT = 10
# A log of few pages, so that pages go into the file and the log begins anew within the test.
PAGES_OF_THE_LOG = 12

Kept = tuple[Any, ...]


class Files(NamedTuple):
    """The file and its log, byte by byte."""

    file: bytes
    log: bytes


def read_files(state_dir: Path) -> Files:
    path = state_path(state_dir, RUN)
    log, _ = log_paths(path)
    return Files(path.read_bytes(), log.read_bytes() if log.exists() else b"")


def torn(old: bytes, new: bytes, chance: random.Random) -> bytes:
    """Each sector that differs is old, new, or (where the file ends) not there."""
    least, most = sorted((len(old), len(new)))
    size = chance.choice((most, chance.randint(least, most)))
    share = chance.random()
    sectors = []
    for start in range(0, size, SECTOR_BYTES):
        end = min(start + SECTOR_BYTES, size)
        source = new if chance.random() < share else old
        sectors.append(source[start:end].ljust(end - start, b"\0"))
    return b"".join(sectors)


def cut_at_random(before: Files, after: Files, chance: random.Random) -> Files:
    """What may be on the disk when the power goes during the commit between these two."""
    header = slice(0, LOG_HEADER_BYTES)
    stages = []
    if before.log[header] != after.log[header] and before.log:
        half_header = torn(before.log[header], after.log[header], chance)
        kept = chance.choice((before.log[header], half_header, after.log[header]))
        stages.append(Files(before.file, kept + before.log[LOG_HEADER_BYTES:]))
    begun = after.log[header] + before.log[LOG_HEADER_BYTES:]
    log = torn(begun, after.log, chance)
    stages.append(Files(before.file, after.log[header] + log[LOG_HEADER_BYTES:]))
    if before.file != after.file:
        stages.append(Files(torn(before.file, after.file, chance), after.log))
    return chance.choice(stages)


async def kept_in(state_dir: Path) -> Kept:
    """All that a resume reads, as `open` finds it."""
    store = await SqliteStore.open(state_dir, RUN)
    try:
        run = await store.read_run()
        return (
            run.attempts,
            await store.read_segments(0),
            await store.read_counters(0),
            await stored_letters(store),
        )
    finally:
        await store.aclose()


async def kept_after_cut(files: Files, place: Path) -> Kept:
    place.mkdir()
    state_path(place, RUN).write_bytes(files.file)
    log_paths(state_path(place, RUN))[0].write_bytes(files.log)
    return await kept_in(place)


def some_commit(store: SqliteStore, number: int, chance: random.Random) -> Awaitable[None]:
    if chance.random() < 0.3:
        letters = [
            dead_letter(f"key {number} {n}", segment=n, page=COMMITS + number)
            for n in range(chance.randrange(1, 30))
        ]
        return store.add_dead_letters(letters)
    segments = [segment_record(n, number) for n in range(chance.randrange(1, 60))]
    return store.checkpoint(0, segments, counters(number))


@pytest.mark.parametrize("seed", range(2))
async def test_a_commit_that_loses_power_is_there_whole_or_not_at_all(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    live, seen = tmp_path / "live", {"before": 0, "after": 0}
    begun_anew = in_the_file = 0
    store = await SqliteStore.create(live, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store._rows(f"PRAGMA wal_autocheckpoint = {PAGES_OF_THE_LOG}")
    before = read_files(live)
    kept_before = await kept_after_cut(before, tmp_path / "first")
    for number in range(1, COMMITS):
        await some_commit(store, number, chance)
        after = read_files(live)
        kept_after = await kept_after_cut(after, tmp_path / f"{number}")
        assert kept_after != kept_before
        begun_anew += bool(before.log) and before.log[:32] != after.log[:32]
        in_the_file += before.file != after.file
        for cut in range(CUTS_OF_A_COMMIT):
            files = cut_at_random(before, after, chance)
            kept = await kept_after_cut(files, tmp_path / f"{number}-{cut}")
            assert kept in (kept_before, kept_after), f"commit {number}, cut {cut}"
            seen["before" if kept == kept_before else "after"] += 1
        before, kept_before = after, kept_after
    await store.aclose()
    # All of it was met: logs begun anew, pages moved into the file, and both ways to come out.
    assert min(begun_anew, in_the_file) > 3
    assert min(seen.values()) > 50


async def test_a_log_cut_anywhere_is_an_earlier_state_and_never_a_mixture(tmp_path: Path) -> None:
    """Also what the disk had promised may be gone: then it is an earlier moment of the run."""
    chance = random.Random(11)
    live = tmp_path / "live"
    store = await SqliteStore.create(live, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    moments = [await kept_after_cut(read_files(live), tmp_path / "0")]
    for number in range(1, 12):
        await some_commit(store, number, chance)
        moments.append(await kept_after_cut(read_files(live), tmp_path / f"{number}"))
    files = read_files(live)
    await store.aclose()
    found = set()
    for cut in range(120):
        log = files.log[: chance.randrange(len(files.log))]
        kept = await kept_after_cut(Files(files.file, log), tmp_path / f"cut-{cut}")
        assert kept in moments
        found.add(moments.index(kept))
    assert len(found) > 5
