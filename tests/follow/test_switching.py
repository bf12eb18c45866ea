"""The running move's part of a switch: a go is durable and final, all else leaves it following."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from msgspec.structs import replace

from dynaferry.errors import UnavailableError
from dynaferry.follow import cut_over_attempt
from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.quiet import Quiet
from dynaferry.follow.readiness import Reason
from dynaferry.follow.switching import Switching
from dynaferry.state.move_records import Stage, TransitionRecord, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

NOW = CREATED_AT + 1_000.0
CUT_OVER = TransitionRequest(what="cut-over", timeout_seconds=60.0)
CHECK = TransitionRequest(what="check")
QUIET = Quiet(True, (), 0.0, NOW + 6.0)
UNQUIET = Quiet(False, ("silence",), 5.0, NOW + 6.0)


class Table:
    """A table that is quiet, but for what a test puts into its way."""

    source, target, target_status = "orders", "orders", "ACTIVE"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.look_now = TableLook(table="orders", quiet=QUIET, captured=1, last_change_at=NOW)
        self.is_held = False
        self.has_switched = False
        self.held: list[bool] = []
        self.changes_when_held = 0
        self.fails: Exception | None = None
        self.late = 0
        self.watched: list[str] = []
        self.has_begun = anyio.Event()
        self.held_when_watched: list[bool] = []

    def hold(self, is_held: bool) -> None:
        if is_held and not self.is_held and self.changes_when_held:
            self.changes_when_held -= 1
            self.look_now = replace(self.look_now, captured=self.look_now.captured + 1)
        if is_held != self.is_held:
            self.held.append(is_held)
        self.is_held = is_held

    def is_switched(self) -> None:
        self.is_held = self.has_switched = True

    def begin_anew(self) -> None:
        quiet = replace(self.look_now.quiet, since=self.clock())
        self.look_now = replace(self.look_now, quiet=quiet)

    async def differing(self) -> tuple[int, list[bytes]]:
        if self.fails is not None:
            raise self.fails
        return 3, []

    async def begin_late_writes(self) -> None:
        self.watched.append("begun")
        self.has_begun.set()
        self.held_when_watched.append(self.is_held)

    async def end_late_writes(self, *, forget: bool) -> None:
        self.watched.append("forgotten" if forget else "ended")

    async def late_writes(self) -> int:
        return self.late

    async def look(self) -> TableLook:
        return replace(self.look_now, is_held=self.is_held)


class Rehearsal:
    """A move with one table, and whoever asks."""

    def __init__(self, moves: MoveFile, asks: MoveFile, table: Table) -> None:
        self.asks = asks
        self.table = table
        self.said: list[str] = []
        self.stop = StopSignal()
        self.switching = Switching(
            moves,
            cast("Any", [table]),
            self.stop,
            self.said.append,
            stage_now=lambda: "following",
            refresh=self.refresh,
            clock=table.clock,
        )

    async def refresh(self) -> None:
        pass

    async def ended(self, request: TransitionRequest) -> TransitionRecord:
        """What becomes of it while whoever asked shows to be there."""
        number = (await self.asks.ask(request, NOW)).number
        with anyio.fail_after(20):
            while True:
                transition = await self.asks.beat(number)
                if transition.outcome is not None:
                    return transition
                await anyio.sleep(0.05)

    async def stage(self) -> Stage:
        move = await self.asks.read_move()
        assert move is not None
        return move.stage


@asynccontextmanager
async def rehearsed(state_dir: Path, stage: Stage = "following") -> AsyncIterator[Rehearsal]:
    store = await SqliteStore.create(state_dir, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    moves = await MoveFile.open(state_dir, "orders")
    asks = await MoveFile.open(state_dir, "orders")
    try:
        await moves.begin_move(stage, NOW, has_way_back=False)
        ticks = itertools.count()
        table = Table(lambda: NOW + 20.0 + next(ticks) / 1e6)
        rehearsal = Rehearsal(moves, asks, table)
        yield rehearsal
    finally:
        await asks.aclose()
        await moves.aclose()


@asynccontextmanager
async def running(rehearsal: Rehearsal) -> AsyncIterator[None]:
    await rehearsal.switching.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(rehearsal.switching.run)
        yield
        group.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cut_over_attempt", "switching"):
        monkeypatch.setattr(f"dynaferry.follow.{module}.POLL_SECONDS", 0.01)


async def test_a_go_is_stored_with_its_state_and_nothing_is_sent_any_more(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        ended = await move.ended(CUT_OVER)
        assert (ended.outcome, await move.stage()) == ("go", "switched")
        assert ended.reply is not None
        assert ended.reply.seconds == pytest.approx(20.0, abs=0.1)
        assert move.table.has_switched
        # What comes behind the last look is late: the watch begins before that look, while held.
        assert move.table.watched == ["forgotten", "begun"]
        assert move.table.held_when_watched == [True]
        move.table.late = 2
        with anyio.fail_after(20):
            while not any("LATE WRITES: 2 keys" in e for e in move.said):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        # Asked once more it is refused, and nothing changes.
        assert (await move.ended(CUT_OVER)).outcome == "refused"
        assert (await move.ended(TransitionRequest(what="abort"))).outcome == "refused"
        assert await move.stage() == "switched"


async def test_a_change_that_comes_while_writes_are_held_has_all_of_it_done_again(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.table.changes_when_held = 2
        ended = await move.ended(CUT_OVER)
        assert ended.outcome == "go"
        assert move.table.held == [True, False, True, False, True]
        assert move.table.watched == ["forgotten", *(["begun", "forgotten"] * 2), "begun"]
        assert ended.reply is not None
        steps = [line.split("  ")[-1][:8] for line in ended.reply.lines]
        assert steps == ["compares", "writes t"] * 3


async def test_a_comparison_that_fails_ends_it_and_the_move_follows_on(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.table.fails = UnavailableError("no answer", operation="BatchGetItem")
        ended = await move.ended(CUT_OVER)
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert ended.reply.reasons == ("no answer",)
        await anyio.sleep(0.1)
        assert (await move.stage(), move.table.is_held) == ("following", False)
        move.table.fails = None
        assert (await move.ended(CUT_OVER)).outcome == "go"


async def test_whoever_shows_no_more_to_be_there_has_withdrawn_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut_over_attempt, "ABANDONED_SECONDS", -1.0)
    async with rehearsed(tmp_path) as move, running(move):
        move.table.look_now = replace(move.table.look_now, quiet=UNQUIET)
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        await anyio.sleep(0.3)
        ended = await move.asks.read_transition(number)
        assert ended.outcome == "withdrawn"
        assert (await move.stage(), move.table.is_held) == ("following", False)


async def test_what_is_withdrawn_while_it_waits_is_no_go_later(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.table.look_now = replace(move.table.look_now, quiet=UNQUIET)
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        await anyio.sleep(0.1)
        assert await move.stage() == "cutting-over"
        # A check is answered beside it.
        assert (await move.ended(CHECK)).outcome == "done"
        assert await move.asks.end(number, "withdrawn", NOW)
        move.table.look_now = replace(move.table.look_now, quiet=replace(QUIET, since=NOW + 21.0))
        await anyio.sleep(0.2)
        assert await move.stage() == "following"


async def test_a_check_tells_every_reason_and_changes_nothing(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        reasons = (Reason("lag", "the target is 11 s behind"), Reason("open gap", "lost"))
        move.table.look_now = replace(move.table.look_now, reasons=reasons)
        ended = await move.ended(CHECK)
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert ended.reply.reasons == ("the target is 11 s behind", "lost")
        assert move.table.held == []
        assert await move.stage() == "following"


async def test_what_was_under_way_when_a_process_ended_was_not_done(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, "cutting-over") as move:
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        assert await move.switching.begin() == "following"
        assert (await move.asks.read_transition(number)).outcome == "not ready"
        assert not move.table.is_held


async def test_a_process_that_starts_behind_the_switch_sends_nothing(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, "cutting-over") as move:
        await move.asks.enter("switched", "cutting-over", NOW)
        assert await move.switching.begin() == "switched"
        assert move.table.has_switched
        assert move.table.watched == ["begun"]


async def test_what_came_while_writes_were_held_in_vain_is_not_late(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        move.table.changes_when_held = 1_000
        with anyio.fail_after(20):
            await move.table.has_begun.wait()
        assert await move.asks.end(number, "withdrawn", NOW)
        await anyio.sleep(0.2)
        assert await move.stage() == "following"
        assert move.table.watched[-1] == "forgotten"


async def test_an_abort_ends_the_process_and_no_other_goes_on(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        assert (await move.ended(TransitionRequest(what="abort"))).outcome == "done"
        assert await move.stage() == "aborted"
        assert move.stop.asked
        assert move.table.is_held
