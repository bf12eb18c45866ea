"""From a row to a record: SQLite takes anything in any column, so each field is looked at."""

import sqlite3
from typing import Any, TypeVar

import msgspec

_Record = TypeVar("_Record")


def row_fields(row: sqlite3.Row, *without: str) -> dict[str, Any]:
    """The columns of `row` by name, all but `without`."""
    return {name: row[name] for name in row.keys() if name not in without}  # noqa: SIM118


def as_record(fields: dict[str, Any], kind: type[_Record]) -> _Record:
    """The record with these fields, each looked at: SQLite takes anything in any column.

    :raises msgspec.MsgspecError: they are not those of such a record
    """
    return msgspec.convert(fields, kind, builtin_types=(bytes,))


def as_flag(value: object) -> bool:
    """What is stored as 0 or 1.

    :raises ValueError: it is neither
    """
    if value not in (0, 1):
        raise ValueError(f"{value!r} is neither 0 nor 1")
    return bool(value)
