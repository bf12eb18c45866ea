"""What cannot be true of a state file: such a file is damaged, and nothing goes on from it.

SQLite says whether its pages are whole, not whether what they hold makes sense: a bit that fell
over in a number, a file that was put together by hand. Each of these looks is within one
transaction, so that a run under way is seen at one moment, and gives what is wrong, or None.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Final

import msgspec

from dynaferry.errors import PlanError
from dynaferry.plan.schedule import check_limits
from dynaferry.state.records import (
    MOST_EPOCH_SECONDS,
    RunRecord,
)
from dynaferry.state.sqlite import move_schema, schema, table_attempts
from dynaferry.state.sqlite.additions import ADDED_TABLES, has_table
from dynaferry.state.sqlite.controls import controls_in

# What reading a row raises that does not hold what it should.
NOT_UNDERSTOOD: Final = (
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RecursionError,
)

# What is acknowledged of a segment adds up, and only a whole segment has no key to go on from.
_ODD_SEGMENT: Final = """
    SELECT segment FROM segments WHERE "table" = :table AND NOT (
        typeof(segment) = 'integer' AND segment >= 0 AND segment < :total
        AND typeof(pages) = 'integer' AND pages >= 0
        AND typeof(complete) = 'integer' AND complete IN (0, 1)
        AND typeof(last_evaluated_key) IN ('null', 'blob')
        AND (last_evaluated_key IS NULL) = (complete = 1 OR pages = 0)
        AND (pages > 0 OR (complete = 0 AND items_read = 0))
        AND typeof(items_read) = 'integer'
        AND typeof(items_written) = 'integer' AND items_written >= 0
        AND typeof(items_rejected) = 'integer' AND items_rejected >= 0
        AND typeof(items_filtered) = 'integer' AND items_filtered >= 0
        AND typeof(bytes_read) = 'integer' AND bytes_read >= 0
        AND items_read = items_written + items_rejected + items_filtered
    ) LIMIT 1
"""
_ODD_LETTER: Final = """
    SELECT segment FROM dead_letters WHERE "table" = :table AND NOT (
        typeof(segment) = 'integer' AND segment >= 0 AND segment < :total
        AND typeof(page) = 'integer' AND page >= 0
        AND typeof(key) = 'blob' AND typeof(item) = 'blob'
        AND typeof(error_code) = 'text' AND typeof(error_message) = 'text'
        AND typeof(time) = 'real' AND time >= 0 AND time <= :latest
    ) LIMIT 1
"""
# A letter counts once its page is acknowledged.
_ODD_NUMBER_OF_LETTERS: Final = """
    SELECT segment, items_rejected, (
        SELECT COUNT(*) FROM dead_letters WHERE dead_letters."table" = segments."table"
            AND dead_letters.segment = segments.segment AND dead_letters.page < segments.pages
    ) AS kept
    FROM segments WHERE "table" = ? AND items_rejected <> kept LIMIT 1
"""
_OF_NO_TABLE: Final = """
    SELECT 1 FROM {name} WHERE typeof("table") <> 'integer' OR "table" < 0 OR "table" >= ? LIMIT 1
"""
_ATTEMPTS: Final = "SELECT COUNT(*) AS number, COALESCE(MAX(attempt), 0) AS last FROM attempts"


def fault_of_structure(
    connection: sqlite3.Connection, statements: Iterable[str], optional: Collection[str] = ()
) -> str | None:
    """What of the tables that `statements` make is not there, or what is there beside them.

    `optional` are columns that files of earlier versions lack.
    """
    columns = _columns_made_by(statements)
    objects = connection.execute("SELECT type, name, rootpage FROM sqlite_master").fetchall()
    for kind, name, root in objects:
        if kind not in ("table", "index") or not root:
            return f"it holds what dynaferry does not make, the {kind} {name}"
    there = {name for kind, name, _ in objects if kind == "table"}
    for table, wanted in columns.items():
        if table not in there:
            return f"its table {table} is missing"
        found = {row["name"] for row in connection.execute(f'PRAGMA table_info("{table}")')}
        missing = wanted - found - set(optional)
        if missing:
            return f"its table {table} lacks {', '.join(sorted(missing))}"
    return None


def _columns_made_by(statements: Iterable[str]) -> Mapping[str, set[str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.execute(statement)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: {row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')}
            for (name,) in tables.fetchall()
        }


def fault_of_run(connection: sqlite3.Connection) -> str | None:
    """What cannot be true of the state file of a copy."""
    is_move = move_schema.has_move(connection)
    added = [name for name in ADDED_TABLES if has_table(connection, name)]
    statements = (
        *schema.TABLES,
        *(move_schema.MOVE_TABLES if is_move else ()),
        *(ADDED_TABLES[name] for name in added),
    )
    fault = fault_of_structure(connection, statements)
    if fault is not None:
        return fault
    try:
        record = schema.run_of(only_row(connection, schema.SELECT_RUN))
        only_row(connection, schema.SELECT_CONTROLS)
        controls_in(connection)
        check_limits(record.settings.limits, str)
        fault = move_schema.fault_of_move(connection) if is_move else None
        attempts = [schema.attempt_of(row) for row in connection.execute(schema.SELECT_ATTEMPTS)]
        if table_attempts.NAME in added:
            for row in connection.execute(table_attempts.SELECT):
                table_attempts.table_attempt_of(row)
    except (*NOT_UNDERSTOOD, PlanError) as error:
        return f"what it says of its run is not understood: {error}"
    if fault is not None:
        return fault
    numbers = [attempt.attempt for attempt in attempts]
    if numbers != list(range(1, record.attempts + 1)):
        return f"it counts {record.attempts} attempts and reports {len(numbers)}"
    return _fault_of_tables(connection, record)


def only_row(connection: sqlite3.Connection, query: str) -> sqlite3.Row:
    """The one row that a query gives.

    :raises ValueError: it gives none, or several
    """
    rows: Sequence[sqlite3.Row] = connection.execute(query).fetchmany(2)
    if len(rows) != 1:
        raise ValueError(f"there should be one row of {query.rpartition(' ')[2]}")
    return rows[0]


def _fault_of_tables(connection: sqlite3.Connection, record: RunRecord) -> str | None:
    tables = record.identity.tables
    if len(record.settings.tables) != len(tables):
        return "its settings are of another number of tables"
    about_tables = ("tables", "segments", "dead_letters", "samples")
    added = (name for name in (table_attempts.NAME,) if has_table(connection, name))
    for name in (*about_tables, *added):
        if is_of_no_table(connection, name, len(tables)):
            return f"its {name} name a table that it does not have"
    for index, table in enumerate(tables):
        # What has left the run has no part in how that stands.
        status = record.status if table.left_at is None else "interrupted"
        fault = _fault_of_table(connection, index, table.total_segments, status)
        if fault is not None:
            return f"{fault} (table {index + 1}, {table.source_arn})"
    return None


def is_of_no_table(connection: sqlite3.Connection, name: str, tables: int) -> bool:
    """Whether a row of a table of the file names a table of the run that there is not."""
    return connection.execute(_OF_NO_TABLE.format(name=name), (tables,)).fetchone() is not None


def _fault_of_table(
    connection: sqlite3.Connection, table: int, total: int, status: str
) -> str | None:
    asked = {"table": table, "total": total, "latest": MOST_EPOCH_SECONDS}
    odd = connection.execute(_ODD_SEGMENT, asked).fetchone()
    if odd is not None:
        return f"what it says of the segment {odd['segment']} does not add up"
    odd = connection.execute(_ODD_LETTER, asked).fetchone()
    if odd is not None:
        return f"a dead letter of the segment {odd['segment']} is none"
    odd = connection.execute(_ODD_NUMBER_OF_LETTERS, (table,)).fetchone()
    if odd is not None:
        return (
            f"the segment {odd['segment']} counts {odd['items_rejected']} rejected items and has "
            f"{odd['kept']} dead letters"
        )
    try:
        counters = connection.execute(schema.SELECT_COUNTERS, (table,)).fetchone()
        schema.counters_of(counters)
        totals = schema.totals_of(connection.execute(schema.SELECT_TOTALS, (table,)).fetchone())
    except NOT_UNDERSTOOD as error:
        return f"its counters are not understood: {error}"
    if status in ("complete", "rejected") and totals.segments_complete != total:
        return f"it is {status} with {totals.segments_complete} of {total} segments"
    if status == "complete" and totals.items_rejected:
        return f"it is complete with {totals.items_rejected} rejected items"
    return None
