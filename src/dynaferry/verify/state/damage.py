"""The damage that a verification's state file may show."""

import sqlite3
from typing import Final

from dynaferry.state.sqlite.damage import (
    NOT_UNDERSTOOD,
    fault_of_structure,
    is_of_no_table,
    only_row,
)
from dynaferry.verify.state import schema

_ODD_SEGMENT: Final = """
    SELECT segment FROM segments WHERE "table" = ? AND NOT (
        typeof(segment) = 'integer' AND segment >= 0 AND segment < ?)
    LIMIT 1
"""
_ODD_SUSPECT: Final = """
    SELECT segment FROM suspects WHERE "table" = ? AND NOT (
        typeof(segment) = 'integer' AND segment >= 0 AND segment < ?
        AND typeof(key) = 'blob' AND typeof(seen_at) = 'real')
    LIMIT 1
"""
_ODD_DIFFERENCE: Final = """
    SELECT 1 FROM differences WHERE "table" = ? AND NOT (
        typeof(key) = 'blob'
        AND kind IN ('missing', 'extra', 'different', 'rejected', 'in_flux')
        AND (mended IS NULL OR mended IN ('written', 'deleted', 'agreed')))
    LIMIT 1
"""


def fault_of_verification(connection: sqlite3.Connection) -> str | None:
    """What cannot be true of the file, in words; None where nothing is wrong."""
    added = {column for _, column, _ in schema.ADDED}
    fault = fault_of_structure(connection, schema.TABLES, optional=added)
    if fault is not None:
        return fault
    try:
        record = schema.verification_of(only_row(connection, schema.SELECT_RUN))
    except NOT_UNDERSTOOD as error:
        return f"what it says of its run is not understood: {error}"
    for name in ("tables", "segments", "suspects", "differences"):
        if is_of_no_table(connection, name, len(record.identity.tables)):
            return f"its {name} name a table that it does not have"
    for index, table in enumerate(record.identity.tables):
        fault = _fault_of_table(connection, index, table.total_segments)
        if fault is not None:
            return f"{fault} (table {index + 1}, {table.source_arn})"
    return None


def _fault_of_table(connection: sqlite3.Connection, table: int, total: int) -> str | None:
    for what, query in (("segment", _ODD_SEGMENT), ("suspect", _ODD_SUSPECT)):
        if connection.execute(query, (table, total)).fetchone() is not None:
            return f"a {what} is none"
    if connection.execute(_ODD_DIFFERENCE, (table,)).fetchone() is not None:
        return "a difference is none"
    counters = connection.execute(schema.SELECT_COUNTERS, (table,)).fetchone()
    if counters is None:
        return "its counters are missing"
    try:
        schema.counters_of(counters)
    except NOT_UNDERSTOOD as error:
        return f"its counters are not understood: {error}"
    return None
