"""How far each shard is read and what was lost, as a spool keeps it."""

import sqlite3
from collections.abc import Sequence

from dynaferry.follow.lineage import Gap, Position, ShardState
from dynaferry.ports import ChangeKind


def put_positions(connection: sqlite3.Connection, positions: Sequence[Position]) -> None:
    """Stores positions, within a transaction of the caller's."""
    connection.executemany(
        "INSERT INTO shards (shard, parent, state, sequence, ending, since)"
        " VALUES (?,?,?,?,?,?) ON CONFLICT (shard) DO UPDATE SET state = excluded.state,"
        " sequence = excluded.sequence, ending = excluded.ending, since = excluded.since",
        [
            (p.shard, p.parent, p.state, _text(p.sequence), _text(p.ending), p.since)
            for p in positions
        ],
    )


def read_positions(connection: sqlite3.Connection) -> list[Position]:
    """All positions."""
    rows = connection.execute("SELECT shard, parent, state, sequence, ending, since FROM shards")
    return [
        Position(shard, parent, ShardState(state), _integer(sequence), _integer(ending), since)
        for shard, parent, state, sequence, ending, since in rows
    ]


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
