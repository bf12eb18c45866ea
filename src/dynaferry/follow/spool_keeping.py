"""Whether a spool keeps what its stream shows, or passes it over; and keys that wait, asked for.

Until the switch the target's stream shows our own writes alone, of which none may go back: its
spool passes over them and keeps the positions only. Right before the go it begins to keep, as one
transaction on the spool's own thread: what is stored from then on stays, whenever it was read. What
the application writes behind the go is read later still, so none of it is passed over.

A mark in the file says that it passes over. A spool without it keeps, as all do that are no way
back's, and so does one whose mark was taken away before a crash: to keep our own writes for a while
does no harm, since they are the newest states of their keys until something newer comes.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from dynaferry.follow import spool_late_writes
from dynaferry.ports import ChangeKind

_MARK: Final = "CREATE TABLE IF NOT EXISTS passes_over (since REAL NOT NULL)"
_HAS_MARK: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'passes_over'"


def is_passing_over(connection: sqlite3.Connection) -> bool:
    """Whether what comes is passed over."""
    if connection.execute(_HAS_MARK).fetchone() is None:
        return False
    return connection.execute("SELECT 1 FROM passes_over").fetchone() is not None


def begin_to_pass_over(connection: sqlite3.Connection, now: float) -> int:
    """Within a transaction: what comes is passed over, and all that waits is gone; how many."""
    connection.execute(_MARK)
    connection.execute("DELETE FROM passes_over")
    connection.execute("INSERT INTO passes_over VALUES (?)", (now,))
    spool_late_writes.end(connection)
    gone = connection.execute("DELETE FROM changes").rowcount
    connection.execute("UPDATE spool SET compacted = compacted + ?", (gone,))
    connection.execute("DELETE FROM letters")
    connection.execute("DELETE FROM doubts")
    _forget_gaps(connection, now)
    return gone


def begin_to_keep(connection: sqlite3.Connection, now: float) -> None:
    """Within a transaction: what comes is kept from now on. What was lost before is nobody's."""
    connection.execute(_MARK)
    connection.execute("DELETE FROM passes_over")
    # A later process passes over what was shown long before, as it does at any beginning.
    connection.execute("UPDATE spool SET begun_at = max(coalesce(begun_at, 0), ?)", (now,))
    _forget_gaps(connection, now)


def read_all_again(connection: sqlite3.Connection) -> int:
    """Within a transaction: every change that waits becomes a key to read again; how many."""
    return connection.execute(
        "UPDATE changes SET kind = ?, image = NULL WHERE kind != ?",
        (ChangeKind.READ_AGAIN, ChangeKind.READ_AGAIN),
    ).rowcount


def waiting_digests(connection: sqlite3.Connection, digests: Sequence[bytes]) -> set[bytes]:
    """Those of the digests under which something waits."""
    query = "SELECT 1 FROM changes WHERE digest = ?"
    return {
        digest for digest in digests if connection.execute(query, (digest,)).fetchone() is not None
    }


def _forget_gaps(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("UPDATE gaps SET mended_at = ? WHERE mended_at IS NULL", (now,))
