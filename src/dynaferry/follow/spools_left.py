"""What the spools of a move that is over hold still, and their end. All of it blocks."""

import sqlite3
from contextlib import closing
from pathlib import Path

from dynaferry.follow.spool_connection import connect, unreadable
from dynaferry.state.directory import log_paths, spool_path


def remove_spools(
    state_dir: Path, run: str, tables: int, *, keep_waiting: bool
) -> tuple[int, list[Path]]:
    """Removes them, but with `keep_waiting` for those in which changes wait: how many, and where.

    :raises StateError: one cannot be read
    """
    waiting, kept = 0, []
    for number in range(tables):
        path = spool_path(state_dir, run, number)
        if not path.exists():
            continue
        found = _waiting(path) if keep_waiting else 0
        if found:
            waiting += found
            kept.append(path)
            continue
        for each in (path, *log_paths(path)):
            each.unlink(missing_ok=True)
    return waiting, kept


def _waiting(path: Path) -> int:
    try:
        with closing(connect(path)) as spool:
            count: int = spool.execute("SELECT count(*) FROM changes").fetchone()[0]
            return count
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
