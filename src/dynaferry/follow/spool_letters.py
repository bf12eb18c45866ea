"""The items that the target refused while a table was followed, as a spool keeps them.

A letter is not written again as it is: what the source holds by now is what counts. So a replay
only asks for its key to be read again, as a key in doubt is, by whoever follows.
"""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.follow.spool_records import Arrivals, Letter


class KeptLetter(Struct, frozen=True):
    """A letter and the canonical key of its item."""

    key: bytes
    letter: Letter


def put_letter(connection: sqlite3.Connection, digest: bytes, key: bytes, letter: Letter) -> None:
    """Stores a letter, in the place of an earlier one of its key, within a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO letters VALUES (?,?,?,?,?,?)",
        (digest, key, letter.item, letter.error_code, letter.error_message, letter.time),
    )


def letter_keys(connection: sqlite3.Connection) -> set[bytes]:
    """The keys of all letters."""
    return {key for (key,) in connection.execute("SELECT key FROM letters")}


def read_letters(connection: sqlite3.Connection, after: bytes, limit: int) -> list[KeptLetter]:
    """The next letters behind this key, in the order of their keys."""
    rows = connection.execute(
        "SELECT key, item, error_code, error_message, time FROM letters WHERE key > ?"
        " ORDER BY key LIMIT ?",
        (after, limit),
    )
    return [KeptLetter(key, Letter(*letter)) for key, *letter in rows]


def ask_again(connection: sqlite3.Connection, keys: Iterable[bytes]) -> None:
    """Has whoever follows read these keys again, once no write of them can be on its way."""
    connection.executemany(
        "INSERT INTO doubts (digest, key, until) VALUES (?,?,0) ON CONFLICT (digest) DO NOTHING",
        [(digest_of(key), key) for key in keys],
    )


def still_asked(connection: sqlite3.Connection, keys: Iterable[bytes]) -> int:
    """How many of these keys are in doubt or wait yet."""
    digests = [digest_of(key) for key in keys]
    query = "SELECT count(*) FROM {} WHERE digest = ?"
    return sum(
        bool(connection.execute(query.format(table), (digest,)).fetchone()[0])
        for digest in digests
        for table in ("doubts", "changes")
    )


def end_letters(connection: sqlite3.Connection, arrivals: Arrivals) -> int:
    """The target holds a newer state of these waiting keys; returns how many letters are left."""
    connection.executemany(
        "DELETE FROM letters WHERE digest = (SELECT digest FROM changes WHERE number = ?)",
        zip(arrivals),
    )
    return connection.execute("SELECT count(*) FROM letters").fetchone()[0]  # type: ignore[no-any-return]
