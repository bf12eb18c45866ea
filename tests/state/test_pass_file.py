"""The passes of a move without a stream are kept as they began and ended, in the run's file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from anyio import to_thread
from msgspec.structs import replace

from dynaferry.errors import StateError
from dynaferry.state.directory import state_path
from dynaferry.state.move_records import PassRecord
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.state.sqlite.store import SqliteStore
from tests.follow.passes.records import a_pass
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    store = await SqliteStore.create(tmp_path, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    return tmp_path


async def test_a_pass_is_kept_when_it_begins_and_again_when_it_has_ended(state_dir: Path) -> None:
    file = await PassFile.open(state_dir, "orders")
    assert await file.read_passes() == []
    assert (await file.begin_passes(CREATED_AT)).stage == "replaying"
    begun = PassRecord(number=1, began_at=CREATED_AT)
    await file.store_pass(begun)
    assert await file.read_passes() == [begun]
    made = a_pass(1, found=7, began_at=CREATED_AT)
    await file.store_pass(made)
    await file.store_pass(replace(begun, number=2))
    await file.aclose()
    again = await PassFile.open(state_dir, "orders")
    assert await again.read_passes() == [made, replace(begun, number=2)]
    assert (made.found, made.repaired, made.items, made.seconds) == (7, 7, 1_000_000, 105.0)
    assert (await again.begin_passes(CREATED_AT + 9)).since == CREATED_AT
    await again.aclose()


async def test_a_move_with_a_stream_has_no_passes(state_dir: Path) -> None:
    move = await MoveFile.open(state_dir, "orders")
    await move.begin_move("following", CREATED_AT, has_way_back=False)
    await move.aclose()
    file = await PassFile.open(state_dir, "orders")
    assert await file.read_passes() == []
    await file.aclose()


@pytest.mark.parametrize(
    "record", [b"{}", b"no json", b'{"number":1,"began_at":1.0,"is_complete":true}']
)
async def test_a_pass_that_cannot_be_is_damage(state_dir: Path, record: bytes) -> None:
    file = await PassFile.open(state_dir, "orders")
    await file.begin_passes(CREATED_AT)
    await file.store_pass(a_pass())
    await file.aclose()

    def spoil() -> None:
        with closing(sqlite3.connect(state_path(state_dir, "orders"))) as run, run:
            run.execute("UPDATE passes SET record = ?", (record,))

    await to_thread.run_sync(spoil)
    with pytest.raises(StateError):
        await SqliteStore.open(state_dir, "orders")
