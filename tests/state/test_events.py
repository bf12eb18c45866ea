"""Events in files that know none yet, and in runs that have very many."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.state.directory import state_path
from dynaferry.state.sqlite.events import MOST_EVENTS
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION, an_event

RUN = "orders"


@pytest.fixture
async def store(tmp_path: Path) -> SqliteStore:
    return await SqliteStore.create(tmp_path, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)


async def test_a_file_without_events_tells_of_its_attempts(
    tmp_path: Path, store: SqliteStore
) -> None:
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.aclose()
    with closing(sqlite3.connect(state_path(tmp_path, RUN))) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'events'")
        assert tables.fetchall() == []
    read = await SqliteStore.open_for_reading(tmp_path, RUN)
    assert await read.read_events() == [an_event("started", 0)]
    await read.aclose()


async def test_of_very_many_the_newest_are_kept(store: SqliteStore) -> None:
    for hundred in range(0, MOST_EVENTS + 300, 100):
        await store.add_events([an_event("limits", hundred + each) for each in range(100)])
    kept = await store.read_events()
    assert len(kept) == MOST_EVENTS
    assert kept[-1] == an_event("limits", MOST_EVENTS + 299)
    await store.aclose()


async def test_events_that_are_none_are_damage_and_not_read(
    tmp_path: Path, store: SqliteStore
) -> None:
    await store.add_events([an_event("limits", 1)])
    await store.aclose()
    with closing(sqlite3.connect(state_path(tmp_path, RUN))) as connection:
        connection.execute("UPDATE events SET kind = 'a party'")
        connection.commit()
    read = await SqliteStore.open_for_reading(tmp_path, RUN)
    with pytest.raises(StateError, match="damaged"):
        await read.read_events()
    await read.aclose()
