"""One run's SQLite file: begun, opened, written to, set aside. Everything here blocks.

A new file is built under another name and renamed when it is whole. So a file under a run's name
was always finished once: a crash in between leaves a run that was never begun.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar, Self

from dynaferry.errors import StateError, StateWriteError
from dynaferry.state.directory import (
    log_paths,
    state_path,
    unfinished_files,
    unfinished_path,
    unused_name,
)
from dynaferry.state.lock import RunLock
from dynaferry.state.sqlite.connection import (
    check_content,
    check_damage,
    check_header,
    climb,
    closed_on_error,
    connect,
    connect_for_reading,
    connect_for_writing,
    damaged,
    fold_log,
    transaction,
)
from dynaferry.state.sqlite.damage import NOT_UNDERSTOOD, fault_of_run
from dynaferry.state.sqlite.ladder import LADDER, Ladder, version_of
from dynaferry.state.sqlite.ownership import check_ours
from dynaferry.state.sqlite.refusals import refusal, refusing, write_error
from dynaferry.state.sqlite.schema import APPLICATION_ID


class RunFile:
    """The open file of one run, with its lock. Only the thread that opened it may use it."""

    application_id: ClassVar[int] = APPLICATION_ID
    ladder: ClassVar[Ladder] = LADDER

    __slots__ = ("_connection", "_lock", "_place", "only_for_reading", "path")

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: RunLock | None,
        *,
        only_for_reading: bool = False,
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self.only_for_reading = only_for_reading
        self._place = _place(path)

    @staticmethod
    def fault_of(connection: sqlite3.Connection) -> str | None:
        """What cannot be true of such a file, or None."""
        return fault_of_run(connection)

    @classmethod
    def create(
        cls, state_dir: Path, run: str, write_new: Callable[[sqlite3.Connection], None]
    ) -> Self:
        """Begins a run: the directory, the file and all that `write_new` puts into it, or no file.

        :raises StateError: there is such a run, or it cannot be written
        """
        path = state_path(state_dir, run)
        with refusing(path, "started"):
            _make_directory(state_dir)
            lock = RunLock.acquire(state_dir, run)
            with _released_on_error(lock):
                _check_absent(path)
                for leftover in unfinished_files(state_dir, run):
                    leftover.unlink(missing_ok=True)
                unfinished = unfinished_path(state_dir, run)
                _build(unfinished, write_new)
                unfinished.rename(path)
                _sync_directory(state_dir)
                lock.hold_file(path)
                return cls(path, connect_for_writing(path), lock)

    @staticmethod
    def try_out(state_dir: Path, run: str) -> None:
        """Makes the directory, takes the run's lock and lets go of it: `create` would work now.

        :raises StateError: it would not
        """
        with refusing(state_path(state_dir, run), "started"):
            _make_directory(state_dir)
            RunLock.acquire(state_dir, run).release()

    @classmethod
    def open(cls, state_dir: Path, run: str) -> Self:
        """Opens a run to go on with it. A file of an earlier version is made one of this.

        :raises StateError: there is none, it is busy, or the file is foreign or broken
        """
        path = state_path(state_dir, run)
        with refusing(path, "opened"):
            lock = _take(path, run, cls.application_id, cls.ladder)
            with _released_on_error(lock):
                check_damage(path, cls.fault_of, cls.ladder)
                connection = connect_for_writing(path)
                with closed_on_error(connection):
                    climb(connection, path, cls.ladder)
                    return cls(path, connection, lock)

    @classmethod
    def open_for_reading(cls, state_dir: Path, run: str) -> Self:
        """Opens a run to look at it, whoever works on it; takes no lock and stores nothing.

        :raises StateError: there is none, or the file is foreign or cannot be read
        """
        path = state_path(state_dir, run)
        with refusing(path, "read"):
            check_header(path, cls.application_id, cls.ladder)
            connection = connect_for_reading(path)
            with closed_on_error(connection):
                if version_of(connection) != cls.ladder.version:
                    # Only who goes on with a run changes its file.
                    with closing(connection) as earlier:
                        connection = cls.ladder.climbed_copy(earlier)
                check_content(connection, path, cls.fault_of)
                return cls(path, connection, None, only_for_reading=True)

    @classmethod
    def discard(cls, state_dir: Path, run: str) -> None:
        """Removes a run's file, be it damaged, with its log.

        :raises StateError: there is none, it is busy, or the file is foreign
        """
        path = state_path(state_dir, run)
        with refusing(path, "removed"):
            lock = _take(path, run, cls.application_id, cls.ladder)
            with _released_on_error(lock):
                # The log last: a file that is left without it would be taken for whole.
                path.unlink()
                _remove_spent_log(path)
                _sync_directory(state_dir)
            lock.release()

    @classmethod
    def open_to_control(cls, state_dir: Path, run: str) -> Self:
        """Opens a run to change its controls, whoever works on it; takes no lock.

        One process writes at a time, and the other waits for it: SQLite sees to that. A file of an
        earlier version may be in use by an earlier dynaferry, so it is left as it is.

        :raises StateError: there is none, or the file is foreign or cannot be written
        """
        path = state_path(state_dir, run)
        with refusing(path, "written"):
            check_header(path, cls.application_id, Ladder(cls.ladder.version))
            check_ours(path)
            connection = connect_for_writing(path)
            with closed_on_error(connection):
                check_content(connection, path, cls.fault_of)
                return cls(path, connection, None)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Gives the connection to read from.

        :raises StateError: the file could not be read
        """
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise refusal(self.path, "read", error) from error
        except NOT_UNDERSTOOD as error:
            raise damaged(self.path, error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: at its end all of it is on disk; after an error none of it is.

        :raises StateWriteError: it could not be stored
        """
        try:
            self._check_place()
            with transaction(self._connection):
                yield self._connection
        except sqlite3.Error as error:
            raise write_error(self.path, error) from error

    def _check_place(self) -> None:
        # SQLite would go on writing to a file that nobody can find any more.
        try:
            in_place = _place(self.path) == self._place
        except OSError:
            in_place = False
        if not in_place:
            raise StateWriteError(
                f"the state file {self.path} was removed or replaced while it was in use",
                hint="put it back and run the same command again; without it, the copy starts over",
            )

    def close(self) -> None:
        """Lets go of the file and of its lock."""
        try:
            self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()


def set_aside(state_dir: Path, run: str, now: float) -> Path:
    """Renames a run's file, whole, so that a new run may take its name; returns the new path.

    :raises StateError: there is none, it is busy, or the file is foreign or broken
    """
    path = state_path(state_dir, run)
    with refusing(path, "put away"):
        lock = _take(path, run, APPLICATION_ID, RunFile.ladder)
        try:
            check_damage(path, fault_of_run, RunFile.ladder)
            fold_log(path)
            aside = unused_name(path, now)
            path.rename(aside)
            _remove_spent_log(path)
            _sync_directory(state_dir)
        finally:
            lock.release()
    return aside


def _take(path: Path, run: str, application_id: int, ladder: Ladder) -> RunLock:
    """The lock of a run's file that is ours, and of the file itself."""
    check_header(path, application_id, ladder)
    check_ours(path)
    lock = RunLock.acquire(path.parent, run)
    with _released_on_error(lock):
        lock.hold_file(path)
    return lock


def _make_directory(state_dir: Path) -> None:
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(state_dir, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise StateError(
            f"the state directory {state_dir} cannot be made or written to: {error.strerror}",
            hint="choose another --state-dir",
        ) from error


def _check_absent(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise StateError(
            f"there is a file at {path} already", hint="resume its run, or choose another name"
        )
    log, _ = log_paths(path)
    # SQLite would apply this log to the new file.
    if log.exists() and log.stat().st_size > 0:
        raise StateError(
            f"the state file {path} is missing, but its log {log} is there",
            hint="put the file back beside its log, or move the log away",
        )
    _remove_spent_log(path)


def _build(path: Path, write_new: Callable[[sqlite3.Connection], None]) -> None:
    # SQLite gives the log and its index the mode of the file.
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    with closing(connect(path, "rw")) as connection:
        with transaction(connection):
            write_new(connection)
        # Last, so that the file alone holds everything when it gets its name.
        mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StateError(
            f"the file system of {path.parent} cannot hold a write-ahead log",
            hint="choose another --state-dir, on a local disk",
        )


def _remove_spent_log(path: Path) -> None:
    """Removes an empty log and the index of it, which a reader or a crash leaves behind."""
    for leftover in log_paths(path):
        leftover.unlink(missing_ok=True)


def _place(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _released_on_error(lock: RunLock) -> Iterator[None]:
    try:
        yield
    except BaseException:
        lock.release()
        raise
