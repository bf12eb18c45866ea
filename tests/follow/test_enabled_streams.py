"""Which streams a move has enabled is kept through crashes, restarts and damage."""

import stat
from pathlib import Path

import pytest
from anyio import to_thread

from dynaferry.errors import StateWriteError
from dynaferry.follow.enabled_streams import (
    EnabledStream,
    created_streams,
    enabled_streams,
    note_creating,
    note_enabling,
)

TABLE, OTHER = "arn:aws:dynamodb:r:1:table/orders", "arn:aws:dynamodb:r:1:table/events"
STREAM = f"{TABLE}/stream/2026-01-01T00:00:00.000"


async def kept(state_dir: Path) -> list[EnabledStream]:
    return await to_thread.run_sync(enabled_streams, state_dir, "run")


async def test_before_the_call_it_is_kept_that_it_is_made_and_after_it_what_came_of_it(
    tmp_path: Path,
) -> None:
    assert await kept(tmp_path) == []
    await note_enabling(tmp_path, "run", TABLE)
    assert [(each.table, each.stream) for each in await kept(tmp_path)] == [(TABLE, None)]
    await note_enabling(tmp_path, "run", TABLE, STREAM)
    await note_enabling(tmp_path, "run", OTHER)
    found = [(each.table, each.stream) for each in await kept(tmp_path)]
    assert found == [(TABLE, STREAM), (OTHER, None)]
    assert await to_thread.run_sync(enabled_streams, tmp_path, "another") == []


async def test_a_stream_of_somebody_who_was_faster_is_not_ours(tmp_path: Path) -> None:
    await note_enabling(tmp_path, "run", TABLE)
    await note_enabling(tmp_path, "run", TABLE, STREAM, is_ours=False)
    assert await kept(tmp_path) == []


async def test_a_target_that_is_created_with_a_stream_is_kept_apart(tmp_path: Path) -> None:
    assert await to_thread.run_sync(created_streams, tmp_path, "run") == frozenset()
    await note_enabling(tmp_path, "run", TABLE, STREAM)
    await note_creating(tmp_path, "run", "orders-copy")
    assert await to_thread.run_sync(created_streams, tmp_path, "run") == {"orders-copy"}
    assert [each.table for each in await kept(tmp_path)] == [TABLE]


async def test_a_line_that_a_crash_cut_short_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "run.enabled-streams.jsonl"
    await note_enabling(tmp_path, "run", TABLE, STREAM)
    path.write_bytes(path.read_bytes() + b'{"table": "arn:aws')
    await note_enabling(tmp_path, "run", OTHER)
    assert {each.table for each in await kept(tmp_path)} == {TABLE, OTHER}


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.enabled-streams.jsonl"
    path.touch(mode=0o666)
    await note_enabling(tmp_path, "run", TABLE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_cannot_be_kept_stops_before_anything_is_enabled(tmp_path: Path) -> None:
    (tmp_path / "run.enabled-streams.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateWriteError, match="it cannot be kept in"):
        await note_enabling(tmp_path, "run", TABLE)
