"""Keys of which nobody knows what became of a write, as a spool keeps them."""

import sqlite3
from collections.abc import Iterable

from dynaferry.follow.spool_records import Waiting


def put_doubts(connection: sqlite3.Connection, changes: Iterable[Waiting], until: float) -> None:
    """Within a transaction: no write of these keys takes effect after `until`."""
    connection.executemany(
        "INSERT INTO doubts (digest, key, until) VALUES (?,?,?) ON CONFLICT (digest)"
        " DO UPDATE SET until = max(until, excluded.until)",
        [(change.digest, change.key, until) for change in changes],
    )


def due_doubts(connection: sqlite3.Connection, now: float) -> list[tuple[bytes, bytes]]:
    """The digests and keys of which no write can be on its way any more."""
    return connection.execute("SELECT digest, key FROM doubts WHERE until <= ?", (now,)).fetchall()
