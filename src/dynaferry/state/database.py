"""SQLite itself: is this file ours and whole, and how is it opened. Everything here blocks.

A file is trusted only once it says that it is ours and whole, and looking never changes it: the
header is read as plain bytes, and the search for damage runs on a read-only connection, since
opening a database for writing would fold the log that a crash left into it.
"""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from dynaferry.errors import StateError
from dynaferry.state.schema import APPLICATION_ID
from dynaferry.state.store import SCHEMA_VERSION

MOVE_IT = "move it away, or choose another --state-dir"

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
# How long to wait for another connection. Readers hold the file for moments only.
_BUSY_SECONDS = 5.0


def check_header(path: Path, application_id: int = APPLICATION_ID) -> None:
    """Returns if the file is a state file of this kind and version, as far as its first bytes tell.

    :raises StateError: it is not there, not ours, or of another version
    :raises OSError: it cannot be read
    """
    if not path.exists():
        raise StateError(
            f"there is no run {path.stem!r} in {path.parent}",
            hint="--state-dir names the directory that the copy was started with",
        )
    # Anything but a plain file (a pipe, say) could block when it is opened.
    if not stat.S_ISREG(path.stat().st_mode):
        raise StateError(f"the state file {path} is not a file", hint=MOVE_IT)
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    fault = _header_fault(header, application_id)
    if fault is not None:
        raise StateError(f"the state file {path} {fault}", hint=MOVE_IT)


def _header_fault(header: bytes, application_id: int) -> str | None:
    if not header:
        return "is empty"
    if not header.startswith(_MAGIC):
        return "is not a SQLite database"
    if len(header) < _HEADER_BYTES:
        return "is cut short"
    if int.from_bytes(header[68:72], "big") != application_id:
        return "is a SQLite database that dynaferry did not make"
    version = int.from_bytes(header[60:64], "big")
    if version > SCHEMA_VERSION:
        return f"is of a newer dynaferry (schema {version}, this one knows {SCHEMA_VERSION})"
    if version < SCHEMA_VERSION:
        return f"is of an older dynaferry (schema {version}, this one knows {SCHEMA_VERSION})"
    return None


def check_damage(path: Path) -> None:
    """Returns if SQLite finds the file whole, its log included.

    :raises StateError: it is not
    :raises sqlite3.Error: it is so damaged that it cannot be searched
    """
    with closing(connect(path, "ro")) as connection:
        verdict: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StateError(f"the state file {path} is damaged: {verdict}", hint=MOVE_IT)


def connect(path: Path, mode: Literal["ro", "rw"]) -> sqlite3.Connection:
    """Opens a database that is there; statements begin no transaction by themselves."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=_BUSY_SECONDS,
    )
    connection.row_factory = sqlite3.Row
    # Sorting dead letters must not put items into a file of its own (invariant 8).
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """Opens a state file to be written. Each commit is on the disk before it returns."""
    connection = connect(path, "rw")
    with closed_on_error(connection):
        connection.execute("PRAGMA synchronous = FULL")
        # macOS: fsync alone leaves the bytes in the drive's cache.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        # SQLite opens a file that it may not write for reading, and says so at the first change.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("ROLLBACK")
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits what is done within, or rolls it back after an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def fold_log(path: Path) -> None:
    """Moves all of the log into the file, which then holds everything.

    :raises StateError: a reader is in the way
    """
    with closing(connect(path, "rw")) as connection:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise StateError(f"the state file {path} is being read", hint="try again in a moment")


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Closes the connection if what is done within fails."""
    try:
        yield
    except BaseException:
        connection.close()
        raise
