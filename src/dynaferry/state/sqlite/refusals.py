"""What the file system and SQLite say of a state file, as errors for people."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynaferry.errors import StateError, StateWriteError
from dynaferry.state.sqlite.connection import damaged
from dynaferry.state.sqlite.ownership import MOVE_IT

# Text that is none has no name, and what a statement of ours does not find was there once.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_MISMATCH")
_WRITE_HINTS = {
    "SQLITE_FULL": "make room on the disk of {path}, then run the same command again",
    "SQLITE_READONLY": "make {path} writable, then run the same command again",
    "SQLITE_IOERR": "look at the disk of {path}, then run the same command again",
}


@contextmanager
def refusing(path: Path, done: str) -> Iterator[None]:
    """Turns what the file system or SQLite say into a refusal."""
    try:
        yield
    except sqlite3.Error as error:
        raise refusal(path, done, error) from error
    except OSError as error:
        raise StateError(
            f"the state file {path} cannot be {done}: {error.strerror}",
            hint="choose another --state-dir, or give the run a name of its own",
        ) from error


def refusal(path: Path, done: str, error: sqlite3.Error) -> StateError:
    """What SQLite said when the file was to be `done` something with, as a refusal."""
    if getattr(error, "sqlite_errorname", "SQLITE_ERROR").startswith(_DAMAGED):
        return damaged(path, error)
    return StateError(f"the state file {path} cannot be {done}: {error}", hint=MOVE_IT)


def write_error(path: Path, error: sqlite3.Error) -> StateWriteError:
    """What SQLite said when something was to be stored."""
    name = getattr(error, "sqlite_errorname", "")
    hint = next(
        (text for code, text in _WRITE_HINTS.items() if name.startswith(code)),
        "look at {path}, then run the same command again",
    )
    return StateWriteError(
        f"the state file {path} cannot be written: {error}", hint=hint.format(path=path)
    )
