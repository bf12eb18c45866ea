"""A waiting change as a row of the spool's file, with a checksum of what is applied of it.

A file that is too large to be looked through when it is opened is looked at row by row, when each
is read: what a disk has changed in it is never taken for a change.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from zlib_ng import zlib_ng

from dynaferry.follow.spool_connection import damaged
from dynaferry.follow.spool_records import Waiting
from dynaferry.ports import ChangeKind, ChangeRecord

Row = tuple[int, bytes, bytes, int, float, int, bytes | None, int]

UPSERT: Final = """
INSERT INTO changes (number, digest, key, arrival, first_at, kind, image, checksum)
VALUES (?,?,?,?,?,?,?,?)
ON CONFLICT (digest) DO UPDATE SET
arrival = excluded.arrival, kind = excluded.kind, image = excluded.image,
checksum = excluded.checksum
"""
_SELECT: Final = """
SELECT number, digest, key, arrival, first_at, kind, image, checksum FROM changes
WHERE number > ? ORDER BY number LIMIT ?
"""
_READ_AGAIN: Final = int(ChangeKind.READ_AGAIN)
_MOST: Final = 0x7FFFFFFF  # SQLite's integers have a sign
_KINDS: Final = {int(kind): kind for kind in ChangeKind}


def rows_of(
    changes: Sequence[ChangeRecord], first: int, now: float, *, keys_only: bool
) -> list[Row]:
    """The rows of changes that have just come, numbered from `first` on."""
    return [
        _row_of(change, first + place, now, keys_only=keys_only)
        for place, change in enumerate(changes)
    ]


def _row_of(change: ChangeRecord, arrival: int, now: float, *, keys_only: bool) -> Row:
    image, kind = change.image, change.kind
    if keys_only and image is not None:
        image, kind = None, ChangeKind.READ_AGAIN
    checksum = checksum_of(change.digest, change.key, kind, image)
    return arrival, change.digest, change.key, arrival, now, kind, image, checksum


def read_rows(
    connection: sqlite3.Connection, path: Path, after: int, limit: int, most_bytes: int | None
) -> list[Waiting]:
    """Up to `limit` changes that wait behind the number `after`, each as it was stored.

    :raises StateError: one of them is not
    """
    rows: list[Waiting] = []
    size, crc, kinds = 0, zlib_ng.crc32, _KINDS
    for row in connection.execute(_SELECT, (after, limit)):
        number, digest, key, arrival, first_at, kind, image, stored = row
        try:
            # The sum of `checksum_of`, written out: every row that waits goes through here.
            is_whole = kind != _READ_AGAIN and stored == (
                (crc(key, crc(digest)) & _MOST) << 32 | crc(image or b"", kind)
            )
            is_whole = is_whole or (kind == _READ_AGAIN and _is_to_be_read(row))
            waiting = Waiting(number, digest, key, arrival, first_at, kinds[kind], image)
        except (KeyError, TypeError):  # SQLite holds any type anywhere
            is_whole = False
        if not is_whole:
            raise damaged(path, f"row {number} is not as it was stored")
        if number <= after:
            raise damaged(path, f"row {number} stands behind row {after}")
        rows.append(waiting)
        after = number
        if most_bytes is not None and image is not None:
            size += len(image)
            if size >= most_bytes:
                break
    return rows


def drop_images(connection: sqlite3.Connection, number: int, limit: int) -> list[int]:
    """Makes up to `limit` images from this number on keys to read again; returns their numbers."""
    found = connection.execute(
        "SELECT number FROM changes WHERE number >= ? AND image IS NOT NULL"
        " ORDER BY number LIMIT ?",
        (number, limit),
    ).fetchall()
    connection.executemany("UPDATE changes SET kind = 2, image = NULL WHERE number = ?", found)
    return [number for (number,) in found]


def drop_those(connection: sqlite3.Connection, changes: Sequence[Waiting]) -> None:
    """Within a transaction: these become keys to read again, unless something newer has come."""
    connection.executemany(
        "UPDATE changes SET kind = ?, image = NULL WHERE number = ? AND arrival = ?",
        [(ChangeKind.READ_AGAIN, change.number, change.arrival) for change in changes],
    )


def _is_to_be_read(row: Row) -> bool:
    """Whether a key to read again is as it was stored: its image is gone, and stands in the
    checksum yet.
    """
    _, digest, key, _, _, _, image, stored = row
    return image is None and stored >> 32 == _of_key(digest, key)


def checksum_of(digest: bytes, key: bytes, kind: int, image: bytes | None) -> int:
    """That of the key in the upper half, that of what it changed to in the lower."""
    return _of_key(digest, key) << 32 | zlib_ng.crc32(image or b"", kind)


def _of_key(digest: bytes, key: bytes) -> int:
    return zlib_ng.crc32(key, zlib_ng.crc32(digest)) & _MOST
