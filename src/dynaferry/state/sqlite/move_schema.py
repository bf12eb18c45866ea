"""The tables that a move has in its run's state file, and how their rows become records.

They are in the run's file and not in a spool: a plan of several tables has several spools and one
switch, which is one transaction only within one file; `set` and `pause` talk through this file
already, beside whoever holds its lock; and `finish` removes the spools, while what was switched and
when stays with the run.

They are made when a move begins, and only then. So the file of a copy stays what it was: one of an
earlier version is not stepped up for something that it has no use for, is left as it is where it is
refused, and an earlier dynaferry still reads it.
"""

import sqlite3
from typing import Final

import msgspec

from dynaferry.state.move_records import (
    MoveRecord,
    PassRecord,
    TransitionRecord,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite.rows import as_flag, as_record, row_fields

MOVE_TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS move (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        stage TEXT NOT NULL,
        since REAL NOT NULL,
        has_way_back INTEGER NOT NULL,
        switched_at REAL,
        returned_at REAL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS transitions (
        number INTEGER PRIMARY KEY,
        request BLOB NOT NULL,
        asked_at REAL NOT NULL,
        beats INTEGER NOT NULL,
        reply BLOB,
        outcome TEXT,
        ended_at REAL
    )
    """,
)
# Of a move without a stream alone.
PASSES_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS passes (
        number INTEGER PRIMARY KEY,
        record BLOB NOT NULL
    )
"""

_SELECT_TABLE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
SELECT_MOVE: Final = "SELECT * FROM move"
BEGIN_MOVE: Final = """
    INSERT INTO move VALUES (1, :stage, :since, :has_way_back, NULL, NULL)
    ON CONFLICT (only) DO UPDATE SET has_way_back = excluded.has_way_back
        WHERE switched_at IS NULL
"""
ENTER_STAGE: Final = """
    UPDATE move SET stage = :stage, since = :now,
        switched_at = CASE WHEN :stage = 'switched' AND stage = 'cutting-over'
            THEN :now ELSE switched_at END,
        returned_at = CASE WHEN :stage = 'returned' THEN :now ELSE returned_at END
    WHERE stage = :before
"""
INSERT_TRANSITION: Final = """
    INSERT INTO transitions VALUES (NULL, ?, ?, 0, NULL, NULL, NULL) RETURNING *
"""
SELECT_OPEN: Final = "SELECT * FROM transitions WHERE outcome IS NULL ORDER BY number"
SELECT_TRANSITION: Final = "SELECT * FROM transitions WHERE number = ?"
SELECT_LATEST: Final = "SELECT * FROM transitions ORDER BY number DESC"
BEAT: Final = "UPDATE transitions SET beats = beats + 1 WHERE number = ? AND outcome IS NULL"
REPLY: Final = "UPDATE transitions SET reply = ? WHERE number = ? AND outcome IS NULL"
END_TRANSITION: Final = """
    UPDATE transitions SET outcome = :outcome, ended_at = :now,
        reply = COALESCE(:reply, reply)
    WHERE number = :number AND outcome IS NULL
"""

STORE_IN_PASSES: Final = "INSERT OR REPLACE INTO passes VALUES (?, ?)"
SELECT_PASSES: Final = "SELECT record FROM passes ORDER BY number"


def move_of(row: sqlite3.Row) -> MoveRecord:
    """The move in `row`."""
    fields = row_fields(row, "only") | {"has_way_back": as_flag(row["has_way_back"])}
    return as_record(fields, MoveRecord)


def transition_of(row: sqlite3.Row) -> TransitionRecord:
    """The transition in `row`."""
    reply = row["reply"]
    parts = {
        "request": msgspec.json.decode(row["request"], type=TransitionRequest),
        "reply": None if reply is None else msgspec.json.decode(reply, type=TransitionReply),
    }
    return as_record(row_fields(row) | parts, TransitionRecord)


def has_move(connection: sqlite3.Connection) -> bool:
    """Whether the run is a move."""
    return connection.execute(_SELECT_TABLE, ("move",)).fetchone() is not None


def has_passes(connection: sqlite3.Connection) -> bool:
    """Whether it is a move without a stream."""
    return connection.execute(_SELECT_TABLE, ("passes",)).fetchone() is not None


def pass_of(row: sqlite3.Row) -> PassRecord:
    """The pass in `row`."""
    return msgspec.json.decode(row["record"], type=PassRecord)


def fault_of_move(connection: sqlite3.Connection) -> str | None:
    """What cannot be true of them, or None. The tables have to be there.

    :raises msgspec.MsgspecError: a row is not understood
    """
    for row in connection.execute(SELECT_MOVE):
        move = move_of(row)
        has_switched = move.stage in ("switched", "going-back", "returned")
        if has_switched and move.switched_at is None:
            return f"its move is {move.stage}, and was never switched"
    for row in connection.execute("SELECT * FROM transitions"):
        transition = transition_of(row)
        if (transition.outcome is None) != (transition.ended_at is None):
            return f"the transition {transition.number} has half an end"
    for row in connection.execute(SELECT_PASSES) if has_passes(connection) else ():
        if (made := pass_of(row)).is_complete and made.ended_at is None:
            return f"the pass {made.number} is complete and has no end"
    return None
