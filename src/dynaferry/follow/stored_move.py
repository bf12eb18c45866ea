"""How a move stood when its process last said so, for whoever looks from outside."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from dynaferry.follow.status import MoveStatus, decode_status
from dynaferry.state.directory import spool_path


def read_move(state_dir: Path, run: str, tables: int) -> list[MoveStatus]:
    """The last status of each table of a run, none where it is no move. It blocks.

    A spool that cannot be read says nothing: `move` itself tells what is wrong with it.
    """
    found = [_read(spool_path(state_dir, run, table)) for table in range(tables)]
    return [status for status in found if status is not None]


def _read(path: Path) -> MoveStatus | None:
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as spool:
            (status,) = spool.execute("SELECT status FROM spool").fetchone()
        return None if status is None else decode_status(status)
    except (sqlite3.Error, msgspec.MsgspecError):
        return None
