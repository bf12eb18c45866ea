"""The late writes of a move, read from its spools beside whoever follows, or after the end.

Nothing applies them: what the application has written to the target under the same key since is not
known here, so which of both is right is for people to say. All of it blocks.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from dynaferry.follow import spool_late_writes
from dynaferry.follow.move_state import Side
from dynaferry.follow.spool_connection import unreadable
from dynaferry.follow.spool_late_writes import LateWrite
from dynaferry.follow.stored_move import opened_to_look
from dynaferry.state.directory import spool_path, way_back_path


class LateWritesOfTable(Struct, frozen=True, kw_only=True):
    """What is known of a table's late writes.

    `watched_since` is when the watch for them began, None where it did not; `expired` counts
    deletes by time to live, which are none. `lost` are the reasons why late writes may be missing.
    """

    keys: int = 0
    expired: int = 0
    watched_since: float | None = None
    lost: tuple[str, ...] = ()


def late_writes_of(
    state_dir: Path, run: str, table: int, side: Side = "source"
) -> LateWritesOfTable:
    """How many late writes a side of a table has; none where its spool is gone.

    :raises StateError: the spool cannot be read
    """
    path = _path(state_dir, run, table, side)
    if not path.exists():
        return LateWritesOfTable()
    try:
        with opened_to_look(path) as spool:
            counts = spool_late_writes.counts(spool)
            lost = spool_late_writes.lost_since(spool)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return LateWritesOfTable(
        keys=counts.keys, expired=counts.expired, watched_since=counts.since, lost=tuple(lost)
    )


def pages_of_late_writes(
    state_dir: Path, run: str, table: int, page: int, side: Side = "source"
) -> Iterator[list[LateWrite]]:
    """The late writes of a side in the order in which they came first, `page` at a time.

    :raises StateError: the spool cannot be read
    """
    path, after = _path(state_dir, run, table, side), 0
    while path.exists():
        try:
            with opened_to_look(path) as spool:
                found = list(spool_late_writes.read(spool, path, after, page))
        except sqlite3.Error as error:
            raise unreadable(path, error) from error
        if not found:
            return
        yield found
        after = found[-1].number


def _path(state_dir: Path, run: str, table: int, side: Side) -> Path:
    """Where it is kept what a side was written to behind the switch away from it."""
    path_of = spool_path if side == "source" else way_back_path
    return path_of(state_dir, run, table)
