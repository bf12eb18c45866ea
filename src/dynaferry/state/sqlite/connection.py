"""SQLite itself: is this file ours and whole, and how is it opened. Everything here blocks.

A file is trusted only once it says that it is ours and whole, and looking never changes it: the
header is read without the log, and the search for damage runs on a read-only connection, since
opening a database for writing would fold the log that a crash left into it.

No file here is opened but through SQLite: a process that closes any descriptor of a file loses all
its locks on that file, those of its other connections as well, and whoever opens the file next
takes their log away [https://www.sqlite.org/howtocorrupt.html, section 2.2].
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from dynaferry.errors import StateError
from dynaferry.state.directory import log_paths
from dynaferry.state.records import SCHEMA_VERSION
from dynaferry.state.sqlite.ladder import LADDER, Ladder, version_of
from dynaferry.state.sqlite.ownership import MOVE_IT, check_place, leaves_traces
from dynaferry.state.sqlite.schema import APPLICATION_ID

# Gives what cannot be true of what a file holds, or None.
FaultOf = Callable[[sqlite3.Connection], str | None]

_HEADER_BYTES = 100
# How long to wait for another connection. Readers hold the file for moments only.
_BUSY_SECONDS = 5.0


def check_header(path: Path, application_id: int = APPLICATION_ID, ladder: Ladder = LADDER) -> None:
    """Returns if the file is a state file of this kind, and of this version or one from which
    `ladder` leads to it, as far as its first bytes tell.

    :raises StateError: it is not there, not ours, of a later version or of one too old
    :raises OSError: it cannot be read
    """
    size = check_place(path).st_size
    if not os.access(path, os.R_OK):  # SQLite does not say why
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    fault = _size_fault(size) or _header_fault(path, application_id, ladder)
    if fault is not None:
        raise StateError(f"the state file {path} {fault}", hint=MOVE_IT)


def _size_fault(size: int) -> str | None:
    if size == 0:
        return "is empty"
    return "is cut short, or is not a SQLite database" if size < _HEADER_BYTES else None


def _header_fault(path: Path, application_id: int, ladder: Ladder) -> str | None:
    try:
        # What the file itself says, whatever is in its log.
        found, version = _identifiers(connect(path, "ro", immutable=True))
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            return "is not a SQLite database, or its beginning is damaged"
        # A file that lost power while its log was folded into it is whole only with its log.
        found, version = _identifiers(connect_for_reading(path))
    if found != application_id:
        return "is a SQLite database that dynaferry did not make"
    known = f"(schema {version}, this one knows {ladder.version})"
    if version > ladder.version:
        return f"is of a newer dynaferry {known}"
    return None if ladder.leads_from(version) else f"is of an older dynaferry {known}"


def _identifiers(opened: sqlite3.Connection) -> tuple[int, int]:
    """Whose the file is, and its version."""
    with closing(opened) as connection:
        names = ("application_id", "user_version")
        found, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return found, version


def check_damage(path: Path, fault_of: FaultOf, ladder: Ladder = LADDER) -> None:
    """Returns if SQLite finds the file whole, its log included, and what it holds may be true.

    One of an earlier version is held against that when a copy of it has climbed the ladder.

    :raises StateError: it is not
    :raises sqlite3.Error: it is so damaged that it cannot be searched
    """
    with closing(connect(path, "ro")) as connection:
        verdict: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise damaged(path, verdict)
        with as_of_today(connection, ladder) as today:
            check_content(today, path, fault_of)


@contextmanager
def as_of_today(connection: sqlite3.Connection, ladder: Ladder) -> Iterator[sqlite3.Connection]:
    """The connection, or one to a copy in memory that has climbed to this version."""
    if version_of(connection) == ladder.version:
        yield connection
        return
    with closing(ladder.climbed_copy(connection)) as copy:
        yield copy


def check_content(connection: sqlite3.Connection, path: Path, fault_of: FaultOf) -> None:
    """Returns if what the file holds at one moment may be true.

    :raises StateError: it cannot
    """
    connection.execute("BEGIN")
    try:
        fault = fault_of(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if fault is not None:
        raise damaged(path, fault)


def damaged(path: Path, what: object) -> StateError:
    """The refusal of a damaged file."""
    return StateError(f"the state file {path} is damaged: {what}", hint=MOVE_IT)


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Opens a database to look at it; beside a file that may not be written nothing is left.

    :raises StateError: its log may not be read, and without it the file is old
    :raises OSError: it cannot be read
    """
    if leaves_traces(path):
        return connect(path, "ro")
    log, index = log_paths(path)
    if index.exists():
        # As it is while somebody works on it, or after a crash.
        connection = connect(path, "ro")
        try:
            connection.execute("SELECT run FROM run")
        except sqlite3.OperationalError:
            connection.close()
        else:
            return connection
    if not (log.exists() and log.stat().st_size):
        return connect(path, "ro", immutable=True)
    return _connect_to_copy(path, log)


def _connect_to_copy(path: Path, log: Path) -> sqlite3.Connection:
    """SQLite needs to write beside a file whose log it reads: so both are read elsewhere.

    The copy has no name any more once it is open.
    """
    with TemporaryDirectory(prefix="dynaferry-") as place:
        copy = Path(place, path.name)
        shutil.copyfile(path, copy)
        try:
            shutil.copyfile(log, log_paths(copy)[0])
        except PermissionError as error:
            raise StateError(
                f"the log {log} of the state file cannot be read: {error.strerror}",
                hint="run this as the user who started the copy",
            ) from error
        connection = connect(copy, "ro")
        with closed_on_error(connection):
            connection.execute("SELECT run FROM run")
            return connection


def connect(
    path: Path, mode: Literal["ro", "rw"], *, immutable: bool = False
) -> sqlite3.Connection:
    """Opens a database that is there; statements begin no transaction by themselves.

    Of one that is taken for `immutable` the file alone is read, without locks and without its log.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}",
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


def climb(connection: sqlite3.Connection, path: Path, ladder: Ladder) -> None:
    """Makes a file of an earlier version one of this: all of it or nothing."""
    if version_of(connection) == ladder.version:
        return
    with transaction(connection):
        ladder.climb(connection)
    # An earlier dynaferry looks for the version in the file, without its log.
    fold_log(path)


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
