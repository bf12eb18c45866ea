"""The tables of a state file, and how records become rows and rows records.

`PRAGMA application_id` says that a file is dynaferry's, `PRAGMA user_version` which version of
these tables it holds. Both are in the first 100 bytes, so that a file can be told apart without
opening it as a database [https://www.sqlite.org/fileformat.html#the_database_header].
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from dynaferry.state.records import (
    SCHEMA_VERSION,
    AttemptRecord,
    Controls,
    DeadLetter,
    LetterCount,
    RunRecord,
    Sample,
    SegmentRecord,
    TableCounters,
    TableTotals,
)
from dynaferry.state.sqlite.additions import make_tables
from dynaferry.state.sqlite.rows import as_flag, as_record, row_fields

APPLICATION_ID: Final = 0x64667279  # "dfry"
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# What a run of any kind says of its attempts.
ATTEMPT_COLUMNS: Final = """
        version TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        created_at REAL NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        error_type TEXT,
        error_message TEXT,
        error_hint TEXT
"""

# A segment has a row once something of it is acknowledged; a table has one from the start.
TABLES: Final = (
    f"""
    CREATE TABLE run (
        run TEXT PRIMARY KEY,
        identity BLOB NOT NULL,
        settings BLOB NOT NULL,
        {ATTEMPT_COLUMNS}
    )
    """,
    """
    CREATE TABLE tables (
        "table" INTEGER PRIMARY KEY,
        read_units REAL NOT NULL,
        write_units REAL NOT NULL,
        throttled_requests INTEGER NOT NULL,
        retried_requests INTEGER NOT NULL,
        unprocessed_items INTEGER NOT NULL,
        dollars REAL NOT NULL,
        throttles BLOB NOT NULL,
        bottleneck TEXT,
        throttled_at REAL,
        checkpointed_at REAL
    )
    """,
    """
    CREATE TABLE segments (
        "table" INTEGER NOT NULL REFERENCES tables,
        segment INTEGER NOT NULL,
        pages INTEGER NOT NULL,
        last_evaluated_key BLOB,
        complete INTEGER NOT NULL,
        items_read INTEGER NOT NULL,
        items_written INTEGER NOT NULL,
        items_rejected INTEGER NOT NULL,
        items_filtered INTEGER NOT NULL,
        bytes_read INTEGER NOT NULL,
        PRIMARY KEY ("table", segment)
    )
    """,
    """
    CREATE TABLE dead_letters (
        "table" INTEGER NOT NULL REFERENCES tables,
        segment INTEGER NOT NULL,
        page INTEGER NOT NULL,
        key BLOB NOT NULL,
        item BLOB NOT NULL,
        error_code TEXT NOT NULL,
        error_message TEXT NOT NULL,
        time REAL NOT NULL,
        PRIMARY KEY ("table", segment, key)
    )
    """,
    """
    CREATE TABLE samples (
        number INTEGER PRIMARY KEY,
        "table" INTEGER NOT NULL REFERENCES tables,
        time REAL NOT NULL,
        items_written INTEGER NOT NULL,
        bytes_read INTEGER NOT NULL,
        read_units REAL NOT NULL,
        write_units REAL NOT NULL,
        throttled_requests INTEGER NOT NULL,
        read_limit_units REAL,
        write_limit_units REAL
    )
    """,
    """
    CREATE TABLE attempts (
        attempt INTEGER PRIMARY KEY,
        version TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        status TEXT NOT NULL,
        error_message TEXT
    )
    """,
    # One row, from the start. A cap is a number, the word none, or nothing.
    """
    CREATE TABLE controls (
        paused_at REAL,
        max_read_units,
        max_write_units,
        changed_at REAL
    )
    """,
    'CREATE INDEX samples_of_a_table ON samples ("table")',
)

_INSERT_RUN: Final = """
    INSERT INTO run VALUES (:run, :identity, :settings, :version, :status, :attempts,
        :created_at, :started_at, :ended_at, :error_type, :error_message, :error_hint)
"""

_INSERT_TABLE: Final = """
    INSERT INTO tables VALUES (:table, :read_units, :write_units, :throttled_requests,
        :retried_requests, :unprocessed_items, :dollars, :throttles, :bottleneck,
        :throttled_at, NULL)
"""

UPDATE_COUNTERS: Final = """
    UPDATE tables SET read_units = :read_units, write_units = :write_units,
        throttled_requests = :throttled_requests, retried_requests = :retried_requests,
        unprocessed_items = :unprocessed_items, dollars = :dollars,
        throttles = :throttles, bottleneck = :bottleneck, throttled_at = :throttled_at,
        checkpointed_at = :now
    WHERE "table" = :table
"""

PUT_SEGMENT: Final = """
    INSERT OR REPLACE INTO segments VALUES (:table, :segment, :pages, :last_evaluated_key,
        :complete, :items_read, :items_written, :items_rejected, :items_filtered, :bytes_read)
"""

PUT_DEAD_LETTER: Final = """
    INSERT OR REPLACE INTO dead_letters VALUES (:table, :segment, :page, :key, :item,
        :error_code, :error_message, :time)
"""

# What a replay settles, each statement for one letter or one segment.
DELETE_DEAD_LETTER: Final = """
    DELETE FROM dead_letters WHERE "table" = :table AND segment = :segment AND key = :key
"""
UPDATE_REFUSAL: Final = """
    UPDATE dead_letters SET error_code = :error_code, error_message = :error_message, time = :time
    WHERE "table" = :table AND segment = :segment AND key = :key
"""
COUNT_REJECTED_AS_WRITTEN: Final = """
    UPDATE segments SET items_rejected = items_rejected - 1, items_written = items_written + 1
    WHERE "table" = :table AND segment = :segment
"""
UPDATE_WRITE_COUNTERS: Final = """
    UPDATE tables SET write_units = :write_units, throttled_requests = :throttled_requests,
        retried_requests = :retried_requests, throttles = :throttles, dollars = :dollars
    WHERE "table" = :table
"""
COMPLETE_WITHOUT_DEAD_LETTERS: Final = """
    UPDATE run SET status = 'complete'
    WHERE status = 'rejected' AND NOT EXISTS (SELECT 1 FROM dead_letters)
"""

DROP_DEAD_LETTERS_BEYOND_THE_WATERMARKS: Final = """
    DELETE FROM dead_letters WHERE page >= COALESCE(
        (SELECT pages FROM segments WHERE segments."table" = dead_letters."table"
            AND segments.segment = dead_letters.segment),
        0)
"""

INSERT_SAMPLE: Final = """
    INSERT INTO samples VALUES (NULL, :table, :time, :items_written, :bytes_read, :read_units,
        :write_units, :throttled_requests, :read_limit_units, :write_limit_units)
"""

BEGIN_ATTEMPT: Final = """
    UPDATE run SET status = 'running', attempts = attempts + 1, version = :version,
        started_at = :now, ended_at = NULL,
        error_type = NULL, error_message = NULL, error_hint = NULL
"""

NOTE_ATTEMPT: Final = """
    INSERT INTO attempts SELECT attempts, version, started_at, NULL, status, NULL FROM run
"""

NOTE_END_OF_ATTEMPT: Final = """
    UPDATE attempts SET ended_at = :now, status = :status, error_message = :message
    WHERE attempt = (SELECT attempts FROM run)
"""

END_ATTEMPT: Final = """
    UPDATE run SET status = :status, ended_at = :now,
        error_type = :type, error_message = :message, error_hint = :hint
"""

SELECT_CONTROLS: Final = "SELECT * FROM controls"

UPDATE_CONTROLS: Final = """
    UPDATE controls SET paused_at = :paused_at, max_read_units = :max_read_units,
        max_write_units = :max_write_units, changed_at = :changed_at
"""

SELECT_RUN: Final = """
    SELECT *, (SELECT MAX(checkpointed_at) FROM tables) AS checkpointed_at FROM run
"""

SELECT_TOTALS: Final = """
    SELECT COALESCE(SUM(complete), 0) AS segments_complete,
        COALESCE(SUM(items_read), 0) AS items_read,
        COALESCE(SUM(items_written), 0) AS items_written,
        COALESCE(SUM(items_rejected), 0) AS items_rejected,
        COALESCE(SUM(items_filtered), 0) AS items_filtered,
        COALESCE(SUM(bytes_read), 0) AS bytes_read
    FROM segments WHERE "table" = ?
"""

SELECT_SEGMENTS: Final = 'SELECT * FROM segments WHERE "table" = ? ORDER BY segment'
SELECT_COUNTERS: Final = 'SELECT * FROM tables WHERE "table" = ?'
# In the order of the primary key, and CROSS JOIN keeps it: each page is a look into the index.
SELECT_COUNTED_DEAD_LETTERS: Final = """
    SELECT dead_letters.* FROM dead_letters CROSS JOIN segments
        ON segments."table" = dead_letters."table" AND segments.segment = dead_letters.segment
    WHERE dead_letters."table" = ? AND (dead_letters.segment, dead_letters.key) > (?, ?)
        AND dead_letters.page < segments.pages
    ORDER BY dead_letters.segment, dead_letters.key LIMIT ?
"""
COUNT_DEAD_LETTERS: Final = """
    SELECT error_code, error_message, COUNT(*) AS items FROM dead_letters WHERE "table" = ?
    GROUP BY error_code, error_message ORDER BY items DESC, error_code, error_message LIMIT ?
"""
SELECT_ATTEMPTS: Final = "SELECT * FROM attempts ORDER BY attempt"
SELECT_SAMPLES: Final = 'SELECT * FROM samples WHERE "table" = ? ORDER BY number DESC LIMIT ?'


def write_new_run(connection: sqlite3.Connection, record: RunRecord) -> None:
    """Makes the tables and writes the run into them. To be called within a transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for statement in TABLES:
        connection.execute(statement)
    make_tables(connection)
    connection.execute(
        _INSERT_RUN,
        {
            **msgspec.structs.asdict(record),
            "identity": msgspec.json.encode(record.identity),
            "settings": msgspec.json.encode(record.settings),
        },
    )
    connection.execute("INSERT INTO controls VALUES (NULL, NULL, NULL, NULL)")
    insert_tables(connection, range(len(record.identity.tables)))


def insert_tables(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Adds tables of which nothing is stored yet."""
    connection.executemany(_INSERT_TABLE, (counters_row(n, TableCounters()) for n in numbers))


def counters_row(table: int, counters: TableCounters) -> dict[str, Any]:
    """The row of `counters`."""
    throttles = msgspec.json.encode(counters.throttles)
    return {"table": table, **msgspec.structs.asdict(counters), "throttles": throttles}


def segment_row(table: int, segment: SegmentRecord) -> dict[str, Any]:
    """The row of `segment`."""
    return {"table": table, **msgspec.structs.asdict(segment)}


def run_of(row: sqlite3.Row) -> RunRecord:
    """The run in `row`.

    :raises msgspec.MsgspecError: it is not understood
    """
    parts = {name: msgspec.json.decode(row[name]) for name in ("identity", "settings")}
    return as_record(row_fields(row) | parts, RunRecord)


def segment_of(row: sqlite3.Row) -> SegmentRecord:
    """The segment in `row`."""
    return as_record(
        row_fields(row, "table") | {"complete": as_flag(row["complete"])}, SegmentRecord
    )


def counters_of(row: sqlite3.Row) -> TableCounters:
    """The counters in `row`."""
    throttles = msgspec.json.decode(row["throttles"])
    fields = row_fields(row, "table", "checkpointed_at") | {"throttles": throttles}
    return as_record(fields, TableCounters)


def totals_of(row: sqlite3.Row) -> TableTotals:
    """The sums in `row`."""
    return as_record(row_fields(row), TableTotals)


def dead_letter_of(row: sqlite3.Row) -> DeadLetter:
    """The dead letter in `row`."""
    return as_record(row_fields(row), DeadLetter)


def whole_letter_of(row: sqlite3.Row) -> DeadLetter:
    """The dead letter in `row`, whose key and item are JSON objects."""
    letter = dead_letter_of(row)
    _decode_object(letter.key)
    _decode_object(letter.item)
    return letter


def letter_count_of(row: sqlite3.Row) -> LetterCount:
    """The count in `row`."""
    return as_record(row_fields(row), LetterCount)


def attempt_of(row: sqlite3.Row) -> AttemptRecord:
    """The attempt in `row`."""
    return as_record(row_fields(row), AttemptRecord)


def controls_of(row: sqlite3.Row) -> Controls:
    """The controls in `row`."""
    return as_record(row_fields(row), Controls)


def sample_of(row: sqlite3.Row) -> Sample:
    """The sample in `row`."""
    return as_record(row_fields(row, "number"), Sample)
