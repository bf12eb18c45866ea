"""What is shown of a run is stored before it is, so that nothing falls when it is resumed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dynaferry.errors import StateWriteError
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.run.progress_keeper import ProgressKeeper
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.create(tmp_path, "r", IDENTITY, SETTINGS, "1", CREATED_AT)
    yield store
    await store.aclose()


def _stats(done: int, expected: int) -> RunStats:
    table = TableStats("orders", "orders", segments_total=64, expected_items=expected)
    table.state, table.items_written = "running", done
    other = TableStats("users", "people", 64, expected_items=expected, number=1)
    return RunStats("r", [table, other])


async def test_what_is_shown_is_stored(store: SqliteStore) -> None:
    stats = _stats(50, 100)
    await ProgressKeeper.begun(store, stats, readers=8)
    assert stats.progress is not None
    shown = [stats.progress.total, *stats.progress.tables]
    assert [seen.progress_ratio for seen in shown] == [0.25, 0.5, 0.0]
    stored = await store.read_progress()
    assert [record.table for record in stored] == [-1, 0, 1]
    assert [record.progress_ratio for record in stored] == [0.25, 0.5, 0.0]
    assert [record.expected_items for record in stored] == [200, 100, 100]


async def test_a_resumed_run_shows_no_less_than_it_did(store: SqliteStore) -> None:
    await ProgressKeeper.begun(store, _stats(50, 100), readers=8)
    later = _stats(40, 1_000)
    keeper = await ProgressKeeper.begun(store, later, readers=8)
    assert later.progress is not None
    assert [seen.progress_ratio for seen in later.progress.tables] == [0.5, 0.0]
    assert later.progress.total.progress_ratio == 0.25
    later.tables[0].items_written = 900
    await keeper.keep()
    assert later.progress.tables[0].progress_ratio == 0.9


async def test_what_cannot_be_stored_is_not_shown(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = _stats(50, 100)
    keeper = await ProgressKeeper.begun(store, stats, readers=8)
    before = stats.progress

    async def refuse(_: object) -> None:
        raise StateWriteError("the disk is full")

    monkeypatch.setattr(store, "keep_progress", refuse)
    stats.tables[0].items_written = 80
    await keeper.keep()
    assert stats.progress is before
