"""The file of a spool as SQLite has it: made whole, opened, checked, changed in transactions."""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from dynaferry.errors import StateError, StateWriteError, StoppedError
from dynaferry.follow.spool_schema import APPLICATION_ID, SCHEMA, SPOOL_VERSION
from dynaferry.state.directory import log_paths, unused_name

# Pages of the log until it is folded into the file: few keep the lag even, many keep a copy fast.
FOLLOWING_PAGES: Final = 1_000
COPYING_PAGES: Final = 16_000
_BUSY_SECONDS: Final = 5.0
_CACHE_KIB: Final = 65_536
# A file up to this size is looked through when it is opened: a moment's work.
LOOKED_THROUGH_BYTES: Final = 64 * 1024**2
_SMALL_TABLES: Final = ("spool", "shards", "gaps", "doubts", "letters")
_ENDS: Final = (
    "SELECT number, digest FROM changes ORDER BY number LIMIT 1",
    "SELECT number, digest FROM changes ORDER BY number DESC LIMIT 1",
)
# What SQLite says of a file that is none, or whose pages contradict each other, or lack a table.
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class SpoolDamagedError(StoppedError):
    """A spool is not as it was stored, as was seen while it was in use."""

    def __init__(self, path: Path, words: str) -> None:
        super().__init__(
            words if str(path) in words else f"the spool {path} is damaged: {words}",
            hint="the same command resumes: the spool is put away, and every key is compared",
        )


class SpoolLostError(StateError):
    """What stands in a spool's place is not this move's spool, or not whole: it is lost."""


def make(path: Path, spool_id: str, lost: str | None = None) -> None:
    """Makes a spool, which has its name once it is whole.

    In the place of one that was `lost`, for that reason, it says so from the start: a gap, with
    writes of which nobody knows.

    :raises StateError: there is a file of this name, or none can be made
    """
    unfinished = path.with_name(f"{path.name}.new")
    try:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        # The log of a file that is gone would be taken for that of the new one.
        for left in (*log_paths(path), unfinished, *log_paths(unfinished)):
            left.unlink(missing_ok=True)
        _build(unfinished, spool_id, lost)
        unfinished.rename(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"the spool {path} cannot be made: {error.strerror}") from error
    except (sqlite3.Error, StateWriteError) as error:
        raise StateError(f"the spool {path} cannot be made: {error}") from error


def is_whole(path: Path, spool_id: str) -> bool:
    """Whether there is a spool, which is whole and of this move then.

    :raises SpoolLostError: it is damaged, not a spool, or of another move
    :raises StateError: it cannot be read, or is of another version
    """
    if not path.exists():
        return False
    try:
        with closing(connect(path)) as connection:
            _check(connection, path, spool_id)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return True


def set_aside(path: Path) -> Path:
    """Renames what stands in a spool's place, with its log; returns the new path.

    :raises StateError: it cannot be renamed
    """
    aside = unused_name(path, time.time())
    try:
        for log, log_aside in zip(log_paths(path), log_paths(aside), strict=True):
            if log.exists():
                log.rename(log_aside)
        path.rename(aside)
        _sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"the spool {path} cannot be put away: {error.strerror}") from error
    return aside


def remove_spool(path: Path) -> None:
    """Removes what stands in a spool's place, with its log. It blocks."""
    for each in (path, *log_paths(path)):
        each.unlink(missing_ok=True)


def _build(path: Path, spool_id: str, lost: str | None) -> None:
    """Makes a whole spool, its log folded into it."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection, path):
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO spool (id, is_clean) VALUES (?,?)", (spool_id, int(lost is None))
            )
            if lost is not None:
                connection.execute(
                    "INSERT INTO gaps (at, shard, why) VALUES (?, '', ?)", (time.time(), lost)
                )
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SPOOL_VERSION}")


def _sync_directory(directory: Path) -> None:
    """Makes the names in it durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path) -> sqlite3.Connection:
    """Opens a file that is there; statements begin no transaction by themselves."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=_BUSY_SECONDS,
        check_same_thread=False,
    )
    try:
        _set(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set(connection: sqlite3.Connection) -> None:
    """Each commit is on the disk before it returns; sorting puts no item into another file."""
    for setting in (
        "synchronous = FULL",
        "fullfsync = ON",
        "temp_store = MEMORY",
        # Where a build overwrites what is deleted, each change is written once more: and the file
        # is deleted as a whole.
        "secure_delete = OFF",
        f"cache_size = -{_CACHE_KIB}",
        f"wal_autocheckpoint = {FOLLOWING_PAGES}",
    ):
        connection.execute(f"PRAGMA {setting}")


def _check(connection: sqlite3.Connection, path: Path, spool_id: str) -> None:
    """Returns if the file is a whole spool of this move.

    :raises SpoolLostError: it is none, not this move's or not whole
    :raises StateError: it is of another version
    """
    found, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if found != APPLICATION_ID:
        raise SpoolLostError(f"{path} is not a spool that dynaferry made")
    if version != SPOOL_VERSION:
        raise StateError(
            f"the spool {path} is of version {version}, this is {SPOOL_VERSION}",
            hint="continue with the version of dynaferry that made it",
        )
    _look_through(connection, path)
    ids = connection.execute("SELECT id FROM spool").fetchall()
    if len(ids) != 1:
        raise damaged(path, "it does not say whose it is")
    if ids[0][0] != spool_id:
        raise SpoolLostError(f"the spool {path} belongs to another move")


def _look_through(connection: sqlite3.Connection, path: Path) -> None:
    """Looks through the whole of a small file, and of a large one through all but what waits: that
    is looked at row by row as it is read, and may be hundreds of gigabytes.

    :raises StateError: it is damaged
    """
    is_small = path.stat().st_size <= LOOKED_THROUGH_BYTES
    for part in ("1",) if is_small else _SMALL_TABLES:
        verdict = connection.execute(f"PRAGMA quick_check({part})").fetchone()[0]
        if verdict != "ok":
            raise damaged(path, verdict)
    # The ends of what waits: whether they are there, and stand in the index.
    for end in _ENDS:
        row = connection.execute(end).fetchone()
        if row is not None and row[0] != _number_of(connection, row[1]):
            raise damaged(path, "its index does not show what waits")


def _number_of(connection: sqlite3.Connection, digest: bytes) -> int | None:
    row = connection.execute("SELECT number FROM changes WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else row[0]


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Commits what is done within, or rolls it back.

    :raises StateWriteError: the disk is full, or fails
    :raises SpoolLostError: the file is damaged
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if is_damage(error):
            raise unreadable(path, error) from error
        if isinstance(error, sqlite3.Error):
            raise StateWriteError(f"the spool {path} cannot be written: {error}") from error
        raise


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the file takes of the disk, without pages that are free to be used again."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return int((pages - free) * size)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite has found that the file is not as it left it."""
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    return code is not None and code & 0xFF in _DAMAGE


def unreadable(path: Path, error: BaseException) -> StateError:
    """The refusal of a spool that SQLite cannot read; one that is damaged is lost."""
    if is_damage(error):
        return damaged(path, str(error))
    return StateError(
        f"the spool {path} cannot be read: {error}", hint="see to the disk and the file's rights"
    )


def damaged(path: Path, what: str) -> StateError:
    """The loss of a spool in which something is not as it was stored."""
    return SpoolLostError(f"the spool {path} is damaged: {what}")
