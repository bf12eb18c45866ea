"""A spool that is too large to be looked through when it is opened: what a disk has changed in it
is found when it is read, named, and never taken for a change or a position.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.follow import spool_connection
from dynaferry.follow.lineage import Position
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_connection import SpoolDamagedError, unreadable
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import arrivals_of
from dynaferry.follow.timed_count import TimedCount
from dynaferry.ports import ChangeKind
from tests.follow.changes import change, key_named

ROWS, PAGE = 300, 4096
POSITIONS = [Position(f"s{n}", None, sequence=10**21 + n) for n in range(4)]
State = dict[bytes, tuple[ChangeKind, bytes | None]]


@pytest.fixture(autouse=True)
def nothing_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_connection, "LOOKED_THROUGH_BYTES", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.spool.sqlite"
    with closing(SpoolFile.create(path, "id")) as spool:
        changes = [change(f"k{n}", None if n % 7 == 0 else n) for n in range(ROWS)]
        spool.store(changes, POSITIONS, 1.0)
        spool.read_again(spool.waiting(0, 9))
    return path


def all_that_is_read(path: Path) -> State:
    """All that waits, as an applier reads it; positions must be what they were."""
    spool = SpoolFile.open(path, "id")
    assert spool is not None
    with closing(spool):
        assert sorted(spool.positions(), key=lambda p: p.shard) == POSITIONS
        found: State = {}
        after = 0
        while rows := spool.waiting(after, 50):
            found |= {row.key: (row.kind, row.image) for row in rows}
            spool.applied(arrivals_of(rows), 2.0)
            after = rows[-1].number if len(rows) == 50 else 0
        return found


def damaged_at(path: Path, at: int, damage: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(damage)] = damage
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_disk_changes_is_found_or_changes_nothing(path: Path, seed: int) -> None:
    whole = path.read_bytes()
    truth = all_that_is_read(path)
    assert len(truth) == ROWS
    chance = random.Random(seed)
    found = 0
    for _ in range(100):
        size = chance.choice([1, 1, 1, 16, PAGE])
        at = chance.randrange(0, len(whole) - size)
        at -= at % PAGE if size == PAGE else 0
        path.write_bytes(whole)
        damaged_at(path, at, chance.choice([bytes(size), chance.randbytes(size)]))
        try:
            read = all_that_is_read(path)
        except (StateError, sqlite3.DatabaseError):
            found += 1
            continue
        # What is read of a key is what was stored of it.
        assert read == truth, f"seed {seed}, {size} bytes at {at}"
    assert found > 20


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE changes SET image = image || ' ' WHERE number = 20", "row 20 is not as it was"),
        ("UPDATE changes SET kind = 0 WHERE number = 15", "row 15 is not as it was"),
        ("UPDATE changes SET kind = 9 WHERE number = 15", "row 15 is not as it was"),
        ("UPDATE changes SET kind = 0 WHERE number = 2", "row 2 is not as it was"),
        ("UPDATE changes SET key = key || ' ' WHERE number = 2", "row 2 is not as it was"),
        ("DELETE FROM changes WHERE number = 30", "1 changes that wait are not there"),
    ],
)
def test_a_row_that_is_not_as_it_was_stored_is_named(
    path: Path, statement: str, words: str
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    with pytest.raises(StateError, match=rf"{path.name} is damaged: {words}"):
        all_that_is_read(path)


def test_a_position_that_is_not_as_it_was_stored_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE shards SET sequence = sequence || '0' WHERE shard = 's2'")
        connection.commit()
    with pytest.raises(StateError, match="the position of s2 is not as it was stored"):
        all_that_is_read(path)


def test_a_file_whose_end_is_missing_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -2 * PAGE])
    with pytest.raises(StateError, match=r"spool .* (damaged|cannot be read)"):
        SpoolFile.open(path, "id")


async def test_damage_that_is_met_later_is_named_and_is_no_full_disk(path: Path) -> None:
    spool = await Spool.opened_by(lambda: opened(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name='changes'")
        page = root.fetchone()[0]
    await spool.aclose()
    spool = await Spool.opened_by(lambda: opened(path))
    damaged_at(path, (page - 1) * PAGE, b"\xa5" * PAGE)
    with pytest.raises(SpoolDamagedError, match=rf"spool .*{path.name} is damaged"):
        await spool.run(lambda file: file.waiting(0, 1_000))
    with pytest.raises(SpoolDamagedError):
        await spool.run(lambda file: file.store([change("new", 1)], (), 1.0))
    await spool.aclose()


def opened(path: Path) -> SpoolFile:
    found = SpoolFile.open(path, "id")
    assert found is not None
    return found


def test_a_large_spool_is_opened_without_reading_what_waits(path: Path) -> None:
    read: list[str] = []
    with closing(spool_connection.connect(path)) as connection:
        connection.set_trace_callback(read.append)
        spool_connection._check(connection, path, "id")
        SpoolFile(connection, path)
    of_changes = [statement for statement in read if "changes" in statement]
    assert all("LIMIT 1" in statement or "digest = " in statement for statement in of_changes)
    assert "PRAGMA quick_check(1)" not in read


def test_what_takes_long_to_count_is_not_counted_all_the_time() -> None:
    now, took, counted = 0.0, 0.001, 0

    def count() -> int:
        nonlocal now, counted
        now += took
        counted += 1
        return counted

    slow = TimedCount(count, clock=lambda: now)
    assert [slow.value() for _ in range(3)] == [1, 2, 3]
    took = 1.0
    assert [slow.value() for _ in range(3)] == [4, 4, 4]
    now += 48.0
    assert slow.value() == 4
    now += 2.0
    assert slow.value() == 5


def test_the_key_of_a_row_is_held_by_its_checksum_when_its_image_is_gone(path: Path) -> None:
    assert all_that_is_read(path)[key_named("k1")] == (ChangeKind.READ_AGAIN, None)
    assert "cannot be read" in str(unreadable(path, OSError("x")))
