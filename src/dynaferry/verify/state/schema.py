"""The tables of a verification's state file, and how records become rows and rows records."""

import sqlite3
from typing import Any, Final

import msgspec

from dynaferry.state.records import SCHEMA_VERSION
from dynaferry.state.sqlite.ladder import Ladder
from dynaferry.state.sqlite.rows import as_flag, as_record, row_fields
from dynaferry.state.sqlite.schema import ATTEMPT_COLUMNS
from dynaferry.verify.state.records import (
    ComparedSegment,
    ComparisonCounters,
    ComparisonTotals,
    Difference,
    Suspect,
    Verification,
)

APPLICATION_ID: Final = 0x64667276  # "dfrv"
LADDER: Final = Ladder(SCHEMA_VERSION)

# A segment has a row once all of it is compared; a table has one from the start.
TABLES: Final = (
    f"""
    CREATE TABLE run (
        run TEXT PRIMARY KEY,
        identity BLOB NOT NULL,
        sample_percent REAL,
        seed INTEGER NOT NULL,
        {ATTEMPT_COLUMNS}
    )
    """,
    """
    CREATE TABLE tables (
        "table" INTEGER PRIMARY KEY,
        matching INTEGER NOT NULL,
        read_units REAL NOT NULL,
        write_units REAL NOT NULL,
        throttled_requests INTEGER NOT NULL,
        retried_requests INTEGER NOT NULL,
        settled_by_key INTEGER NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE segments (
        "table" INTEGER NOT NULL REFERENCES tables,
        segment INTEGER NOT NULL,
        source_items INTEGER NOT NULL,
        target_items INTEGER NOT NULL,
        matching INTEGER NOT NULL,
        source_digest TEXT NOT NULL,
        target_digest TEXT NOT NULL,
        settled_by_key INTEGER NOT NULL DEFAULT 0,
        compared_at REAL,
        consistent_read INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY ("table", segment)
    )
    """,
    """
    CREATE TABLE suspects (
        "table" INTEGER NOT NULL REFERENCES tables,
        segment INTEGER NOT NULL,
        key BLOB NOT NULL,
        in_source INTEGER NOT NULL,
        source_digest BLOB,
        target_digest BLOB,
        seen_at REAL NOT NULL,
        PRIMARY KEY ("table", segment, key)
    )
    """,
    'CREATE INDEX suspects_by_time ON suspects ("table", seen_at)',
    """
    CREATE TABLE differences (
        "table" INTEGER NOT NULL REFERENCES tables,
        key BLOB NOT NULL,
        kind TEXT NOT NULL,
        attributes BLOB NOT NULL,
        target_digest BLOB,
        mended TEXT,
        replaced TEXT,
        PRIMARY KEY ("table", key)
    )
    """,
)

_INSERT_RUN: Final = """
    INSERT INTO run VALUES (:run, :identity, :sample_percent, :seed, :version, :status, :attempts,
        :created_at, :started_at, :ended_at, :error_type, :error_message, :error_hint)
"""
_INSERT_TABLE: Final = "INSERT INTO tables VALUES (?, 0, 0.0, 0.0, 0, 0, 0)"

# Columns that a file of an older dynaferry lacks, in the order of their being added.
ADDED: Final = (
    ("tables", "settled_by_key", "INTEGER NOT NULL DEFAULT 0"),
    ("segments", "settled_by_key", "INTEGER NOT NULL DEFAULT 0"),
    ("segments", "compared_at", "REAL"),
    ("segments", "consistent_read", "INTEGER NOT NULL DEFAULT 0"),
    ("differences", "replaced", "TEXT"),
)

BEGIN_ATTEMPT: Final = """
    UPDATE run SET status = 'running', attempts = attempts + 1, version = :version,
        started_at = :now, ended_at = NULL,
        error_type = NULL, error_message = NULL, error_hint = NULL
"""
# A segment that is not done is compared anew, and finds its suspects again.
DROP_SUSPECTS_OF_UNFINISHED_SEGMENTS: Final = """
    DELETE FROM suspects WHERE NOT EXISTS (
        SELECT 1 FROM segments WHERE segments."table" = suspects."table"
            AND segments.segment = suspects.segment)
"""
END_ATTEMPT: Final = """
    UPDATE run SET status = :status, ended_at = :now,
        error_type = :type, error_message = :message, error_hint = :hint
"""
PUT_SEGMENT: Final = """
    INSERT OR REPLACE INTO segments VALUES (:table, :segment, :source_items, :target_items,
        :matching, :source_digest, :target_digest, :settled_by_key, :compared_at, :consistent_read)
"""
PUT_SUSPECT: Final = """
    INSERT INTO suspects VALUES (:table, :segment, :key, :in_source, :source_digest,
        :target_digest, :seen_at)
    ON CONFLICT DO UPDATE SET in_source = MAX(in_source, excluded.in_source),
        source_digest = excluded.source_digest, target_digest = excluded.target_digest,
        seen_at = excluded.seen_at
"""
DELETE_SUSPECT: Final = """
    DELETE FROM suspects WHERE "table" = :table AND segment = :segment AND key = :key
"""
# A key may come from two segments: what is undecided in one takes nothing from the other.
PUT_DIFFERENCE: Final = """
    INSERT INTO differences VALUES (:table, :key, :kind, :attributes, :target_digest, NULL,
        NULL)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, attributes = excluded.attributes,
        target_digest = excluded.target_digest, mended = NULL
    WHERE excluded.kind <> 'in_flux'
"""
ADD_SETTLED: Final = """
    UPDATE tables SET matching = matching + :matching,
        settled_by_key = settled_by_key + :settled_by_key
    WHERE "table" = :table
"""
NOTE_REPLACED: Final = """
    UPDATE differences SET replaced = :replaced WHERE "table" = :table AND key = :key
"""
MARK_REPAIRED: Final = 'UPDATE differences SET mended = :how WHERE "table" = :table AND key = :key'
UPDATE_COUNTERS: Final = """
    UPDATE tables SET read_units = :read_units, write_units = :write_units,
        throttled_requests = :throttled_requests, retried_requests = :retried_requests
    WHERE "table" = :table
"""

SELECT_RUN: Final = "SELECT * FROM run"
SELECT_SEGMENTS: Final = 'SELECT * FROM segments WHERE "table" = ? ORDER BY segment'
SELECT_COUNTERS: Final = 'SELECT * FROM tables WHERE "table" = ?'
SELECT_SUSPECTS: Final = """
    SELECT * FROM suspects WHERE "table" = ? AND seen_at <= ? ORDER BY seen_at LIMIT ?
"""
SELECT_OLDEST: Final = 'SELECT MIN(seen_at) AS oldest FROM suspects WHERE "table" = ?'
# In the order of the primary key, so that each page is a range of the index.
SELECT_DIFFERENCES: Final = """
    SELECT * FROM differences
    WHERE "table" = ? AND key > ? AND mended IS NULL AND kind <> 'in_flux'
    ORDER BY key LIMIT ?
"""
SELECT_UNEQUAL_KEYS: Final = """
    SELECT key FROM differences WHERE "table" = ? AND key > ? AND mended IS NULL
    ORDER BY key LIMIT ?
"""
# Any of all that ever differed, so that it is known what changes.
SELECT_SAMPLE: Final = 'SELECT key FROM differences WHERE "table" = ? ORDER BY random() LIMIT ?'
SELECT_IN_FLUX: Final = """
    SELECT * FROM differences WHERE "table" = ? AND kind = 'in_flux' ORDER BY key LIMIT ?
"""
SELECT_TOTALS: Final = """
    SELECT COUNT(*) AS segments_compared,
        COALESCE(SUM(source_items), 0) AS source_items,
        COALESCE(SUM(target_items), 0) AS target_items,
        COALESCE(SUM(matching), 0)
            + (SELECT matching FROM tables WHERE "table" = ?1) AS matching,
        COALESCE(SUM(settled_by_key), 0)
            + (SELECT settled_by_key FROM tables WHERE "table" = ?1) AS settled_by_key,
        MIN(compared_at) AS oldest_at,
        COALESCE(MIN(consistent_read), 0) AS consistent_read,
        (SELECT COUNT(*) FROM suspects WHERE "table" = ?1) AS unconfirmed
    FROM segments WHERE "table" = ?1
"""
# What replaced something that was not seen is counted as that, and not as written or deleted.
SELECT_TALLY: Final = """
    SELECT COALESCE(mended, kind) AS what, COUNT(*) AS number FROM differences
    WHERE "table" = ?1 AND (mended IS NULL OR replaced IS NULL) GROUP BY what
    UNION ALL
    SELECT CASE replaced WHEN 'overwritten' THEN 'overwritten' ELSE 'unseen' END AS what,
        COUNT(*) AS number
    FROM differences WHERE "table" = ?1 AND replaced IS NOT NULL GROUP BY what
"""


def write_new_run(connection: sqlite3.Connection, record: Verification) -> None:
    """Makes the tables and writes the verification into them, within a transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for statement in TABLES:
        connection.execute(statement)
    identity = msgspec.json.encode(record.identity)
    connection.execute(_INSERT_RUN, msgspec.structs.asdict(record) | {"identity": identity})
    tables = range(len(record.identity.tables))
    connection.executemany(_INSERT_TABLE, [(table,) for table in tables])


def add_new_columns(connection: sqlite3.Connection) -> None:
    """Gives the file of an older dynaferry the columns that it lacks, within a transaction."""
    for table, column, kind in ADDED:
        there = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
        if column not in there:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


def row_of(table: int, record: ComparedSegment | Suspect | ComparisonCounters) -> dict[str, Any]:
    """The row of a record of a table."""
    return {"table": table, **msgspec.structs.asdict(record)}


def difference_row(table: int, difference: Difference) -> dict[str, Any]:
    """The row of `difference`."""
    attributes = msgspec.json.encode(difference.attributes)
    return {"table": table, **msgspec.structs.asdict(difference), "attributes": attributes}


def verification_of(row: sqlite3.Row) -> Verification:
    """The verification in `row`.

    :raises msgspec.MsgspecError: it is not understood
    """
    identity = msgspec.json.decode(row["identity"])
    return as_record(row_fields(row) | {"identity": identity}, Verification)


def segment_of(row: sqlite3.Row) -> ComparedSegment:
    """The segment in `row`."""
    flag = {"consistent_read": as_flag(row["consistent_read"])}
    return as_record(row_fields(row, "table") | flag, ComparedSegment)


def suspect_of(row: sqlite3.Row) -> Suspect:
    """The suspect in `row`."""
    flag = {"in_source": as_flag(row["in_source"])}
    return as_record(row_fields(row, "table") | flag, Suspect)


def difference_of(row: sqlite3.Row) -> Difference:
    """The difference in `row`."""
    attributes = msgspec.json.decode(row["attributes"])
    return as_record(
        row_fields(row, "table", "mended", "replaced") | {"attributes": attributes}, Difference
    )


def counters_of(row: sqlite3.Row) -> ComparisonCounters:
    """The counters in `row`."""
    return as_record(row_fields(row, "table", "matching", "settled_by_key"), ComparisonCounters)


def totals_of(row: sqlite3.Row, tally: dict[str, int]) -> ComparisonTotals:
    """The sums in `row`, with the number of differences by kind and of those repaired, by how."""
    if not tally.keys() <= set(ComparisonTotals.__struct_fields__):
        raise ValueError("a difference is of no kind that there is")
    flag = {"consistent_read": as_flag(row["consistent_read"])}
    return as_record(row_fields(row) | tally | flag, ComparisonTotals)
