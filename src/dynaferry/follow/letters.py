"""The dead letters of a move, read from its spools beside whoever follows, and asked for again.

The table is read and changed by other processes: each look opens the file anew. All of it blocks.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from dynaferry.errors import StateError
from dynaferry.follow import spool_letters
from dynaferry.follow.spool_connection import connect, transaction, unreadable
from dynaferry.follow.stored_move import opened_to_look
from dynaferry.state.directory import spool_path
from dynaferry.state.records import DeadLetter

# Not of a scan: the segment of an item that was refused while its table was followed.
NO_SEGMENT: Final = -1
# In the place of an item: the target refused to delete one.
NO_ITEM: Final = b"null"


def keys_of_letters(state_dir: Path, run: str, table: int) -> set[bytes]:
    """The canonical keys of the table's dead letters.

    :raises StateError: the spool cannot be read
    """
    path = spool_path(state_dir, run, table)
    try:
        with opened_to_look(path) as spool:
            return spool_letters.letter_keys(spool)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error


def page_of_move_letters(
    state_dir: Path, run: str, table: int, after: bytes, limit: int
) -> list[DeadLetter]:
    """The table's next dead letters behind this key, in the order of their keys.

    :raises StateError: the spool cannot be read
    """
    path = spool_path(state_dir, run, table)
    try:
        with opened_to_look(path) as spool:
            kept = spool_letters.read_letters(spool, after, limit)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return [_as_dead_letter(each, table) for each in kept]


def ask_again(state_dir: Path, run: str, table: int, keys: Sequence[bytes]) -> None:
    """Has the process that follows the table read these keys again from the source.

    :raises StateError: the spool cannot be changed
    """
    path = spool_path(state_dir, run, table)
    try:
        with closing(connect(path)) as spool, transaction(spool, path):
            spool_letters.ask_again(spool, keys)
    except sqlite3.Error as error:
        raise StateError(f"the spool {path} cannot be changed: {error}") from error


def still_asked(state_dir: Path, run: str, table: int, keys: Sequence[bytes]) -> int:
    """How many of these keys are not read again and written yet.

    :raises StateError: the spool cannot be read
    """
    path = spool_path(state_dir, run, table)
    try:
        with opened_to_look(path) as spool:
            return spool_letters.still_asked(spool, keys)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error


def _as_dead_letter(kept: spool_letters.KeptLetter, table: int) -> DeadLetter:
    letter = kept.letter
    return DeadLetter(
        table=table,
        segment=NO_SEGMENT,
        page=NO_SEGMENT,
        key=kept.key,
        item=letter.item or NO_ITEM,
        error_code=letter.error_code,
        error_message=letter.error_message,
        time=letter.time,
    )
