"""Files of an earlier version: stepped up by who goes on with the run, and left alone by others."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.state.directory import state_path
from dynaferry.state.identity import check_identity
from dynaferry.state.records import (
    SCHEMA_VERSION,
    RunIdentity,
)
from dynaferry.state.sqlite import schema
from dynaferry.state.sqlite.ladder import Ladder, version_of
from dynaferry.state.sqlite.run_file import RunFile
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import (
    CREATED_AT,
    IDENTITY,
    SETTINGS,
    VERSION,
    counters,
    segment_record,
)

RUN = "orders"
EARLIER = SCHEMA_VERSION - 1
# What the version before had not: its file is one of today's without it.
STEP = [statement for statement in schema.TABLES if "CREATE TABLE controls" in statement]
LADDER = Ladder(SCHEMA_VERSION, {EARLIER: (*STEP, "INSERT INTO controls DEFAULT VALUES")})


@pytest.fixture
async def earlier(tmp_path: Path) -> Path:
    """The file of a run that an earlier version has begun."""
    before = RunIdentity(tables=IDENTITY.tables, schema_version=EARLIER)
    store = await SqliteStore.create(tmp_path, RUN, before, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.checkpoint(0, [segment_record(1)], counters())
    await store.aclose()
    path = state_path(tmp_path, RUN)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE controls")
        connection.execute(f"PRAGMA user_version = {EARLIER}")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFile, "ladder", LADDER)


def version_in(path: Path) -> int:
    """The version in the file itself, without its log."""
    return int.from_bytes(path.read_bytes()[60:64], "big")


@pytest.mark.usefixtures("a_step")
async def test_a_file_of_an_earlier_version_is_stepped_up_and_its_run_goes_on(
    earlier: Path,
) -> None:
    store = await SqliteStore.open(earlier.parent, RUN)
    check_identity((await store.read_run()).identity, IDENTITY, run=RUN)
    assert await store.read_segments(0) == [segment_record(1)]
    assert await store.read_counters(0) == counters()
    assert (await store.read_controls()).changed_at is None
    await store.begin_attempt(VERSION, CREATED_AT + 1)
    await store.checkpoint(0, [segment_record(2)], counters())
    await store.aclose()
    assert version_in(earlier) == SCHEMA_VERSION
    again = await SqliteStore.open(earlier.parent, RUN)
    assert len(await again.read_segments(0)) == 2
    assert (await again.read_run()).attempts == 2
    await again.aclose()


@pytest.mark.usefixtures("a_step")
async def test_who_only_reads_sees_a_file_of_an_earlier_version_and_leaves_it_as_it_is(
    earlier: Path,
) -> None:
    before = earlier.read_bytes()
    store = await SqliteStore.open_for_reading(earlier.parent, RUN)
    assert await store.read_segments(0) == [segment_record(1)]
    assert (await store.read_controls()).paused_at is None
    await store.aclose()
    with pytest.raises(StateError, match="is of an older dynaferry"):
        await SqliteStore.open_to_control(earlier.parent, RUN)
    assert earlier.read_bytes() == before


@pytest.mark.usefixtures("a_step")
async def test_a_file_of_an_earlier_version_is_set_aside_as_it_is(earlier: Path) -> None:
    before = earlier.read_bytes()
    aside = await SqliteStore.set_aside(earlier.parent, RUN, CREATED_AT)
    assert aside.read_bytes() == before


async def test_a_file_that_no_step_leads_from_is_refused_and_left_as_it_is(earlier: Path) -> None:
    before = earlier.read_bytes()
    for look in (SqliteStore.open, SqliteStore.open_for_reading):
        with pytest.raises(StateError, match="is of an older dynaferry"):
            await look(earlier.parent, RUN)
    assert earlier.read_bytes() == before


async def test_a_file_of_a_later_version_is_refused_and_left_as_it_is(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunFile, "ladder", Ladder(EARLIER - 1))
    before = earlier.read_bytes()
    for look in (SqliteStore.open, SqliteStore.open_for_reading, SqliteStore.open_to_control):
        with pytest.raises(StateError, match="is of a newer dynaferry"):
            await look(earlier.parent, RUN)
    assert earlier.read_bytes() == before


@pytest.mark.parametrize("step", ["CREATE TABLE run (a)", "DROP TABLE samples"])
async def test_a_step_that_fails_or_makes_what_cannot_be_leaves_the_file_as_it_is(
    earlier: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (*LADDER.steps[EARLIER], step)
    monkeypatch.setattr(RunFile, "ladder", Ladder(SCHEMA_VERSION, {EARLIER: steps}))
    before = earlier.read_bytes()
    with pytest.raises(StateError):
        await SqliteStore.open(earlier.parent, RUN)
    assert earlier.read_bytes() == before


def test_every_step_is_taken_in_order() -> None:
    ladder = Ladder(4, {2: ("CREATE TABLE b (a)",), 3: ("DROP TABLE b",)})
    assert [ladder.leads_from(version) for version in (1, 2, 3, 4)] == [False, True, True, True]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE run (run, identity)")
        connection.execute("PRAGMA user_version = 2")
        ladder.climb(connection)
        assert version_of(connection) == 4
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("run",)]
