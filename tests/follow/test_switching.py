"""The running move's part of a switch: a go is durable and final, all else leaves it following."""

import itertools
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from msgspec.structs import replace

from dynaferry.errors import AccessDeniedError, StateWriteError, UnavailableError
from dynaferry.follow import cut_over_attempt
from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.quiet import Quiet
from dynaferry.follow.readiness import Reason
from dynaferry.follow.switch_proof import Looks
from dynaferry.follow.switching import Switching
from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import (
    CutOverProof,
    Stage,
    TransitionRecord,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

NOW = CREATED_AT + 1_000.0
CUT_OVER = TransitionRequest(what="cut-over", timeout_seconds=60.0)
CUT_BACK = TransitionRequest(what="cut-back", timeout_seconds=60.0, write_role_arn="arn")
BEHIND: tuple[Stage, ...] = ("switched", "going-back", "returned")
CHECK = TransitionRequest(what="check")
QUIET = Quiet(True, (), 0.0, NOW + 6.0)
UNQUIET = Quiet(False, ("silence",), 5.0, NOW + 6.0)


class Target:
    """The capture of a target: what it was told, and what the move was then."""

    target = "orders"

    def __init__(self, stage_now: Callable[[], Awaitable[Stage]]) -> None:
        self.told: list[tuple[str, Stage]] = []
        self._stage_now = stage_now
        self.spool = SimpleNamespace(passes_over=False)
        self.catches_up = self.has_caught_up = False

    def begin_to_catch_up(self) -> None:
        self.catches_up = True

    async def arm(self) -> None:
        self.told.append(("arm", await self._stage_now()))

    async def keep(self) -> None:
        self.told.append(("keep", await self._stage_now()))

    async def pass_over(self) -> None:
        self.told.append(("pass over", await self._stage_now()))

    async def counts(self) -> None:
        return None

    def reasons(self, _: None) -> tuple[Reason, ...]:
        return (Reason("unread stream", "no answer"),)


class Table:
    """A table that is quiet, but for what a test puts into its way."""

    source, target, target_status = "orders", "orders", "ACTIVE"
    way_back: "Target | None" = None

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
        self.has_ended_watch = False
        self.has_begun = anyio.Event()
        self.held_when_watched: list[bool] = []
        self.stands = ""
        self.has_gone_forward = False
        self.taken_over = 0

    def hold(self, is_held: bool) -> None:
        if is_held and not self.is_held and self.changes_when_held:
            self.changes_when_held -= 1
            self.look_now = replace(self.look_now, captured=self.look_now.captured + 1)
        if is_held != self.is_held:
            self.held.append(is_held)
        self.is_held = is_held

    def is_switched(self, stands: str) -> None:
        self.is_held = self.has_switched = True
        self.stands = stands

    async def go_forward(self) -> None:
        self.has_gone_forward = True

    async def take_over_target(self) -> None:
        assert self.way_back is not None
        self.way_back.has_caught_up = False
        self.taken_over += 1

    def begin_anew(self) -> None:
        quiet = replace(self.look_now.quiet, since=self.clock())
        self.look_now = replace(self.look_now, quiet=quiet)

    async def differing(self) -> tuple[int, list[bytes]]:
        if self.fails is not None:
            raise self.fails
        return 3, []

    async def begin_late_writes(self, *, takes_waiting: bool) -> None:
        self.watched.append("begun" if takes_waiting else "begun behind a cut-back")
        self.has_begun.set()
        self.held_when_watched.append(self.is_held)

    async def end_late_writes(self, *, forget: bool) -> None:
        self.watched.append("forgotten" if forget else "ended")

    async def has_ended_late_writes(self) -> bool:
        return self.has_ended_watch

    async def late_writes(self) -> int:
        return self.late

    async def look(self) -> TableLook:
        return replace(self.look_now, is_held=self.is_held)


class BackTableAtHand:
    """A table on its way back, whose applier may fail."""

    source = "orders"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.look_now = TableLook(table="orders", quiet=QUIET, captured=1, last_change_at=NOW)
        self.done: list[str] = []
        self.is_held = False
        self.fails: Exception | None = None

    async def begin(self) -> None:
        quiet = replace(self.look_now.quiet, since=self.clock() + 1)
        self.look_now = replace(self.look_now, quiet=quiet)
        self.done.append("begin")

    async def run(self) -> None:
        if self.fails is not None:
            raise self.fails
        await anyio.sleep_forever()

    async def end(self) -> None:
        self.done.append("end")

    async def begin_late_writes(self) -> None:
        self.done.append("late")

    async def end_late_writes(self) -> None:
        self.done.append("not late")

    def hold(self, is_held: bool) -> None:
        self.is_held = is_held

    async def differing(self) -> tuple[int, list[bytes]]:
        return 3, []

    async def look(self) -> TableLook:
        return replace(self.look_now, is_held=self.is_held)


class Proof:
    """What takes long, and does not here. A `SwitchProof`."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.why_not: tuple[str, ...] = ()
        self.refusals_fail: Exception | None = None
        self.found: list[tuple[int, int] | None] = []
        self.takes_seconds = 0.0
        self.stuck: tuple[str, ...] = ()
        self.may_undo = anyio.Event()
        self.done: list[str] = []

    async def refusals(self, proof: CutOverProof) -> tuple[str, ...]:
        if self.refusals_fail is not None:
            raise self.refusals_fail
        return self.why_not if proof == "closed" else ()

    async def close(self) -> ClosedProof:
        self.done.append("closed")
        self.table.look_now = replace(self.table.look_now, is_drained=True)
        return ClosedProof(True, "measured")

    async def undo(self) -> None:
        if self.stuck:
            await self.may_undo.wait()
        self.done.append("undone")

    def not_undone(self) -> tuple[str, ...]:
        return self.stuck

    async def compare_all(self, looks: Looks) -> tuple[int, int] | None:
        self.done.append("compared")
        await anyio.sleep(self.takes_seconds)
        return self.found.pop(0)


class Rehearsal:
    """A move with one table, and whoever asks."""

    def __init__(
        self, moves: MoveFile, asks: MoveFile, table: Table, *, goes_forward: bool = False
    ) -> None:
        self.back = BackTableAtHand(table.clock)
        self.asks = asks
        self.table = table
        self.said: list[str] = []
        self.stop = StopSignal()
        self.refresh_fails: Exception | None = None
        self.proof = Proof(table)
        self.switching = Switching(
            moves,
            cast("Any", [table]),
            self.stop,
            self.said.append,
            stage_now=lambda: "following",
            refresh=self.refresh,
            proof=self.proof,
            opens_back=self.opens_back,
            goes_forward=goes_forward,
            clock=table.clock,
        )

    async def refresh(self) -> None:
        if self.refresh_fails is not None:
            raise self.refresh_fails

    @asynccontextmanager
    async def opens_back(self, request: TransitionRequest) -> AsyncIterator[list[Any]]:
        if request.write_role_arn is None:
            raise AccessDeniedError("no role is named", operation="AssumeRole")
        yield [self.back]

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
async def rehearsed(
    state_dir: Path,
    stage: Stage = "following",
    *,
    way_back: bool = False,
    goes_forward: bool = False,
) -> AsyncIterator[Rehearsal]:
    store = await SqliteStore.create(state_dir, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    moves = await MoveFile.open(state_dir, "orders")
    asks = await MoveFile.open(state_dir, "orders")
    try:
        first: Stage = "cutting-over" if stage in BEHIND else stage
        await moves.begin_move(first, NOW, has_way_back=way_back)
        for before, after in itertools.pairwise([first, *BEHIND[: _place(stage)]]):
            await moves.enter(after, before, NOW)
        ticks = itertools.count()
        table = Table(lambda: NOW + 20.0 + next(ticks) / 1e6)

        async def stage_now() -> Stage:
            move = await asks.read_move()
            assert move is not None
            return move.stage

        if way_back:
            table.way_back = Target(stage_now)
        rehearsal = Rehearsal(moves, asks, table, goes_forward=goes_forward)
        yield rehearsal
    finally:
        await asks.aclose()
        await moves.aclose()


def _place(stage: Stage) -> int:
    return BEHIND.index(stage) + 1 if stage in BEHIND else 0


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


async def test_a_check_whose_target_cannot_be_described_says_so(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.refresh_fails = UnavailableError("no answer", operation="DescribeTable")
        ended = await move.ended(CHECK)
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert ended.reply.reasons == ("no answer",)


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


async def test_a_process_that_starts_soon_behind_a_failed_cut_back_waits_for_its_echoes(
    tmp_path: Path,
) -> None:
    """The stream may not have shown what that one wrote to the source."""
    async with rehearsed(tmp_path, "switched", way_back=True) as move:
        move.table.has_ended_watch = True
        async with running(move):
            await anyio.sleep(0.1)
            assert move.table.watched == []
            move.switching._late._again_at = 0.0
            with anyio.fail_after(20):
                await move.table.has_begun.wait()
            assert move.table.watched == ["begun behind a cut-back"]


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


async def test_an_abort_that_is_withdrawn_in_the_same_moment_holds_nothing(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move:
        end = move.switching._file.end

        async def withdrawn_first(number: int, *args: Any, **more: Any) -> bool:
            await move.asks.end(number, "withdrawn", NOW)
            return await end(number, *args, **more)

        move.switching._file.end = withdrawn_first  # type: ignore[method-assign]
        async with running(move):
            ended = await move.ended(TransitionRequest(what="abort"))
            assert ended.outcome == "withdrawn"
            await anyio.sleep(0.1)
            assert (await move.stage(), move.table.is_held) == ("following", False)


async def test_an_abort_while_a_cut_over_ends_is_done_a_moment_later(tmp_path: Path) -> None:
    """What is stored is ahead of what the process has heard."""
    async with rehearsed(tmp_path) as move, running(move):
        move.switching._stage = "cutting-over"
        move.switching._attempted = -1
        number = (await move.asks.ask(TransitionRequest(what="abort"), NOW)).number
        await anyio.sleep(0.1)
        assert (await move.asks.read_transition(number)).outcome is None
        move.switching._attempted = None
        await anyio.sleep(0.2)
        assert (await move.asks.read_transition(number)).outcome == "done"
        assert await move.stage() == "aborted"


async def test_a_go_that_is_stored_is_one_though_storing_it_seemed_to_fail(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move:
        end = move.switching._file.end

        async def stored_but_failed(*args: Any, **more: Any) -> bool:
            if await end(*args, **more) and args[1] == "go":
                raise StateWriteError("the disk did not answer")
            return True

        move.switching._file.end = stored_but_failed  # type: ignore[method-assign]
        async with running(move):
            assert (await move.ended(CUT_OVER)).outcome == "go"
            await anyio.sleep(0.1)
            assert await move.stage() == "switched"
            assert move.table.has_switched
            assert move.table.is_held
            assert not any("nothing was switched" in line for line in move.said)
            assert move.proof.done == []


@pytest.mark.parametrize("proof", ["observed", "closed"])
async def test_that_nothing_was_switched_is_stored_once_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proof: CutOverProof
) -> None:
    monkeypatch.setattr("dynaferry.follow.switching.ABANDONED_SECONDS", 0.05)
    async with rehearsed(tmp_path) as move:
        enter, full = move.switching._file.enter, [True]

        async def refused(stage: Stage, before: Stage, now: float) -> bool:
            if full[0] and stage == "following":
                raise StateWriteError("the disk is full")
            return await enter(stage, before, now)

        move.switching._file.enter = refused  # type: ignore[method-assign]
        async with running(move):
            move.table.fails = UnavailableError("no answer", operation="BatchGetItem")
            assert (await move.ended(replace(CUT_OVER, proof=proof))).outcome == "not ready"
            await anyio.sleep(0.1)
            # Its streams do not wait for the disk.
            assert move.proof.done == (["closed"] if proof == "closed" else []) + ["undone"]
            full[0], move.table.fails = False, None
            await anyio.sleep(0.3)
            assert (await move.stage(), move.table.is_held) == ("following", False)
            assert (await move.ended(CUT_OVER)).outcome == "go"


async def test_that_nothing_went_back_is_stored_once_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaferry.follow.switching.ABANDONED_SECONDS", 0.05)
    async with rehearsed(tmp_path, "switched", way_back=True) as move:
        enter, full = move.switching._file.enter, [True]

        async def refused(stage: Stage, before: Stage, now: float) -> bool:
            if full[0] and stage == "switched":
                raise StateWriteError("the disk is full")
            return await enter(stage, before, now)

        move.switching._file.enter = refused  # type: ignore[method-assign]
        async with running(move):
            move.back.fails = AccessDeniedError("denied", operation="PutItem")
            assert (await move.ended(CUT_BACK)).outcome == "not ready"
            full[0], move.back.fails = False, None
            await anyio.sleep(0.3)
            assert (await move.stage(), move.table.is_held) == ("switched", True)
            # It is watched for late writes again, though that came later.
            assert move.switching._late._again_at < math.inf
            move.switching._late._again_at = 0.0
            await anyio.sleep(0.1)
            assert move.table.watched == ["begun", "ended", "begun behind a cut-back"]
            assert (await move.ended(CUT_BACK)).outcome == "go"


async def test_all_keys_are_compared_before_a_go_that_asks_for_it_and_again_if_one_came(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        # Something came during the first; the second is whole.
        move.proof.found = [None, (1_000, 0)]
        ended = await move.ended(replace(CUT_OVER, verify="full"))
        assert ended.outcome == "go"
        assert move.proof.done == ["compared", "compared"]
        assert ended.reply is not None
        assert "all keys are equal on both sides (1,000 compared)" in ended.reply.shown
        assert ended.reply.proven == ("recent keys equal", "all keys equal")


async def test_a_comparison_of_all_keys_that_differs_twice_ends_it_with_nothing_switched(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.table.clock = lambda: NOW + 30.0
        move.proof.found = [(1_000, 1), (1_000, 1)]
        move.switching._clock = _hurried()
        ended = await move.ended(replace(CUT_OVER, verify="full"))
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert "keys differ on both sides, twice" in ended.reply.reasons[0]
        await anyio.sleep(0.1)
        assert (await move.stage(), move.table.is_held) == ("following", False)


def _hurried() -> Callable[[], float]:
    """A second at each look: what is waited for comes soon."""
    ticks = itertools.count()
    return lambda: NOW + 21.0 + next(ticks) * 0.2


async def test_a_long_comparison_is_left_once_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.proof.takes_seconds = 60.0
        number = (await move.asks.ask(replace(CUT_OVER, verify="full"), NOW)).number
        await anyio.sleep(0.2)
        assert move.proof.done == ["compared"]
        assert await move.asks.end(number, "withdrawn", NOW)
        await anyio.sleep(0.3)
        assert await move.stage() == "following"


async def test_streams_are_closed_for_a_proof_and_the_go_says_that_it_is_one(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        ended = await move.ended(replace(CUT_OVER, proof="closed"))
        assert ended.outcome == "go"
        assert ended.reply is not None
        assert ended.reply.proven == ("drained", "recent keys equal")
        assert move.proof.done == ["closed"]


async def test_streams_that_were_closed_for_nothing_are_opened_again(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.table.fails = UnavailableError("no answer", operation="BatchGetItem")
        ended = await move.ended(replace(CUT_OVER, proof="closed"))
        assert ended.outcome == "not ready"
        await anyio.sleep(0.1)
        assert move.proof.done == ["closed", "undone"]
        assert await move.stage() == "following"


async def test_while_streams_cannot_be_opened_again_whoever_asks_is_told_why(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.table.fails = UnavailableError("no answer", operation="BatchGetItem")
        move.proof.stuck = ("orders: you may not",)
        first = await move.ended(replace(CUT_OVER, proof="closed"))
        second = await move.ended(CUT_OVER)
        assert first.reply is not None
        assert second.reply is not None
        # The first one is told what ended it, the second what is in its way.
        assert (first.outcome, first.reply.reasons) == ("not ready", ("no answer",))
        assert (second.outcome, second.reply.reasons) == ("not ready", move.proof.stuck)
        assert await move.stage() == "following"
        move.table.fails, move.proof.stuck = None, ()
        move.proof.may_undo.set()
        assert (await move.ended(CUT_OVER)).outcome == "go"
        assert move.proof.done == ["closed", "undone"]


async def test_a_proof_that_cannot_be_had_is_told_by_a_check_and_refused(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.proof.why_not = ("orders: its stream is somebody else's",)
        checked = await move.ended(replace(CHECK, proof="closed"))
        assert checked.outcome == "not ready"
        assert checked.reply is not None
        assert checked.reply.reasons == move.proof.why_not
        assert (await move.ended(CHECK)).outcome == "done"
        assert (await move.ended(replace(CUT_OVER, proof="closed"))).outcome == "refused"
        assert (move.proof.done, await move.stage()) == ([], "following")


async def test_a_check_that_cannot_see_whether_a_proof_can_be_had_says_why(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        move.proof.refusals_fail = UnavailableError("no answer", operation="DescribeTable")
        checked = await move.ended(replace(CHECK, proof="closed"))
        assert checked.outcome == "not ready"
        assert checked.reply is not None
        assert checked.reply.reasons == ("no answer",)
        assert (move.proof.done, await move.stage()) == ([], "following")


# The way back ------------------------------------------------------------------------------------


async def test_the_target_is_kept_before_the_go_is_stored_and_armed_before_anything_is_applied(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path, way_back=True) as move, running(move):
        target = move.table.way_back
        assert target is not None
        assert target.told == [("arm", "following")]
        ended = await move.ended(CUT_OVER)
        assert ended.outcome == "go"
        assert target.told[1:] == [("keep", "cutting-over")]
        assert ended.reply is not None
        assert not any("a way back" in told for told in ended.reply.not_shown)


async def test_a_go_that_was_withdrawn_in_the_same_moment_keeps_nothing(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, way_back=True) as move:
        target = move.table.way_back
        assert target is not None
        await move.switching.begin()
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        await move.asks.end(number, "withdrawn", NOW)
        reply = TransitionReply(step="go", since=NOW)
        assert not await move.switching.end(number, "go", reply)
        assert [told for told, _ in target.told] == ["arm", "keep", "pass over"]
        assert await move.stage() == "following"


@pytest.mark.parametrize("stage", ["switched", "returned"])
async def test_a_process_behind_the_switch_arms_nothing_and_sends_nothing(
    tmp_path: Path, stage: Stage
) -> None:
    async with rehearsed(tmp_path, stage, way_back=True) as move:
        assert await move.switching.begin() == stage
        assert move.table.way_back is not None
        assert move.table.way_back.told == []
        assert (move.table.has_switched, move.table.stands) == (True, stage)


async def test_a_way_back_that_a_process_left_unfinished_is_switched_as_before(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path, "going-back", way_back=True) as move:
        assert await move.switching.begin() == "switched"
        assert move.table.has_switched
        assert move.table.watched == ["ended"]


async def test_a_cut_back_is_a_go_with_its_state_and_once_only(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, "switched", way_back=True) as move, running(move):
        ended = await move.ended(CUT_BACK)
        assert (ended.outcome, await move.stage()) == ("go", "returned")
        assert ended.reply is not None
        assert any("writes to the source are held" in line for line in ended.reply.lines)
        await anyio.sleep(0.1)
        assert move.back.done == ["begin", "late", "end"]
        # What we wrote to the source is not late.
        assert move.table.watched == ["begun", "ended"]
        assert (move.table.stands, move.table.has_switched) == ("returned", True)
        assert (await move.ended(CUT_BACK)).outcome == "refused"
        assert (await move.ended(CUT_OVER)).outcome == "refused"
        assert (await move.ended(TransitionRequest(what="finish"))).outcome == "done"


async def test_a_cut_back_whose_role_or_writes_are_refused_leaves_the_target_in_use(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path, "switched", way_back=True) as move, running(move):
        ended = await move.ended(TransitionRequest(what="cut-back"))
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert ended.reply.reasons == ("no role is named",)
        assert move.back.done == []  # nothing of the source was touched
        move.back.fails = AccessDeniedError("may not write", operation="BatchWriteItem")
        move.back.look_now = replace(move.back.look_now, reasons=())
        ended = await move.ended(CUT_BACK)
        assert (ended.outcome, await move.stage()) == ("not ready", "switched")
        assert ended.reply is not None
        assert ended.reply.reasons == ("may not write",)
        # Once the source's stream has shown what we wrote, others' writes are watched for again.
        move.switching._late._again_at = 0.0
        with anyio.fail_after(20):
            while len(move.table.watched) < 3:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert move.table.watched == ["begun", "ended", "begun behind a cut-back"]
        move.back.fails = None
        assert (await move.ended(CUT_BACK)).outcome == "go"


async def test_nothing_goes_back_before_a_switch_or_without_a_way_back(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, way_back=True) as move, running(move):
        assert (await move.ended(CUT_BACK)).outcome == "refused"
        assert move.back.done == []
    async with rehearsed(tmp_path / "other", "switched") as move, running(move):
        ended = await move.ended(CUT_BACK)
        assert ended.outcome == "refused"
        assert move.back.done == []


async def test_a_check_behind_the_switch_is_one_of_the_way_back(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, "switched", way_back=True) as move, running(move):
        ended = await move.ended(CHECK)
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert ended.reply.reasons == ("no answer",)


async def test_it_goes_forward_again_where_it_has_returned_and_nowhere_else(
    tmp_path: Path,
) -> None:
    for stage, then in (("returned", "following"), ("switched", "switched")):
        place = tmp_path / stage
        async with rehearsed(place, cast("Stage", stage), way_back=True, goes_forward=True) as move:
            assert await move.switching.begin() == then
            assert await move.stage() == then
            goes = then == "following"
            assert move.table.has_gone_forward == goes
            assert move.table.has_switched != goes
            # What the target was written behind the return is not forgotten before it is seen.
            assert move.table.way_back is not None
            assert move.table.way_back.told == []
            assert move.table.way_back.catches_up == goes


async def test_what_was_written_behind_a_return_is_taken_over_once_all_of_it_is_seen(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path, "returned", way_back=True, goes_forward=True) as move:
        async with running(move):
            await anyio.sleep(0.1)
            target = move.table.way_back
            assert target is not None
            assert move.table.taken_over == 0
            target.has_caught_up = True
            with anyio.fail_after(20):
                while target.has_caught_up:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            assert move.table.taken_over == 1
        # One that passes over already is armed.
        target.spool.passes_over = True
        await move.switching.begin()
        assert [told for told, _ in target.told] == ["arm"]
