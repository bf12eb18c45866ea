"""The progress that a run has shown, in its state file: so that no share falls when it resumes.

The table is made with the first progress, in a file of whichever version: nobody else reads it.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from dynaferry.observe.segment_sums import SegmentSums
from dynaferry.state.records import ProgressRecord
from dynaferry.state.sqlite.rows import as_record, row_fields

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS progress (
        "table" INTEGER PRIMARY KEY,
        time REAL NOT NULL,
        items_done INTEGER NOT NULL,
        expected_items INTEGER,
        progress_ratio REAL NOT NULL,
        eta_seconds REAL
    )
"""
_IS_THERE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'progress'"
_PUT: Final = """
    INSERT OR REPLACE INTO progress VALUES (:table, :time, :items_done, :expected_items,
        :progress_ratio, :eta_seconds)
"""
# Sums of squares are beyond SQLite's integers: TOTAL adds up floats.
SELECT_SEGMENT_SUMS: Final = """
    SELECT COALESCE(SUM(complete), 0) AS complete,
        COALESCE(SUM(items_read * complete), 0) AS items,
        TOTAL(1.0 * items_read * items_read * complete) AS squares,
        COALESCE(MAX(items_read * complete), 0) AS largest,
        COALESCE(SUM(1 - complete), 0) AS begun,
        COALESCE(SUM(items_read * (1 - complete)), 0) AS begun_items,
        COALESCE(MAX(items_read * (1 - complete)), 0) AS largest_begun,
        COALESCE(MAX(items_read * (1 - complete)), 0) AS largest_settled
    FROM segments WHERE "table" = ?
"""
_SELECT: Final = 'SELECT * FROM progress ORDER BY "table"'


def keep(connection: sqlite3.Connection, records: Sequence[ProgressRecord]) -> None:
    """Stores the progress of tables in the place of what they had. Within a transaction."""
    connection.execute(_TABLE)
    connection.executemany(_PUT, map(msgspec.structs.asdict, records))


def segment_sums_of(row: sqlite3.Row) -> SegmentSums:
    """The sums in `row`."""
    return as_record(row_fields(row), SegmentSums)


def read(connection: sqlite3.Connection) -> list[ProgressRecord]:
    """The progress of the total and of each table that has any."""
    if connection.execute(_IS_THERE).fetchone() is None:
        return []
    return [as_record(row_fields(row), ProgressRecord) for row in connection.execute(_SELECT)]
