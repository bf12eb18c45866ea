"""Late writes: what a table was written behind the switch, as its spool keeps it.

They have tables of their own, beside the changes that wait: of a key all its writes count, not the
newest alone; what is written back by us is none; and they are kept when what waits is applied after
a way back. The tables are made when they are needed first, so that the spool's version stays.

What is deleted since its time to live is over was written by nobody: it is counted apart. A key
that was written late and has expired since stays a late write, as it was written.

It begins when the writes to the target are held for the last look before a go, so that no record
falls between the two; where that does not end in a go, what was noted is forgotten.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from dynaferry.follow.spool_connection import damaged
from dynaferry.follow.spool_rows import Row, checksum_of
from dynaferry.ports import ChangeKind, ChangeRecord

_TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS late_watch (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        since REAL NOT NULL,
        is_on INTEGER NOT NULL,
        keys INTEGER NOT NULL,
        expired INTEGER NOT NULL,
        keys_before INTEGER NOT NULL,
        expired_before INTEGER NOT NULL,
        unseen TEXT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS late_writes (
        number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        key BLOB NOT NULL,
        kind INTEGER NOT NULL,
        image BLOB,
        checksum INTEGER NOT NULL,
        writes INTEGER NOT NULL,
        first_at REAL NOT NULL,
        last_at REAL NOT NULL
    )
    """,
)
_HAS_TABLES: Final = "SELECT 1 FROM sqlite_master WHERE name = 'late_watch'"
_BEGIN: Final = """
    INSERT INTO late_watch VALUES (1, ?, 1, 0, 0, 0, 0, ?)
    ON CONFLICT (only) DO UPDATE SET since = excluded.since, is_on = 1,
        keys_before = keys, expired_before = expired, unseen = excluded.unseen
"""
# What has come and is not applied when it begins is applied by nobody either.
_TAKE_WAITING: Final = """
    INSERT INTO late_writes (digest, key, kind, image, checksum, writes, first_at, last_at)
    SELECT digest, key, kind, image, checksum, 1, first_at, first_at FROM changes
    WHERE true ON CONFLICT (digest) DO NOTHING
"""
_NOTE: Final = """
    INSERT INTO late_writes (digest, key, kind, image, checksum, writes, first_at, last_at)
    VALUES (?,?,?,?,?,1,?,?)
    ON CONFLICT (digest) DO UPDATE SET kind = excluded.kind, image = excluded.image,
        checksum = excluded.checksum, writes = writes + 1, last_at = excluded.last_at
"""
_FORGET: Final = """
    DELETE FROM late_writes WHERE number > (SELECT keys_before FROM late_watch)
"""
_SELECT: Final = """
    SELECT number, digest, key, kind, image, checksum, writes, first_at, last_at
    FROM late_writes WHERE number > ? ORDER BY number LIMIT ?
"""


class LateWrite(Struct, frozen=True):
    """A key that was written behind the switch: to what at last, how often, and when.

    The times are those at which we saw it, in seconds since the epoch. `image` is None where it was
    deleted, and where the stream gave none.
    """

    number: int
    key: bytes
    kind: ChangeKind
    image: bytes | None
    writes: int
    first_at: float
    last_at: float


class LateCounts(Struct, frozen=True):
    """The keys that were written late, and the deletes of what had expired, which are none.

    `since` is when the last watch for them began; None where there was none.
    """

    keys: int = 0
    expired: int = 0
    since: float | None = None
    is_on: bool = False


def begin(
    connection: sqlite3.Connection,
    at: float,
    *,
    takes_waiting: bool = True,
    unseen: str | None = None,
) -> None:
    """Within a transaction: what comes from now on is late, and what waits by now. What is watched
    already goes on. Without `takes_waiting` what waits is none: we wrote it. `unseen` says why late
    writes are not seen.
    """
    for statement in _TABLES:
        connection.execute(statement)
    if counts(connection).is_on:
        return
    connection.execute(_BEGIN, (at, unseen))
    if takes_waiting:
        connection.execute(_TAKE_WAITING)
    _count_keys(connection)


def end(connection: sqlite3.Connection, *, forget: bool = False) -> None:
    """Within a transaction: what comes from now on is not late; `forget`: nor was what came since
    this watch began.
    """
    if not counts(connection).is_on:
        return
    if forget:
        connection.execute(_FORGET)
        connection.execute("UPDATE late_watch SET expired = expired_before")
        _count_keys(connection)
    connection.execute("UPDATE late_watch SET is_on = 0")


def note(
    connection: sqlite3.Connection, rows: Sequence[Row], changes: Sequence[ChangeRecord]
) -> None:
    """Within a transaction: these changes came, each with the row that it is stored as."""
    late = [
        (digest, key, kind, image, checksum, now, now)
        for (_, digest, key, _, now, kind, image, checksum), change in zip(
            rows, changes, strict=True
        )
        if not change.is_expiry
    ]
    connection.executemany(_NOTE, late)
    _count_keys(connection)
    connection.execute("UPDATE late_watch SET expired = expired + ?", (len(rows) - len(late),))


def counts(connection: sqlite3.Connection) -> LateCounts:
    """How many there are, though they be watched no more."""
    if connection.execute(_HAS_TABLES).fetchone() is None:
        return LateCounts()
    row = connection.execute("SELECT keys, expired, since, is_on FROM late_watch").fetchone()
    return LateCounts() if row is None else LateCounts(row[0], row[1], row[2], bool(row[3]))


def read(connection: sqlite3.Connection, path: Path, after: int, limit: int) -> Iterator[LateWrite]:
    """Up to `limit` of them behind the number `after`, in the order in which they came first.

    :raises SpoolLostError: one is not as it was stored
    """
    if not counts(connection).keys:
        return
    for number, digest, key, kind, image, stored, *rest in connection.execute(
        _SELECT, (after, limit)
    ):
        if not _is_whole(digest, key, kind, image, stored):
            raise damaged(path, f"the late write {number} is not as it was stored")
        yield LateWrite(number, key, ChangeKind(kind), image, *rest)


def lost_since(connection: sqlite3.Connection) -> list[str]:
    """Why late writes may be missing of the time in which they were watched for."""
    since = counts(connection).since
    if since is None:
        return []
    unseen = connection.execute("SELECT unseen FROM late_watch WHERE unseen IS NOT NULL").fetchall()
    lost = connection.execute("SELECT why FROM gaps WHERE at >= ? ORDER BY number", (since,))
    return [why for (why,) in (*unseen, *lost)]


def _count_keys(connection: sqlite3.Connection) -> None:
    # Numbers have no holes: none is ever deleted but the last ones.
    connection.execute(
        "UPDATE late_watch SET keys = (SELECT coalesce(max(number), 0) FROM late_writes)"
    )


def _is_whole(digest: bytes, key: bytes, kind: int, image: bytes | None, stored: int) -> bool:
    try:
        if kind == ChangeKind.READ_AGAIN:
            return image is None and stored >> 32 == checksum_of(digest, key, kind, image) >> 32
        return kind in tuple(ChangeKind) and stored == checksum_of(digest, key, kind, image)
    except TypeError:  # SQLite holds any type anywhere
        return False
