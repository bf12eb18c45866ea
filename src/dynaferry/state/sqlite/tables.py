"""The tables of a run as its plan changes: some join, and what was stored of some is forgotten."""

import sqlite3
from collections.abc import Collection
from typing import Final

import msgspec

from dynaferry.plan.recorded import RecordedSettings
from dynaferry.state.records import TOTAL_PROGRESS, RunIdentity
from dynaferry.state.sqlite import schema, table_attempts
from dynaferry.state.sqlite.additions import has_table

_KEEP: Final = "UPDATE run SET identity = :identity, settings = :settings"
_PROGRESS: Final = "progress"
_COUNT: Final = 'SELECT COUNT(*) FROM "tables"'
# What refers to a table of the run goes before it does.
_STORED_OF_A_TABLE: Final = ("segments", "dead_letters", "samples", table_attempts.NAME, "tables")


def keep(
    connection: sqlite3.Connection,
    *,
    identity: RunIdentity,
    settings: RecordedSettings,
    anew: Collection[int],
) -> None:
    """Stores them in the place of what is there. To be called within a transaction."""
    parts = {"identity": identity, "settings": settings}
    connection.execute(_KEEP, {name: msgspec.json.encode(part) for name, part in parts.items()})
    (known,) = connection.execute(_COUNT).fetchone()
    for number in anew:
        _forget(connection, number)
    if anew or known < len(identity.tables):
        # There is more to do than the total has shown.
        _forget_progress(connection, TOTAL_PROGRESS)
    schema.insert_tables(connection, (*anew, *range(known, len(identity.tables))))


def _forget_progress(connection: sqlite3.Connection, number: int) -> None:
    if has_table(connection, _PROGRESS):
        connection.execute(f'DELETE FROM {_PROGRESS} WHERE "table" = ?', (number,))  # noqa: S608


def _forget(connection: sqlite3.Connection, number: int) -> None:
    _forget_progress(connection, number)
    for name in _STORED_OF_A_TABLE:
        if has_table(connection, name):
            connection.execute(f'DELETE FROM {name} WHERE "table" = ?', (number,))  # noqa: S608
