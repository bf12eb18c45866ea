"""A switch without a stream: go only behind a last pass that found both sides equal and still."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from anyio import to_thread
from msgspec.structs import replace

from dynaferry.errors import AccessDeniedError, DynaferryError, UnavailableError
from dynaferry.follow.passes import last_pass
from dynaferry.follow.passes.answering import PassesAnswering
from dynaferry.follow.passes.passes import Passes
from dynaferry.follow.stored_move import read_move
from dynaferry.state.move_records import (
    CutOverVerify,
    PassRecord,
    Stage,
    TransitionRecord,
    TransitionRequest,
)
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from tests.follow.passes.records import a_pass
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

NOW = CREATED_AT + 1_000.0
CUT_OVER = TransitionRequest(what="cut-over", timeout_seconds=1_000.0)
CHECK = TransitionRequest(what="check", timeout_seconds=1_000.0)


class Tables:
    """Both tables, as far as a switch sees them: what changes, and what each pass finds."""

    def __init__(self) -> None:
        self.found = 0
        self.in_flux = 0
        self.error: DynaferryError | None = None
        self.pass_seconds = 0.0
        self.repairs = False
        self.may_land_seconds = 0.0
        self.watched = 10
        self.value = 0
        self.changes_while_compared = 0
        self.changes_at_each_look = False
        self.made: list[PassRecord] = []
        self.under_way = 0
        self.most_under_way = 0

    # In the place of `WatchedKeys`.
    @property
    def count(self) -> int:
        return self.watched

    async def choose(self) -> None:
        pass

    async def seen(self) -> list[dict[bytes, bytes]]:
        if self.changes_at_each_look:
            self.value += 1
        return [{b"k": str(self.value).encode()}] if self.watched else [{}]


class FakePass:
    """In the place of `OnePass`."""

    def __init__(
        self, tables: Tables, begun: PassRecord, stop: StopSignal, clock: Callable[[], float]
    ) -> None:
        self._tables = tables
        self._begun = begun
        self._stop = stop
        self._clock = clock
        self.phase = "repairing" if tables.repairs else "reading"
        self.may_have_written = tables.repairs
        self.share = 0.5
        self.number = begun.number
        self.error = tables.error

    def end_reading(self) -> None:
        if self.phase != "repairing":
            self._stop.ask()

    async def make(self) -> PassRecord:
        tables = self._tables
        tables.under_way += 1
        tables.most_under_way = max(tables.most_under_way, tables.under_way)
        try:
            with anyio.move_on_after(tables.pass_seconds):
                await self._stop.finish.wait()
        finally:
            tables.under_way -= 1
        made = a_pass(
            self._begun.number,
            began_at=self._begun.began_at,
            found=tables.found,
            in_flux=tables.in_flux,
            reading=1.0,
        )
        made = replace(made, is_last=self._begun.is_last)
        if self._stop.asked:
            made = replace(made, is_complete=False)
        if tables.error is not None:
            made = replace(made, is_complete=False, error=tables.error.message)
        if tables.may_land_seconds:
            made = replace(made, may_land_until=self._clock() + tables.may_land_seconds)
            tables.may_land_seconds = 0.0
        if self._begun.is_last:
            tables.value += tables.changes_while_compared
        tables.made.append(made)
        return made


class Rehearsal:
    """A move by passes, and whoever asks."""

    def __init__(self, moves: PassFile, asks: PassFile) -> None:
        self.moves = moves
        self.asks = asks
        self.tables = Tables()
        self.said: list[str] = []
        self.stop = StopSignal()
        self.against: tuple[str, ...] = ()
        self.regions: tuple[str, ...] = ()
        self.failed: BaseException | None = None
        ticks = itertools.count()
        self._clock = lambda: NOW + anyio.current_time() + next(ticks) / 1e6

    async def begun(self, stage: Stage) -> None:
        self.passes = Passes(
            self.moves,
            cast("Any", lambda begun, stop: FakePass(self.tables, begun, stop, self._clock)),
            self.said.append,
            made=await self.moves.read_passes(),
            copied_since=CREATED_AT,
            regions=self.regions,
            after_one=self._after_one,
            clock=self._clock,
        )
        self.answering = PassesAnswering(
            self.moves,
            self.passes,
            cast("Any", self.tables),
            self._against,
            self.stop,
            self.said.append,
            stage,
            self._clock,
        )

    async def _after_one(self, has_converged: bool) -> None:
        await self.answering.note_pass(has_converged)

    async def _against(self) -> tuple[str, ...]:
        return self.against

    async def ended(self, request: TransitionRequest) -> TransitionRecord:
        """What becomes of it while whoever asked shows to be there."""
        number = (await self.asks.ask(request, NOW)).number
        with anyio.fail_after(20):
            while True:
                transition = await self.asks.beat(number)
                if transition.outcome is not None:
                    return transition
                await anyio.sleep(0.02)

    async def stage(self) -> Stage:
        move = await self.asks.read_move()
        assert move is not None
        return move.stage

    async def until(self, is_so: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while True:
                if is_so():
                    return
                await anyio.sleep(0.01)

    async def until_stage(self, stage: Stage) -> None:
        with anyio.fail_after(20):
            while True:
                if await self.stage() == stage:
                    return
                await anyio.sleep(0.01)


@asynccontextmanager
async def rehearsed(state_dir: Path) -> AsyncIterator[Rehearsal]:
    store = await SqliteStore.create(state_dir, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    moves = await PassFile.open(state_dir, "orders")
    asks = await PassFile.open(state_dir, "orders")
    try:
        await moves.begin_passes(NOW)
        yield Rehearsal(moves, asks)
    finally:
        await asks.aclose()
        await moves.aclose()


@asynccontextmanager
async def running(rehearsal: Rehearsal, stage: Stage = "replaying") -> AsyncIterator[None]:
    await rehearsal.begun(stage)
    async with anyio.create_task_group() as group:
        group.start_soon(rehearsal.passes.run)
        group.start_soon(rehearsal.answering.run)
        yield
        group.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("last_pass", "answering"):
        monkeypatch.setattr(f"dynaferry.follow.passes.{module}.POLL_SECONDS", 0.01)
    monkeypatch.setattr(last_pass, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr("dynaferry.follow.passes.passes.OVER_SECONDS", 0.01)


async def test_a_go_is_stored_behind_a_last_pass_and_no_pass_begins_any_more(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        ended = await move.ended(CUT_OVER)
        assert (ended.outcome, await move.stage()) == ("go", "switched")
        assert move.tables.made[-1].is_last
        assert ended.reply is not None
        assert "all keys of both tables are equal" in ended.reply.shown[0]
        assert "of 10 keys that changed of late none has changed" in ended.reply.shown[1]
        assert "late write leaves no trace" in ended.reply.not_shown[0]
        assert ended.reply.outage_seconds is not None
        await move.until(lambda: move.stop.asked)
        passes = len(move.tables.made)
        move.passes.want_one()
        await anyio.sleep(0.2)
        assert len(move.tables.made) == passes
        stored = await move.asks.read_passes()
        assert stored == move.tables.made
        assert move.tables.most_under_way == 1


async def test_of_a_global_table_what_other_regions_replicate_is_waited_for_and_told_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_pass, "REPLICATION_SECONDS", 0.6)
    async with rehearsed(tmp_path) as move:
        move.regions = ("eu-west-1",)
        async with running(move):
            await move.until_stage("following")
            ready = await move.ended(CHECK)
            assert ready.reply is not None
            assert "15s for what other Regions may replicate" in ready.reply.lines[0]
            began = anyio.current_time()
            ended = await move.ended(CUT_OVER)
            assert ended.outcome == "go"
            assert anyio.current_time() - began >= 0.6
            assert ended.reply is not None
            assert any("what eu-west-1 may replicate yet" in line for line in ended.reply.lines)
            assert "eu-west-1" in ended.reply.not_shown[-1]


async def test_before_the_passes_have_converged_a_check_says_so(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move:
        move.tables.found = 500_000
        move.tables.pass_seconds = 0.5
        async with running(move):
            ended = await move.ended(CHECK)
            assert ended.outcome == "not ready"
            assert ended.reply is not None
            assert "have not converged" in ended.reply.reasons[0]
            refused = await move.ended(CUT_OVER)
            assert (refused.outcome, await move.stage()) == ("refused", "replaying")


async def test_a_check_tells_the_outage_and_what_speaks_against_a_switch(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        ready = await move.ended(CHECK)
        assert ready.outcome == "done"
        assert ready.reply is not None
        assert "a switch now takes an outage of about" in ready.reply.lines[0]
        assert ready.reply.outage_seconds is not None
        short = await move.ended(replace(CHECK, timeout_seconds=1.0))
        assert short.reply is not None
        assert "--timeout 1 is less" in short.reply.reasons[0]
        closed = await move.ended(replace(CHECK, proof="closed"))
        assert closed.reply is not None
        assert "no stream that could be closed" in closed.reply.reasons[0]
        move.against = ("the target orders is UPDATING, not ACTIVE",)
        against = await move.ended(CUT_OVER)
        assert against.reply is not None
        assert (against.outcome, against.reply.reasons) == ("not ready", move.against)
        assert not any(made.is_last for made in move.tables.made)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"in_flux": 3, "found": 3}, "somebody writes still: 3 items"),
        ({"changes_while_compared": 1}, "somebody writes still: 1 items"),
        ({"error": UnavailableError("the service is away")}, "the service is away"),
        ({"error": AccessDeniedError("may not")}, "may not"),
    ],
)
async def test_what_is_not_equal_or_not_still_is_not_switched_and_passes_go_on(
    tmp_path: Path, what: dict[str, Any], told: str
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        for name, value in what.items():
            setattr(move.tables, name, value)
        ended = await move.ended(CUT_OVER)
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert told in ended.reply.reasons[0]
        await move.until_stage("following")
        for name, value in vars(Tables()).items():
            if name in what:
                setattr(move.tables, name, value)
        passes = len(move.tables.made)
        move.passes.want_one()
        await move.until(lambda: len(move.tables.made) > passes)
        assert (await move.ended(CUT_OVER)).outcome == "go"


async def test_writers_that_go_on_are_waited_for_until_the_time_is_over(tmp_path: Path) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        move.tables.changes_at_each_look = True
        passes = len(move.tables.made)
        # The estimate is some seconds; the clock of the rehearsal is that of the loop.
        ended = await move.ended(replace(CUT_OVER, timeout_seconds=5.0))
        assert ended.outcome == "not ready"
        assert ended.reply is not None
        assert ended.reply.reasons == ("5 s are over: writers",)
        assert any("stop the writers now: 1 of 10" in line for line in ended.reply.lines)
        assert not any(made.is_last for made in move.tables.made[passes:])


async def test_who_withdraws_or_is_gone_ends_the_last_pass_and_nothing_is_switched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_pass, "ABANDONED_SECONDS", 0.3)
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        move.tables.pass_seconds = 30.0
        number = (await move.asks.ask(CUT_OVER, NOW)).number  # and shows to be there no more
        await move.until(lambda: move.tables.under_way == 1)
        await move.until_stage("following")
        assert (await move.asks.read_transition(number)).outcome == "withdrawn"
        assert not move.tables.made[-1].is_complete
        monkeypatch.setattr(last_pass, "ABANDONED_SECONDS", 30.0)
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        await move.until_stage("cutting-over")
        await move.asks.end(number, "withdrawn", NOW)
        await move.until_stage("following")
        assert (await move.asks.read_transition(number)).outcome == "withdrawn"
        # A process that is to stop does not switch first.
        number = (await move.asks.ask(CUT_OVER, NOW)).number
        await move.until_stage("cutting-over")
        move.stop.ask()
        await move.until_stage("following")
        stopped = await move.asks.read_transition(number)
        assert stopped.reply is not None
        assert stopped.reply.reasons == ("the process of the move was stopped",)


async def test_a_pass_that_reads_is_ended_for_a_switch_and_one_that_repairs_is_waited_for(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        move.tables.pass_seconds = 60.0
        move.passes.want_one()
        await move.until(lambda: move.tables.under_way == 1)
        move.tables.pass_seconds = 0.0
        assert (await move.ended(CUT_OVER)).outcome == "go"
        assert [made.is_complete for made in move.tables.made[-2:]] == [False, True]
    async with rehearsed(tmp_path / "other") as move, running(move):
        await move.until_stage("following")
        move.tables.repairs, move.tables.pass_seconds = True, 1.0
        move.passes.want_one()
        await move.until(lambda: move.tables.under_way == 1)
        move.tables.pass_seconds = 0.0
        assert (await move.ended(CUT_OVER)).outcome == "go"
        assert [made.is_complete for made in move.tables.made[-2:]] == [True, True]


async def test_a_write_that_may_land_is_waited_for_before_the_last_pass_and_behind_it(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        move.tables.may_land_seconds = 3.0
        move.passes.want_one()
        await move.until(lambda: move.passes.may_land_until > 0)
        lands_at = move.passes.may_land_until
        ended = await move.ended(CUT_OVER)
        assert ended.outcome == "go"
        last = [made for made in move.tables.made if made.is_last]
        assert [made.began_at >= lands_at for made in last] == [True]
        assert ended.reply is not None
        assert any("nobody knows what became of it" in line for line in ended.reply.lines)
    async with rehearsed(tmp_path / "other") as move, running(move):
        await move.until_stage("following")
        move.tables.may_land_seconds = 3.0  # of the last pass itself
        assert (await move.ended(CUT_OVER)).outcome == "go"
        first, second = (made for made in move.tables.made if made.is_last)
        assert first.may_land_until is not None
        assert second.began_at >= first.may_land_until


@pytest.mark.parametrize("verify", ["none", "recent", "full"])
async def test_every_key_is_compared_whatever_is_to_be_verified_and_that_is_said(
    tmp_path: Path, verify: CutOverVerify
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        ended = await move.ended(replace(CUT_OVER, verify=verify))
        assert (ended.outcome, move.tables.made[-1].is_last) == ("go", True)
        assert ended.reply is not None
        (line,) = (line for line in ended.reply.lines if "compares every key" in line)
        assert (f"--verify {verify} makes it no less" in line) == (verify != "full")


async def test_a_process_that_was_killed_in_a_pass_leaves_a_write_that_may_land(
    tmp_path: Path,
) -> None:
    async with rehearsed(tmp_path) as move:
        async with running(move):
            await move.until_stage("following")
            move.tables.pass_seconds = 60.0
            move.passes.want_one()
            await move.until(lambda: move.tables.under_way == 1)
        # Of the pass under way no end is stored, as after a kill.
        assert [made.ended_at is None for made in await move.asks.read_passes()][-1]
        await move.begun("following")
        assert move.passes.may_land_until > NOW + 59


async def test_a_pass_without_a_right_ends_the_move_and_one_without_a_response_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaferry.follow.passes.passes.AGAIN_SECONDS", 0.1)
    async with rehearsed(tmp_path) as move:
        move.tables.error = UnavailableError("the service is away")
        async with running(move):
            await move.until(lambda: len(move.tables.made) > 2)
            move.tables.error = None
            await move.until_stage("following")
        move.tables.error = AccessDeniedError("Scan is not allowed")
        with pytest.raises(ExceptionGroup) as failed:
            async with running(move, "following"):
                await anyio.sleep(10)
        assert failed.group_contains(AccessDeniedError, match="Scan")


@pytest.mark.parametrize(("what", "stage"), [("abort", "aborted"), ("finish", "finished")])
async def test_a_move_by_passes_is_ended_for_good_in_the_states_that_let_it(
    tmp_path: Path, what: Any, stage: Stage
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        refused = await move.ended(TransitionRequest(what="cut-back"))
        assert refused.outcome == "refused"
        ended = await move.ended(TransitionRequest(what=what))
        assert ended.outcome == ("done" if what == "abort" else "refused")
        if what == "finish":
            assert (await move.ended(CUT_OVER)).outcome == "go"
            ended = await move.ended(TransitionRequest(what=what))
        assert (ended.outcome, await move.stage()) == ("done", stage)
        assert move.stop.asked
        assert await to_thread.run_sync(read_move, tmp_path, "orders", 1) == []


async def test_a_go_that_cannot_be_stored_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rehearsed(tmp_path) as move, running(move):
        await move.until_stage("following")
        end = PassFile.end

        async def fails(self: PassFile, *args: Any, **named: Any) -> bool:
            if named.get("outcome") == "go":
                raise UnavailableError("the disk is full")
            return await end(self, *args, **named)

        monkeypatch.setattr(PassFile, "end", fails)
        ended = await move.ended(CUT_OVER)
        assert ended.outcome == "not ready"
        await move.until_stage("following")
        monkeypatch.setattr(PassFile, "end", end)
        assert (await move.ended(CUT_OVER)).outcome == "go"
