"""Tables that were added to a state file within its version.

A file of an earlier dynaferry lacks them, which reads as if they were empty; they are made when an
attempt begins. An earlier dynaferry passes over what it does not know, so that it still reads the
file. What has to be there before anything can be understood is a step of the ladder instead.
"""

import sqlite3
from typing import Final

# By name: the statement that makes the table where it is not there.
ADDED_TABLES: Final = {
    "table_attempts": """
        CREATE TABLE IF NOT EXISTS table_attempts (
            attempt INTEGER NOT NULL,
            "table" INTEGER NOT NULL REFERENCES tables,
            status TEXT NOT NULL,
            started_at REAL NOT NULL,
            ended_at REAL,
            error_type TEXT,
            error_message TEXT,
            error_hint TEXT,
            PRIMARY KEY (attempt, "table")
        )
    """,
}

_SELECT_TABLE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the file has this table."""
    return connection.execute(_SELECT_TABLE, (name,)).fetchone() is not None


def make_tables(connection: sqlite3.Connection) -> None:
    """Makes those that the file lacks. To be called within a transaction."""
    for statement in ADDED_TABLES.values():
        connection.execute(statement)
