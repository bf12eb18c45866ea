"""A move as its spools show it, read while it goes on and after, for whoever looks from outside."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from dynaferry.follow.lineage import ShardState
from dynaferry.follow.passes.standing import read_standing
from dynaferry.follow.spool_history import read_samples, read_states
from dynaferry.observe.move_status import MoveStatus, decode_status, left_alone
from dynaferry.report.stored_move import StoredGap, StoredMove
from dynaferry.state.directory import move_name, spool_path, state_path
from dynaferry.state.lock import is_locked


def is_moved(state_dir: Path, run: str) -> bool:
    """Whether the run is a move: there is a spool of it. It blocks."""
    return spool_path(state_dir, run, 0).is_file()


def is_followed(state_dir: Path, run: str) -> bool:
    """Whether a process moves the run now. It blocks."""
    return is_locked(state_dir, move_name(run), if_hidden=True)


def read_move(state_dir: Path, run: str, tables: int) -> list[MoveStatus]:
    """How each table of a run stands, none where it is no move. It blocks.

    Where no process moves it, it is what the last one said, with its ages as they are by now. A
    spool that cannot be read says nothing: `move` itself tells what is wrong with it.
    """
    return [move.status for move in _read_all(state_dir, run, tables, whole=False)]


def read_whole_move(state_dir: Path, run: str, tables: int) -> list[StoredMove]:
    """The same, with its states, its samples, its shards and its gaps. It blocks."""
    return list(_read_all(state_dir, run, tables, whole=True))


def _read_all(state_dir: Path, run: str, tables: int, *, whole: bool) -> Iterator[StoredMove]:
    if not is_moved(state_dir, run):
        yield from _read_passes(state_dir, run)
        return
    running = is_followed(state_dir, run)
    for table in range(tables):
        try:
            with opened_to_look(spool_path(state_dir, run, table)) as spool:
                found = _read(spool, whole=whole)
        except (sqlite3.Error, msgspec.MsgspecError):
            continue
        if found is not None:
            status = found.status if running else left_alone(found.status, time.time())
            yield msgspec.structs.replace(found, status=status)


def _read_passes(state_dir: Path, run: str) -> Iterator[StoredMove]:
    """Of a move without a stream there is no spool."""
    path, running = state_path(state_dir, run), is_followed(state_dir, run)
    with suppress(sqlite3.Error, msgspec.MsgspecError):
        for status in read_standing(path, time.time(), is_running=running):
            yield StoredMove(status=status)


@contextmanager
def opened_to_look(path: Path) -> Iterator[sqlite3.Connection]:
    """A spool that is read beside whoever writes it.

    :raises sqlite3.Error: it is not there, or cannot be read
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as spool:
        yield spool


def _read(spool: sqlite3.Connection, *, whole: bool) -> StoredMove | None:
    (said,) = spool.execute("SELECT status FROM spool").fetchone()
    if said is None:
        return None
    status = decode_status(said)
    if not whole:
        return StoredMove(status=status)
    states = spool.execute("SELECT state, count(*) FROM shards GROUP BY state").fetchall()
    gaps = spool.execute("SELECT at, why, mended_at FROM gaps ORDER BY number").fetchall()
    return StoredMove(
        status=status,
        states=read_states(spool),
        samples=read_samples(spool),
        shards={ShardState(state).name.lower(): count for state, count in states},
        gaps=[StoredGap(*gap) for gap in gaps],
    )
