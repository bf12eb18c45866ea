"""The events in a state file: what happened to a run, when, and who asked for it.

The table is made with the first event, in a file of whichever version: nobody else reads it. When
an attempt began and ended the file tells anyway, so that is not stored twice.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from dynaferry.observe.events import EventKind, RunEvent
from dynaferry.plan.schedule import Units
from dynaferry.state.records import AttemptRecord, TableControls
from dynaferry.state.sqlite import schema
from dynaferry.state.sqlite.rows import as_flag, as_record, row_fields

# The newest ones are kept, so that a run of months stays small.
MOST_EVENTS: Final = 2_000

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS events (
        number INTEGER PRIMARY KEY,
        time REAL NOT NULL,
        kind TEXT NOT NULL,
        source TEXT,
        "by" TEXT,
        detail TEXT,
        paused INTEGER NOT NULL,
        read_cap_units REAL,
        write_cap_units REAL
    )
"""
_IS_THERE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'events'"
_INSERT: Final = """
    INSERT INTO events VALUES (NULL, :time, :kind, :source, :by, :detail, :paused,
        :read_cap_units, :write_cap_units)
"""
_DROP_THE_OLDEST: Final = """
    DELETE FROM events WHERE number <= (SELECT MAX(number) FROM events) - ?
"""
_SELECT: Final = "SELECT * FROM events ORDER BY number"


def add(connection: sqlite3.Connection, events: Sequence[RunEvent]) -> None:
    """Stores events behind those that are there. To be called within a transaction."""
    if events:
        connection.execute(_TABLE)
        connection.executemany(_INSERT, map(msgspec.structs.asdict, events))
        connection.execute(_DROP_THE_OLDEST, (MOST_EVENTS,))


def read(connection: sqlite3.Connection) -> list[RunEvent]:
    """The events by their time, those of the attempts among them."""
    attempts = [schema.attempt_of(row) for row in connection.execute(schema.SELECT_ATTEMPTS)]
    found = [event for attempt in attempts for event in _of_attempt(attempt)]
    if connection.execute(_IS_THERE).fetchone() is not None:
        found += [_event_of(row) for row in connection.execute(_SELECT)]
    return sorted(found, key=lambda event: event.time)


def asked(
    before: TableControls,
    after: TableControls,
    by: str | None,
    now: float,
    *,
    source: str | None = None,
) -> list[RunEvent]:
    """The events of a change of the controls that `by` asked for, of a run or of one table."""
    found = []
    if (before.paused_at is None) != (after.paused_at is None):
        kind: EventKind = "paused" if after.paused_at is not None else "resumed"
        found.append(RunEvent(time=now, kind=kind, source=source, by=by))
    caps = [
        f"{verb} {_in_words(to)}"
        for verb, since, to in (
            ("writes", before.max_write_units, after.max_write_units),
            ("reads", before.max_read_units, after.max_read_units),
        )
        if since != to
    ]
    if caps:
        found.append(RunEvent(time=now, kind="set", source=source, by=by, detail=", ".join(caps)))
    return found


def _in_words(units: Units | None) -> str:
    if units is None:
        return "as planned"
    return "without a limit" if units == "none" else f"at most {units:,g} units/s"


def _of_attempt(attempt: AttemptRecord) -> list[RunEvent]:
    detail = f"attempt {attempt.attempt}" if attempt.attempt > 1 else None
    found = [RunEvent(time=attempt.started_at, kind="started", detail=detail)]
    if attempt.ended_at is not None:
        error = f": {attempt.error_message}" if attempt.error_message else ""
        found.append(
            RunEvent(time=attempt.ended_at, kind="ended", detail=f"{attempt.status}{error}")
        )
    return found


def _event_of(row: sqlite3.Row) -> RunEvent:
    fields = row_fields(row, "number") | {"paused": as_flag(row["paused"])}
    return as_record(fields, RunEvent)
