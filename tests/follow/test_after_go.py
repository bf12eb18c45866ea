"""Behind the go every key is compared while the target is in use: what was lost is told, and only
that.
"""

from pathlib import Path
from typing import Any

import anyio
import pytest

from dynaferry.follow import (
    capture,
    move_tables,
    quiet,
    shard_reader,
    whole_comparison,
)
from dynaferry.follow.after_go_certificate import AfterGoCertificate, read_after_go
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.ports import Page
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import witness_path
from dynaferry.state.move_records import TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from dynaferry.verify.compare.side_reader import SideReader
from tests.follow.moves import (
    ITEMS,
    STREAM,
    Moving,
    an_item,
    make_source,
    moving,
    plan_of,
    read_page_slowly,
)
from tests.worlds.moto import MotoWorld

# The service's records have whole seconds, and so the witness begins that much before the go.
OLDER_SECONDS = 2.5


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is on its way for longer."""
    monkeypatch.setattr(move_tables, "LATE_WRITE_SECONDS", 0.5)
    monkeypatch.setattr(whole_comparison, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(capture, "HASTY_LISTING_SECONDS", 0.2)
    monkeypatch.setattr(quiet, "LEAST_SECONDS", 0.8)
    monkeypatch.setattr(quiet, "LEAST_POLLS", 2)
    monkeypatch.setattr(quiet, "_LIST_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(shard_reader, "IDLE_POLL_SECONDS", 0.2)


async def switched(state_dir: Path, **asked: Any) -> Answer:
    """What becomes of a cut-over that is asked for like this."""
    file = await MoveFile.open(state_dir, "orders")
    async with closing(file):
        asker = MoveAsker(file, state_dir, "orders", StopSignal(), lambda _: None)
        return await asker.ask("cut-over", TransitionRequest(what="cut-over", **asked))


async def certified(move: Moving, state_dir: Path) -> AfterGoCertificate:
    with anyio.fail_after(60):
        while True:
            assert move.outcome is None, move.outcome
            found = await anyio.to_thread.run_sync(read_after_go, state_dir, "orders")
            if found is not None:
                return found
            await anyio.sleep(0.1)


async def lose(world: MotoWorld) -> None:
    """What a defect of ours would leave on the target: one is missing, one old, one too many."""
    await world.target_tables.delete_item("orders", {"pk": {"S": "k5"}})
    await world.target_tables.put_items("orders", [an_item(6, 77), an_item(ITEMS + 50, 77)])
    await anyio.sleep(OLDER_SECONDS)


async def test_what_was_lost_is_told_and_what_the_application_wrote_is_not_also_after_a_restart(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, create_target=False)
    await make_source(world)
    await world.target_tables.create_table("orders", StreamSpecification=STREAM)
    pages: list[int] = []

    async def read_page(reader: SideReader, segment: int, start_key: bytes | None) -> Page:
        pages.append(segment)
        return await read_page_slowly(reader, segment, start_key)

    monkeypatch.setattr(SideReader, "read_page", read_page)
    async with moving(world, plan) as move:
        await move.until_equal()
        await lose(world)
        assert (await switched(tmp_path, verify="none")).outcome == "go"
        await move.until(lambda: len(pages) > 2)
        await world.target_tables.put_items("orders", [an_item(n, 1_000) for n in (1, 2)])
        await world.target_tables.delete_item("orders", {"pk": {"S": "k3"}})
        await world.source_tables.put_items("orders", [an_item(20, -1)])  # a late write
    assert read_after_go(tmp_path, "orders") is None
    await world.target_tables.put_items("orders", [an_item(11, 1_000), an_item(900, 1_000)])
    async with moving(world, plan) as move:
        found = (await certified(move, tmp_path)).tables[0]
        assert move.has_said("resuming the verification")
        assert move.has_said("orders behind the go: IT DIFFERS")
        assert move.has_said('missing behind the go: {"pk":{"S":"k5"}}')
        await move.until(lambda: not witness_path(tmp_path, "orders", 0).exists())
    assert (found.status, found.unknown) == ("different", None)
    assert (found.missing, found.different, found.extra, found.in_flux) == (1, 1, 1, 0)
    assert (found.written_to_target, found.written_to_source) == (5, 1)
    # It is certified: another process does not begin again.
    async with moving(world, plan) as move:
        await move.until(lambda: bool(move.tables) and move.tables[0].state == "switched")
        await anyio.sleep(1.0)
        assert not move.has_said("every key is compared now")


async def test_with_a_way_back_its_capture_knows_what_was_written_and_nobody_else_reads(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, way_back="keep")
    await make_source(world)
    async with moving(world, plan) as move:
        await move.until_equal()
        for _ in range(20):  # the way back is armed a moment later
            if (await switched(tmp_path)).outcome == "go":
                break
            await anyio.sleep(0.5)
        await world.target_tables.put_items("orders", [an_item(n, 1_000) for n in (1, 2, 900)])
        certificate = await certified(move, tmp_path)
        assert not witness_path(tmp_path, "orders", 0).exists()
    found = certificate.tables[0]
    assert (certificate.status, found.unknown) == ("equal", None)
    assert (found.written_to_target, found.written_to_source) == (3, 0)


async def test_of_a_target_without_a_stream_nobody_knows_who_wrote_what_differs(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, plan = moto_world, plan_of(moto_world, tmp_path, create_target=False)
    await make_source(world)
    await world.target_tables.create_table("orders")
    async with moving(world, plan) as move:
        await move.until_equal()
        await lose(world)
        assert (await switched(tmp_path, verify="none")).outcome == "go"
        certificate = await certified(move, tmp_path)
    found = certificate.tables[0]
    # Nobody knows whether that was the application.
    assert (certificate.status, found.status) == ("undecided", "undecided")
    assert (found.missing, found.different, found.extra) == (1, 1, 1)
    assert (found.written_to_target, found.unknown) == (None, "the target has no stream")
    assert move.has_said("who wrote what differs is not known: the target has no stream")
