"""What the target refuses of a move is listed with the copy's, and never written as it was."""

import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from dynaferry import CopyPlan
from dynaferry.cli.commands.move_letters import letters_of
from dynaferry.errors import TooManyRejectedError
from dynaferry.follow import capture, status
from dynaferry.follow.move_tables import execute
from dynaferry.observe.move_status import MoveStatus
from dynaferry.plan.settings import TablePlan
from dynaferry.run.lifecycle import closing
from dynaferry.run.outcome import Outcome  # the runtime's, as the others
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from tests.cli.test_move import STREAM, ended, status_of
from tests.cli.test_move_seen import told
from tests.worlds.client import WireItem
from tests.worlds.moto import MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items


def an_item(name: str, version: int, *, refused: bool = False) -> WireItem:
    word = REFUSED if refused else "fine"
    return {"pk": {"S": name}, "version": {"N": str(version)}, "word": {"S": word}}


def plan_of(world: MotoWorld, state_dir: Path, **settings: object) -> CopyPlan:
    return CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        create_target=True,
        segments=2,
        **settings,  # type: ignore[arg-type]
    )


async def eventually(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while True:
            if holds():
                return
            await anyio.sleep(0.1)


class Moving:
    """A move in this process, and what it says."""

    def __init__(self, plan: CopyPlan) -> None:
        self.plan = plan
        self.stop = StopSignal()
        self.said: list[str] = []
        self.status: MoveStatus | None = None
        self.outcome: Outcome | None = None

    async def run(self) -> None:
        self.outcome = await execute(
            self.plan, stop=self.stop, show=self._show, say=self.said.append
        )

    def _show(self, tables: Sequence[MoveStatus]) -> None:
        (self.status,) = tables

    async def until(self, holds: Callable[[MoveStatus], bool]) -> MoveStatus:
        await eventually(lambda: self.status is not None and holds(self.status))
        assert self.status is not None
        return self.status

    async def until_it_ends(self) -> Outcome:
        await eventually(lambda: self.outcome is not None)
        assert self.outcome is not None
        return self.outcome


@asynccontextmanager
async def moving(plan: CopyPlan) -> AsyncIterator[Moving]:
    move = Moving(plan)
    async with anyio.create_task_group() as group:
        group.start_soon(move.run)
        yield move
        move.stop.ask()


async def letters(state_dir: Path) -> dict[str, int]:
    """Which keys were refused, and of which segment they are."""
    store = await SqliteStore.open_for_reading(state_dir, "orders")
    async with closing(store):
        return {
            json.loads(letter.key)["pk"]["S"]: letter.segment
            async for _, page in letters_of(store, state_dir, "orders")
            for letter in page
        }


async def replayed(state_dir: Path) -> tuple[int, dict[str, int], str]:
    code, out, err = await ended([*DYNAFERRY, "replay", "--json", "--state-dir", str(state_dir)])
    return code, json.loads(out), err


DYNAFERRY = (sys.executable, "-m", "dynaferry", "dead-letters")


async def test_letters_of_a_move_are_read_again_and_no_old_item_comes_back(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else what stands in the source by now is refused by the replay as well as by the copy.
    monkeypatch.setattr(capture, "OVERLAP_SECONDS", 0.0)
    world, put = moto_world, moto_world.source_tables.put_items
    await world.source_tables.create_table("orders", StreamSpecification=STREAM)
    await put("orders", [an_item(f"k{n}", 0) for n in range(10)])
    await put("orders", [an_item(name, 0, refused=True) for name in ("copied", "gone", "mended")])
    with refusing_marked_items():
        async with moving(plan_of(world, tmp_path)) as move:
            await move.until(lambda now: now.state == "following")
            await put("orders", [an_item("followed", 1, refused=True)])
            await move.until(lambda now: now.rejected == 1)
            found = await letters(tmp_path)
            assert found.keys() == {"copied", "followed", "gone", "mended"}
            assert {name for name, segment in found.items() if segment < 0} == {"followed"}
            _, out, _ = await told(tmp_path, "dead-letters", "list", "--json")
            assert len(json.loads(out)["dead_letters"]) == 4
            assert (await status_of(tmp_path))["rejected"] == 1
            # What the source has made of them since is what counts, without anybody's replay.
            await world.source_tables.delete_item("orders", {"pk": {"S": "gone"}})
            await put("orders", [an_item("mended", 1)])
            await move.until(lambda now: now.changes_applied >= 2 and now.spool_rows == 0)
            assert (await letters(tmp_path)).keys() == {"copied", "followed"}
            # The cause is still there.
            code, summary, _ = await replayed(tmp_path)
            assert (code, summary["written"], summary["refused"], summary["left"]) == (
                4,
                0,
                2,
                2,
            )
            assert await letters(tmp_path) == {"copied": -1, "followed": -1}
        stopped = await replayed(tmp_path)
    assert stopped[0] == 3
    assert "is a move, and no process follows it now" in stopped[2]
    assert "may be old" in stopped[2]
    names = {item["pk"]["S"] for item in await world.target_tables.read_items("orders")}
    assert not names & {"copied", "followed", "gone"}
    async with moving(plan_of(world, tmp_path)) as move:
        await move.until(lambda now: now.state == "following" and now.spool_rows == 0)
        code, summary, err = await replayed(tmp_path)
        assert (code, summary["written"], summary["left"]) == (0, 2, 0), err
        assert await letters(tmp_path) == {}
        source = await world.source_tables.read_table("orders")
        assert await world.target_tables.read_table("orders") == source
    file = await MoveFile.open(tmp_path, "orders")
    async with closing(file):
        move_now = await file.read_move()
        assert move_now is not None
        assert await file.enter("aborted", move_now.stage, time.time())
    code, _, err = await replayed(tmp_path)
    assert code == 3
    assert "the run orders is aborted: of its dead letters none is written" in err


async def test_the_limit_of_refused_items_counts_copy_and_following_each_item_once(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world, put = moto_world, moto_world.source_tables.put_items
    await world.source_tables.create_table("orders", StreamSpecification=STREAM)
    await put("orders", [an_item("copied", 0, refused=True), an_item("fine", 0)])
    with refusing_marked_items():
        async with moving(plan_of(world, tmp_path, max_rejected=2)) as move:
            # The copy's own is refused once more by the replay, and counts once.
            await move.until(lambda now: now.state == "following" and now.rejected == 1)
            for version in range(3):
                await put("orders", [an_item("followed", version, refused=True)])
                await move.until(lambda now, n=version: now.changes_rejected == n + 2)  # type: ignore[misc]
            assert move.outcome is None
            await put("orders", [an_item("third", 0, refused=True)])
            outcome = await move.until_it_ends()
    assert isinstance(outcome.error, TooManyRejectedError)
    assert "more than 2 items were refused" in outcome.error.message
    left = await status_of(tmp_path)
    assert (left["is_running"], left["error"]) == (False, outcome.error.message)
    _, out, _ = await told(tmp_path, "status")
    assert "orders: the last process ended by an error: more than 2 items were refused" in out


async def test_a_move_under_a_cap_that_is_too_low_says_so_and_what_to_raise(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "LOSING_SECONDS", 6.0)
    monkeypatch.setattr(status, "LOSING_ROWS", 20)
    world = moto_world
    await world.source_tables.create_table("orders", StreamSpecification=STREAM)

    async def write_for_ever() -> None:
        version = 0
        while True:
            version += 1
            await world.source_tables.put_items("orders", [an_item(f"k{version}", version)])
            await anyio.sleep(0.1)

    async with moving(plan_of(world, tmp_path, max_write_units=2.0)) as move:
        await move.until(lambda now: now.state == "following")
        async with anyio.create_task_group() as writing:
            writing.start_soon(write_for_ever)
            await eventually(lambda: any("will not catch up" in line for line in move.said))
            assert (await status_of(tmp_path))["will_catch_up"] is False
            _, out, _ = await told(tmp_path, "status")
            writing.cancel_scope.cancel()
        (line,) = (line for line in move.said if "will not catch up" in line)
        for words in (line, out):
            assert "orders: it will not catch up: in " in words
            assert "limited by the cap of 2 write units a second" in words
            assert "raise --max-write-units (dynaferry set orders --max-write-units N)" in words
        await told(tmp_path, "set", "orders", "--max-write-units", "none")
        await move.until(lambda now: now.spool_rows == 0 and now.will_catch_up)
        await eventually(lambda: "orders: what waits grows no more" in move.said)
