"""A power cut without one: the state as it stood at an instant is put back after the attempt.

The copy of file and log is made on the store's own thread, inside or right after a checkpoint, so
that it is of one instant. What the attempt did after it is on the target and not in the state, as
after a cut; only that here more than the last commit may be gone.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from dynaferry.run import resume
from dynaferry.state.directory import log_paths
from dynaferry.state.sqlite.store import Moment, SqliteStore

_expected: dict[Path, "PowerCut"] = {}


class PowerCut:
    """Of the run with this state file. Used as a context around the attempt."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_wanted = False
        self.has_state = False
        self.strikes = False

    def __enter__(self) -> Self:
        _expected[self._path] = self
        return self

    def __exit__(self, *_: object) -> None:
        """Puts the state back, if the power cut has struck."""
        del _expected[self._path]
        if self.strikes:
            for file in _files(self._path):
                file.unlink(missing_ok=True)
                if _kept(file).exists():
                    _kept(file).rename(file)
        for file in _files(self._path):
            _kept(file).unlink(missing_ok=True)

    def keep_next_state(self) -> None:
        """Wants the state as it is in the next checkpoint."""
        self._is_wanted = True

    def reached(self) -> None:
        """Keeps the state, if it is wanted. Called on the store's thread."""
        if self._is_wanted and not self.has_state:
            for file in _files(self._path)[:2]:
                if file.exists():
                    shutil.copyfile(file, _kept(file))
            self.has_state = True


class CutStore(SqliteStore):
    """Tells the power cut that is expected, if one is, where it stands."""

    def reached(self, moment: Moment) -> None:
        expected = _expected.get(self._file.path)
        if expected is not None:
            expected.reached()


@contextmanager
def unreliable_power() -> Iterator[None]:
    """Has runs keep their state in a `CutStore`."""
    vars(resume)["SqliteStore"] = CutStore
    try:
        yield
    finally:
        vars(resume)["SqliteStore"] = SqliteStore


def _files(path: Path) -> tuple[Path, Path, Path]:
    return (path, *log_paths(path))


def _kept(file: Path) -> Path:
    return file.with_name(f"{file.name}.kept")
