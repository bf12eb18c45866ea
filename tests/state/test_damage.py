"""Files that SQLite finds whole, and that cannot be true."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from dynaferry.errors import StateError
from dynaferry.state.directory import state_path
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import (
    CREATED_AT,
    IDENTITY,
    SETTINGS,
    VERSION,
    counters,
    dead_letter,
    sample,
    segment_record,
)

RUN = "orders"


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """An interrupted run of two tables; two of its letters count, and one does not yet."""
    store = await SqliteStore.create(tmp_path, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    segments = [
        segment_record(1, rejected=2),
        segment_record(2, complete=True),
        replace(segment_record(3, pages=0), last_evaluated_key=None),
    ]
    letters = [dead_letter("a"), dead_letter("b"), dead_letter("beyond", page=7)]
    await store.add_dead_letters(letters)
    await store.checkpoint(0, segments, counters())
    await store.checkpoint(1, [segment_record(0)], counters())
    await store.add_sample(sample(1))
    await store.end_attempt("interrupted", CREATED_AT + 1)
    await store.aclose()
    return state_path(tmp_path, RUN)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def refused(path: Path) -> StateError:
    before = path.read_bytes()
    errors = []
    for look in (SqliteStore.open, SqliteStore.open_for_reading, SqliteStore.open_to_control):
        with pytest.raises(StateError) as caught:
            await look(path.parent, RUN)
        errors.append(caught.value)
    with pytest.raises(StateError, match="is damaged"):
        await SqliteStore.set_aside(path.parent, RUN, CREATED_AT)
    assert path.read_bytes() == before
    assert len({error.message for error in errors}) == 1
    return errors[0]


async def test_a_file_that_may_be_true_is_opened(path: Path) -> None:
    for look in (SqliteStore.open, SqliteStore.open_for_reading, SqliteStore.open_to_control):
        store = await look(path.parent, RUN)
        assert (await store.read_run()).attempts == 1
        await store.aclose()


SEGMENT_1 = "the segment 1 does not add up"
RUN_ITSELF = "its run is not understood"
COUNTERS = "its counters are not understood"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE segments SET complete = 1 WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET complete = 2 WHERE segment = 2", "segment 2 does not add up"),
        ("UPDATE segments SET complete = 'yes' WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET complete = 0 WHERE segment = 2", "segment 2 does not add up"),
        ("UPDATE segments SET last_evaluated_key = NULL WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET last_evaluated_key = 'text' WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET items_read = items_read + 1 WHERE segment = 1", SEGMENT_1),
        (
            "UPDATE segments SET items_written = -1, items_read = items_read - items_written - 1"
            " WHERE segment = 1",
            SEGMENT_1,
        ),
        ("UPDATE segments SET items_written = 2.5 WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET pages = -1 WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET pages = 'many' WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET bytes_read = x'00' WHERE segment = 1", SEGMENT_1),
        ("UPDATE segments SET segment = 64 WHERE segment = 1", "segment 64 does not add up"),
        ("UPDATE segments SET segment = -1 WHERE segment = 1", "segment -1 does not add up"),
        ("UPDATE segments SET complete = 1 WHERE segment = 3", "segment 3 does not add up"),
        ('UPDATE segments SET "table" = 5 WHERE segment = 2', "its segments name a table"),
        ('DELETE FROM tables WHERE "table" = 1', COUNTERS),
        ('UPDATE tables SET "table" = 9 WHERE "table" = 1', "its tables name a table"),
        ("UPDATE tables SET read_units = -0.5", COUNTERS),
        ("UPDATE tables SET read_units = 9e999", COUNTERS),
        ("UPDATE tables SET write_units = 'some'", COUNTERS),
        ("UPDATE tables SET throttled_requests = -3", COUNTERS),
        ("UPDATE tables SET throttled_at = 1e300", COUNTERS),
        ("UPDATE tables SET throttles = x'ff'", COUNTERS),
        ("UPDATE tables SET throttles = '[{}]'", COUNTERS),
        ("UPDATE tables SET checkpointed_at = 1e15", RUN_ITSELF),
        ("DELETE FROM run", RUN_ITSELF),
        (
            "INSERT INTO run SELECT 'other', identity, settings, version, status, attempts,"
            " created_at, started_at, ended_at, NULL, NULL, NULL FROM run",
            RUN_ITSELF,
        ),
        ("UPDATE run SET status = 'finished'", RUN_ITSELF),
        ("UPDATE run SET attempts = -1", RUN_ITSELF),
        ("UPDATE run SET attempts = 2", "it counts 2 attempts and reports 1"),
        ("UPDATE run SET created_at = -1", RUN_ITSELF),
        ("UPDATE run SET started_at = 1e300", RUN_ITSELF),
        ("UPDATE run SET identity = x'ffff'", RUN_ITSELF),
        ("UPDATE run SET identity = 5", RUN_ITSELF),
        ("UPDATE run SET identity = '{\"tables\":[]}'", RUN_ITSELF),
        ("UPDATE run SET identity = replace(identity, '64', '0')", RUN_ITSELF),
        ("UPDATE run SET identity = replace(identity, '64', '6400000')", RUN_ITSELF),
        (
            "UPDATE run SET settings = replace(settings, '\"readers\":32', '\"readers\":-1')",
            RUN_ITSELF,
        ),
        ("UPDATE run SET settings = replace(settings, '\"UTC\"', '\"../etc\"')", RUN_ITSELF),
        ("UPDATE run SET version = CAST(x'ff' AS TEXT)", "Could not decode"),
        ("UPDATE run SET status = 'complete'", "it is complete with 1 of 64 segments"),
        ("UPDATE run SET status = 'rejected'", "it is rejected with 1 of 64 segments"),
        ("DELETE FROM dead_letters WHERE rowid = 1", "counts 2 rejected items and has 1"),
        ("UPDATE dead_letters SET page = 0", "counts 2 rejected items and has 3"),
        ("UPDATE dead_letters SET page = -1", "a dead letter of the segment 1 is none"),
        ("UPDATE dead_letters SET time = 1e300", "a dead letter of the segment 1 is none"),
        ("UPDATE dead_letters SET item = 7", "a dead letter of the segment 1 is none"),
        ("UPDATE dead_letters SET segment = 99", "a dead letter of the segment 99 is none"),
        ('UPDATE dead_letters SET "table" = 7', "its dead_letters name a table"),
        ("UPDATE controls SET max_read_units = -5", RUN_ITSELF),
        ("UPDATE controls SET max_read_units = 'all'", RUN_ITSELF),
        ("UPDATE controls SET paused_at = 1e300", RUN_ITSELF),
        ("DELETE FROM controls", RUN_ITSELF),
        ("INSERT INTO controls VALUES (NULL, NULL, NULL, NULL)", RUN_ITSELF),
        ("UPDATE attempts SET status = 'odd'", RUN_ITSELF),
        ("DROP TABLE attempts", "its table attempts is missing"),
        ("ALTER TABLE segments DROP COLUMN bytes_read", "its table segments lacks bytes_read"),
        (
            "CREATE TRIGGER theirs AFTER INSERT ON segments BEGIN DELETE FROM segments; END",
            "it holds what dynaferry does not make, the trigger theirs",
        ),
        ("CREATE VIEW theirs AS SELECT 1", "it holds what dynaferry does not make, the view"),
    ],
)
async def test_what_cannot_be_true_is_damaged_whoever_opens_it(
    path: Path, statement: str, words: str
) -> None:
    change(path, statement)
    error = await refused(path)
    assert f"the state file {path} is damaged: " in error.message
    assert words in error.message
    assert error.hint == "move it away, or choose another --state-dir"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dead_letters SET key = x'7b22' WHERE rowid = 1",
        "UPDATE dead_letters SET item = x'7b22' WHERE rowid = 1",
    ],
)
async def test_a_letter_that_is_no_item_is_damaged_once_it_is_read(
    path: Path, statement: str
) -> None:
    change(path, statement)
    store = await SqliteStore.open_for_reading(path.parent, RUN)
    with pytest.raises(StateError, match="is damaged"):
        await store.read_counted_dead_letters(0, None, 9)
    await store.aclose()


async def test_an_odd_sample_is_damaged_once_it_is_read(path: Path) -> None:
    change(path, "UPDATE samples SET time = 1e300")
    store = await SqliteStore.open_for_reading(path.parent, RUN)
    with pytest.raises(StateError, match="is damaged"):
        await store.read_samples(0, 9)
    await store.aclose()
