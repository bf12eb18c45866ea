"""How a move went, as its spool keeps it: its states with their times, and samples over time."""

import sqlite3
from itertools import pairwise
from typing import Final

from msgspec.structs import astuple

from dynaferry.observe.move_history import MovePoint, with_worst_lag
from dynaferry.observe.move_status import MoveState

SAMPLE_SECONDS: Final = 10.0
# With more, every second one is merged into the next: a move may take weeks.
MOST_SAMPLES: Final = 2_000


def note_state(connection: sqlite3.Connection, state: MoveState, at: float) -> None:
    """Stores a state with its time where it is another than before, within a transaction."""
    connection.execute(
        "INSERT INTO states (at, state) SELECT ?, ? WHERE ? IS NOT"
        " (SELECT state FROM states ORDER BY number DESC LIMIT 1)",
        (at, state, state),
    )


def note_sample(connection: sqlite3.Connection, sample: MovePoint) -> None:
    """Stores a sample, whose seconds are since the epoch, within a transaction of the caller's."""
    _insert(connection, [sample])
    if connection.execute("SELECT count(*) FROM samples").fetchone()[0] > MOST_SAMPLES:
        kept = thinned(read_samples(connection))
        connection.execute("DELETE FROM samples")
        _insert(connection, kept)


def thinned(samples: list[MovePoint]) -> list[MovePoint]:
    """Half of the samples: the first, the last, and no higher lag is lost. Pure."""
    if len(samples) < 3:
        return samples
    kept = [with_worst_lag(*pair) for pair in list(pairwise(samples))[1::2]]
    is_last_kept = len(samples) % 2 == 1
    return [samples[0], *kept] if is_last_kept else [samples[0], *kept, samples[-1]]


def read_states(connection: sqlite3.Connection) -> list[tuple[float, MoveState]]:
    """The states, each with when it began, in order."""
    return connection.execute("SELECT at, state FROM states ORDER BY number").fetchall()


def read_samples(connection: sqlite3.Connection) -> list[MovePoint]:
    """The samples, oldest first."""
    rows = connection.execute(
        "SELECT at, lag, captured, out, waiting, bytes FROM samples ORDER BY number"
    )
    return [MovePoint(*row) for row in rows]


def _insert(connection: sqlite3.Connection, samples: list[MovePoint]) -> None:
    connection.executemany(
        "INSERT INTO samples (at, lag, captured, out, waiting, bytes) VALUES (?,?,?,?,?,?)",
        [astuple(sample) for sample in samples],
    )
