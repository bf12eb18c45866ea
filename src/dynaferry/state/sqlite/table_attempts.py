"""How each table fared in each attempt: its rows in a state file, begun, ended, read."""

import sqlite3
from collections.abc import Mapping
from typing import Final

from dynaferry.state.records import TableAttempt
from dynaferry.state.sqlite.additions import has_table
from dynaferry.state.sqlite.rows import as_record, row_fields

NAME: Final = "table_attempts"

SELECT: Final = 'SELECT * FROM table_attempts ORDER BY attempt, "table"'
_BEGIN: Final = """
    INSERT OR REPLACE INTO table_attempts
        SELECT attempts, :table, 'running', :now, NULL, NULL, NULL, NULL FROM run
"""
_END: Final = """
    UPDATE table_attempts SET status = :status, ended_at = :now,
        error_type = :type, error_message = :message, error_hint = :hint
    WHERE "table" = :table AND attempt = (SELECT attempts FROM run)
"""
_INTERRUPT: Final = """
    UPDATE table_attempts SET status = 'interrupted', ended_at = :now WHERE ended_at IS NULL
"""
# Of a process that was killed the last checkpoint tells until when it lived.
_INTERRUPT_KILLED: Final = """
    UPDATE table_attempts SET status = 'interrupted', ended_at = MAX(started_at, COALESCE(
        (SELECT checkpointed_at FROM tables WHERE tables."table" = table_attempts."table"), 0))
    WHERE ended_at IS NULL
"""


def begin(connection: sqlite3.Connection, table: int, now: float) -> None:
    """A table begins, or goes on, in the attempt that is under way."""
    connection.execute(_BEGIN, {"table": table, "now": now})


def end(connection: sqlite3.Connection, ending: Mapping[str, object]) -> None:
    """A table ends in the attempt that is under way; `ending` has what `_END` names."""
    connection.execute(_END, ending)


def interrupt_all(connection: sqlite3.Connection, now: float) -> None:
    """Whatever has no end yet ends with its attempt."""
    if has_table(connection, NAME):
        connection.execute(_INTERRUPT, {"now": now})


def interrupt_killed(connection: sqlite3.Connection) -> None:
    """Ends what a killed process has left without an end."""
    connection.execute(_INTERRUPT_KILLED)


def table_attempt_of(row: sqlite3.Row) -> TableAttempt:
    """The table's attempt in `row`."""
    return as_record(row_fields(row), TableAttempt)
