"""Tables that were added within a version: a file without them reads as if they were empty."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.state.directory import state_path
from dynaferry.state.sqlite.additions import ADDED_TABLES
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION, segment_record

RUN = "orders"


@pytest.fixture
async def without(tmp_path: Path) -> Path:
    """The file of a run that a dynaferry without these tables has begun."""
    store = await SqliteStore.create(tmp_path, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.aclose()
    path = state_path(tmp_path, RUN)
    with closing(sqlite3.connect(path)) as connection:
        for name in ADDED_TABLES:
            connection.execute(f"DROP TABLE {name}")
        connection.commit()
    return path


def added_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return [name for name in ADDED_TABLES if name in there]


async def test_who_only_looks_or_controls_finds_them_empty_and_makes_none(without: Path) -> None:
    for opens in (SqliteStore.open_for_reading, SqliteStore.open_to_control):
        store = await opens(without.parent, RUN)
        assert await store.read_table_attempts() == []
        await store.aclose()
    assert added_in(without) == []


async def test_they_are_made_when_an_attempt_begins(without: Path) -> None:
    store = await SqliteStore.open(without.parent, RUN)
    await store.end_attempt("interrupted", CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT + 1)
    await store.begin_table(1, CREATED_AT + 2)
    assert [each.table for each in await store.read_table_attempts()] == [1]
    await store.aclose()
    assert added_in(without) == list(ADDED_TABLES)


@pytest.mark.parametrize(
    "row",
    [
        "1, 7, 'running', 1.0, NULL, NULL, NULL, NULL",  # there is no such table
        "1, 0, 'asleep', 1.0, NULL, NULL, NULL, NULL",
        "1, 0, 'running', 'soon', NULL, NULL, NULL, NULL",
    ],
)
async def test_a_file_that_says_there_what_cannot_be_is_damaged(without: Path, row: str) -> None:
    store = await SqliteStore.open(without.parent, RUN)
    await store.begin_attempt(VERSION, CREATED_AT + 1)
    await store.checkpoint(0, [segment_record(1)], await store.read_counters(0))
    await store.aclose()
    with closing(sqlite3.connect(without)) as connection:
        connection.execute(f"INSERT INTO table_attempts VALUES ({row})")  # noqa: S608
        connection.commit()
    with pytest.raises(StateError, match="is damaged"):
        await SqliteStore.open(without.parent, RUN)
