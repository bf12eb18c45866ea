"""What the spools of a move that is over hold still, and their end. All of it blocks."""

import sqlite3
from contextlib import closing
from pathlib import Path

from dynaferry.follow import spool_late_writes
from dynaferry.follow.spool_connection import connect, unreadable
from dynaferry.state.directory import (
    log_paths,
    spool_path,
    way_back_path,
    witness_path,
)


def remove_spools(
    state_dir: Path, run: str, tables: int, *, keep_late_writes: bool
) -> tuple[int, list[Path]]:
    """Removes them, but with `keep_late_writes` for those that hold such: how many, and where.

    :raises StateError: one cannot be read
    """
    late, kept = 0, []
    remove_witnesses(state_dir, run, tables)
    for number in range(tables):
        path = spool_path(state_dir, run, number)
        if not path.exists():
            continue
        found = _late_writes(path) if keep_late_writes else 0
        if found:
            late += found
            kept.append(path)
            continue
        _remove(path)
    return late, kept


def remove_ways_back(
    state_dir: Path, run: str, tables: int, *, keep_late_writes: bool
) -> tuple[int, list[Path]]:
    """The same of what was captured of the targets: late there is what was written behind a return.

    :raises StateError: one cannot be read
    """
    late, kept = 0, []
    for number in range(tables):
        path = way_back_path(state_dir, run, number)
        found = _late_writes(path) if keep_late_writes and path.exists() else 0
        if found:
            late += found
            kept.append(path)
        else:
            _remove(path)
    return late, kept


def _remove(path: Path) -> None:
    for each in (path, *log_paths(path)):
        each.unlink(missing_ok=True)


def remove_witnesses(state_dir: Path, run: str, tables: int) -> None:
    """Removes what was kept to compare the tables behind the switch."""
    for number in range(tables):
        _remove(witness_path(state_dir, run, number))


def _late_writes(path: Path) -> int:
    try:
        with closing(connect(path)) as spool:
            return spool_late_writes.counts(spool).keys
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
