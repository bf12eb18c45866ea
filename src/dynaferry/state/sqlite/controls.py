"""What was asked of a run and of its tables, in its state file.

The run's row is there from the start. The tables' are in a table of their own, which is made when
something is asked of one table for the first time: so the file of any other run stays what it was,
and an earlier dynaferry still reads it.
"""

import sqlite3
from typing import Final

import msgspec
from msgspec.structs import replace

from dynaferry.state.records import Controls, ControlsChange, TableControls, changed
from dynaferry.state.sqlite import events, schema
from dynaferry.state.sqlite.rows import as_record, row_fields

_MAKE: Final = """
    CREATE TABLE IF NOT EXISTS table_controls (
        target TEXT PRIMARY KEY,
        paused_at REAL,
        max_read_units,
        max_write_units,
        changed_at REAL
    )
"""
_IS_MADE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'table_controls'"
_SELECT: Final = "SELECT * FROM table_controls"
_PUT: Final = """
    INSERT OR REPLACE INTO table_controls
    VALUES (:target, :paused_at, :max_read_units, :max_write_units, :changed_at)
"""


def controls_in(connection: sqlite3.Connection) -> Controls:
    """All that was asked.

    :raises msgspec.MsgspecError: a row is not understood
    """
    controls = schema.controls_of(connection.execute(schema.SELECT_CONTROLS).fetchall()[0])
    if connection.execute(_IS_MADE).fetchone() is None:
        return controls
    rows = connection.execute(_SELECT).fetchall()
    return replace(controls, tables={_target_of(row): _of_table(row) for row in rows})


def store_change(
    connection: sqlite3.Connection, change: ControlsChange, now: float, by: str | None
) -> Controls:
    """Stores what `by` asks for beside what was, and returns it all. Within a transaction."""
    before = controls_in(connection)
    controls, target = changed(before, change, now), change.table
    if target is None:
        connection.execute(schema.UPDATE_CONTROLS, msgspec.structs.asdict(controls))
        events.add(connection, events.asked(before, controls, by, now))
        return controls
    connection.execute(_MAKE)
    of_table = controls.tables[target]
    connection.execute(_PUT, msgspec.structs.asdict(of_table) | {"target": target})
    was_asked = before.tables.get(target, TableControls())
    source = _source_of(connection, target)
    events.add(connection, events.asked(was_asked, of_table, by, now, source=source))
    return controls


def _source_of(connection: sqlite3.Connection, target: str) -> str:
    record = schema.run_of(connection.execute(schema.SELECT_RUN).fetchone())
    tables = record.settings.tables
    return next((each.source_name for each in tables if each.target_name == target), target)


def _target_of(row: sqlite3.Row) -> str:
    return msgspec.convert(row["target"], str)


def _of_table(row: sqlite3.Row) -> TableControls:
    return as_record(row_fields(row, "target"), TableControls)
