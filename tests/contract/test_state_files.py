"""State files of the version that made them are still read, and still resume with nothing lost."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.contract import told
from tests.contract.cases import PLAN, STATES, copy_plan, replay, with_state
from tests.contract.world import (
    FIXTURES,
    HERE,
    ITEMS,
    REFUSED,
    ContractWorld,
    copy,
    look,
    recorded,
    some_items,
    verify,
)

BAD = [3, 77]
BEFORE = "written by an earlier attempt"
NEVER = datetime(2025, 12, 31)  # when none of these tables was made
# Fixtures are of this version's tables for ever, whatever the tables of the day are called.
ACKNOWLEDGED = 'SELECT segment, items_read FROM segments WHERE "table" = ?'


@pytest.mark.parametrize("name", told.NAMES)
def test_what_is_shown_of_a_state_file_is_what_was_shown_when_it_was_made(
    name: str, tmp_path: Path
) -> None:
    assert told.of_state(tmp_path, name) == recorded(FIXTURES / "told" / f"{name}.json")


def test_each_state_file_is_small_and_names_no_machine() -> None:
    files = [path for path in STATES.rglob("*") if path.is_file()]
    assert len(files) > len(told.NAMES)
    for path in files:
        content = path.read_bytes()
        assert len(content) < 200_000
        for word in (b"/tmp/", b"/home/", b"/root", b"127.0.0.1", b"localhost"):
            assert word not in content, path


def make_tables_of_the_time(
    world: ContractWorld,
    tmp_path: Path,
    state: str,
    *,
    bad: Sequence[int] = (),
    note: str = "fine",
    name: str = "orders",
    table: int = 0,
) -> dict[str, str]:
    """Both tables as they were; gives what the target has: what the file says is written.

    With another `note` it can be told from what is written from here on.
    """
    world.make_tables(some_items(refused=bad), name=name)
    segments = acknowledged_by(tmp_path / f"{name} of the time", state, table)
    items = world.acknowledged(segments, name)
    assert len(items) == sum(segments.values())
    written = [item for item in items if item["note"]["S"] != REFUSED]
    world.put_into_target([item | {"note": {"S": note}} for item in written], name)
    return world.both(name)[1]


def acknowledged_by(place: Path, state: str, table: int) -> dict[int, int]:
    """How many items of each segment the file counts; read from a copy, since looking may write."""
    place.mkdir()
    with_state(place, state)
    (path,) = [p for p in (place / "state").glob("*.sqlite") if ".verify." not in p.name]
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute(ACKNOWLEDGED, (table,)).fetchall())


def check_it_went_on(world: ContractWorld, before: dict[str, str], name: str = "orders") -> None:
    """The target has all but what it refuses, and what it had `before` was not written again."""
    source, target = world.both(name)
    refused = {key for key, item in source.items() if REFUSED in item}
    assert len(refused) == len(BAD)
    wanted = {key: item for key, item in source.items() if key not in refused}
    assert target == wanted | before


@pytest.mark.parametrize("name", ["killed", "interrupted", "failed"])
def test_a_copy_that_did_not_end_resumes_and_loses_nothing(
    name: str, world: ContractWorld, tmp_path: Path
) -> None:
    before = make_tables_of_the_time(world, tmp_path, name, bad=BAD, note=BEFORE)
    assert 0 < len(before) < ITEMS - len(BAD)
    with_state(tmp_path, name)
    said = world.run(tmp_path, *copy("--json"))
    assert said.code == 4, said.err
    (table,) = said.document["tables"]
    assert (table["items_read"], table["items_written"]) == (ITEMS, ITEMS - len(BAD))
    assert (table["items_rejected"], table["segments_complete"]) == (len(BAD), 8)
    check_it_went_on(world, before)
    listed = look(tmp_path, "dead-letters", "list", *HERE, "--json").document["dead_letters"]
    assert len(listed) == len(BAD)


def test_a_run_of_several_tables_that_was_paused_and_capped_resumes_and_loses_nothing(
    world: ContractWorld, tmp_path: Path
) -> None:
    before = {
        name: make_tables_of_the_time(
            world, tmp_path, "several", bad=BAD, note=BEFORE, name=name, table=table
        )
        for table, name in enumerate(("orders", "events"))
    }
    with_state(tmp_path, "several")
    (tmp_path / "move.toml").write_text(PLAN, encoding="utf-8")
    held = look(tmp_path, "resume", *HERE, "--json").document["held"]
    assert held["paused_at"] is None
    assert held["write"] == {"units_per_second": 500.0, "origin": "set"}
    said = world.run(tmp_path, *copy_plan("--json"))
    assert said.code == 4, said.err
    for table, name in zip(said.document["tables"], ("orders", "events"), strict=True):
        assert (table["source"], table["items_read"]) == (name, ITEMS)
        assert table["items_rejected"] == len(BAD)
        check_it_went_on(world, before[name], name)


@pytest.mark.parametrize("name", ["complete", "repaired"])
def test_a_copy_that_is_complete_stays_so(name: str, world: ContractWorld, tmp_path: Path) -> None:
    make_tables_of_the_time(world, tmp_path, name)
    with_state(tmp_path, name)
    said = world.run(tmp_path, *copy("--json"))
    assert (said.code, said.document["tables"][0]["items_written"]) == (0, ITEMS), said.err
    assert world.service.seen.get("BatchWriteItem", 0) == 0


def test_dead_letters_are_written_once_the_cause_is_removed(
    world: ContractWorld, tmp_path: Path
) -> None:
    make_tables_of_the_time(world, tmp_path, "rejected", bad=BAD)
    with_state(tmp_path, "rejected")
    world.service.refuses = False
    said = world.run(tmp_path, *replay("--json"))
    assert (said.code, said.document["written"]) == (0, len(BAD)), said.err
    source, target = world.both()
    assert source == target


@pytest.mark.parametrize("side", ["source", "target", "segments"])
def test_a_state_file_of_other_tables_is_refused_and_left_as_it_is(
    side: str, world: ContractWorld, tmp_path: Path
) -> None:
    make_tables_of_the_time(world, tmp_path, "interrupted", bad=BAD)
    with_state(tmp_path, "interrupted")
    if side != "segments":
        world.make_older("orders", side, NEVER)
    before = (tmp_path / "state" / "orders.sqlite").read_bytes()
    said = world.run(
        tmp_path, *copy("--json", *(("--segments", "9") if side == "segments" else ()))
    )
    assert (said.code, said.document["error"]["type"]) == (3, "StateError")
    assert side in said.document["error"]["message"]
    assert (tmp_path / "state" / "orders.sqlite").read_bytes() == before


def test_a_verification_that_was_interrupted_goes_on(world: ContractWorld, tmp_path: Path) -> None:
    make_tables_of_the_time(world, tmp_path, "half-verified")
    with_state(tmp_path, "half-verified")
    said = world.run(tmp_path, *verify("--json"))
    (table,) = said.document["tables"]
    assert said.document["attempts"] == 2
    assert (table["segments_compared"], table["source_items"]) == (8, ITEMS)


@pytest.mark.parametrize("name", ["verified", "repaired"])
def test_a_verification_that_has_ended_makes_room_for_the_next(
    name: str, world: ContractWorld, tmp_path: Path
) -> None:
    make_tables_of_the_time(world, tmp_path, name)
    with_state(tmp_path, name)
    said = world.run(tmp_path, *verify("--json"))
    assert (said.code, said.document["status"], said.document["attempts"]) == (0, "equal", 1)
