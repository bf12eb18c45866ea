"""How far each shard is read and what was lost, as a spool keeps it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from zlib_ng import zlib_ng

from dynaferry.follow.lineage import Gap, Position, ShardState
from dynaferry.follow.spool_connection import damaged
from dynaferry.ports import ChangeKind

_PUT: Final = """
INSERT INTO shards (shard, parent, state, sequence, ending, since, checksum)
VALUES (?,?,?,?,?,?,?)
ON CONFLICT (shard) DO UPDATE SET parent = excluded.parent, state = excluded.state,
sequence = excluded.sequence, ending = excluded.ending, since = excluded.since,
checksum = excluded.checksum
"""
_SELECT: Final = "SELECT shard, parent, state, sequence, ending, since, checksum FROM shards"


def put_positions(connection: sqlite3.Connection, positions: Sequence[Position]) -> None:
    """Stores positions, within a transaction of the caller's."""
    rows = [
        (p.shard, p.parent, int(p.state), _text(p.sequence), _text(p.ending)) for p in positions
    ]
    connection.executemany(
        _PUT,
        [(*row, p.since, _checksum(row)) for row, p in zip(rows, positions, strict=True)],
    )


def read_positions(connection: sqlite3.Connection, path: Path) -> list[Position]:
    """All positions, as they were stored.

    :raises StateError: one of them is not as it was
    """
    positions = []
    for *row, since, checksum in connection.execute(_SELECT):
        if _checksum(row) != checksum:
            raise damaged(path, f"the position of {row[0]} is not as it was stored")
        shard, parent, state, sequence, ending = row
        positions.append(
            Position(shard, parent, ShardState(state), _integer(sequence), _integer(ending), since)
        )
    return positions


def _checksum(row: Sequence[object]) -> int:
    return zlib_ng.crc32(repr(tuple(row)).encode())


def put_gaps(connection: sqlite3.Connection, gaps: Sequence[Gap], now: float) -> None:
    """Stores gaps, within a transaction of the caller's.

    Every waiting image is older than what was lost, and would undo what is mended: it becomes a key
    to read again.
    """
    if not gaps:
        return
    connection.executemany(
        "INSERT INTO gaps (at, shard, why) VALUES (?,?,?)",
        [(now, gap.shard, gap.why) for gap in gaps],
    )
    connection.execute(
        "UPDATE changes SET kind = ?, image = NULL WHERE kind != ?",
        (ChangeKind.READ_AGAIN, ChangeKind.READ_AGAIN),
    )


def close_gaps(connection: sqlite3.Connection, up_to: int, now: float) -> None:
    """Every key was compared since the gap number `up_to`; within a transaction."""
    connection.execute(
        "UPDATE gaps SET mended_at = ? WHERE number <= ? AND mended_at IS NULL", (now, up_to)
    )


def read_open_gaps(connection: sqlite3.Connection) -> list[tuple[int, Gap]]:
    """The gaps after which not every key has been compared, with their numbers."""
    rows = connection.execute(
        "SELECT number, shard, why FROM gaps WHERE mended_at IS NULL ORDER BY number"
    )
    return [(number, Gap(shard, why)) for number, shard, why in rows]


def _text(number: int | None) -> str | None:
    """Sequence numbers are wider than SQLite's integers."""
    return None if number is None else str(number)


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text)
