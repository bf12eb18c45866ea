"""What pages ask of a move is asked in its file, and withdrawn once no page is open any more."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from msgspec.structs import replace

from dynaferry.cli.commands import page_switch
from dynaferry.cli.commands.monitoring import switch_of
from dynaferry.cli.commands.page_switch import PageSwitch
from dynaferry.errors import StateError
from dynaferry.follow.readiness import Reason
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.move_status import PassesStatus
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.directory import move_name
from dynaferry.state.lock import RunLock
from dynaferry.web.switch import SwitchNews, SwitchWord
from tests.follow.test_switching import (
    CUT_OVER,
    NOW,
    QUIET,
    UNQUIET,
    Rehearsal,
    quick,
    rehearsed,
    running,
)
from tests.observe.moves import a_move_status

__all__ = ["quick"]  # a fixture, used by itself

SECONDS = 20.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_switch, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(page_switch, "ALONE_SECONDS", 0.2)


@asynccontextmanager
async def desk_of(
    state_dir: Path, outage_seconds: float | None = None
) -> AsyncIterator[tuple[PageSwitch, Rehearsal]]:
    """The desk of a move that follows, with one page open."""
    lock = await to_thread.run_sync(RunLock.acquire, state_dir, move_name("orders"))
    try:
        async with rehearsed(state_dir) as move, running(move), anyio.create_task_group() as tasks:
            desk = PageSwitch(state_dir, "orders", lambda: True, lambda: outage_seconds)
            tasks.start_soon(desk.run)
            await anyio.sleep(0.1)
            desk.note_pages(1)
            yield desk, move
            tasks.cancel_scope.cancel()
    finally:
        lock.release()


async def shown(desk: PageSwitch, is_it: Callable[[SwitchNews], bool]) -> SwitchNews:
    """The news once they are such."""
    with anyio.fail_after(SECONDS):
        while desk.news is None or not is_it(desk.news):  # noqa: ASYNC110  # they are a value
            await anyio.sleep(0.01)
    return desk.news


def has_ended(news: SwitchNews) -> bool:
    return news.outcome is not None


async def test_a_check_says_what_speaks_against_it_and_then_that_it_is_ready(
    tmp_path: Path,
) -> None:
    async with desk_of(tmp_path) as (desk, move):
        reasons = (Reason("lag", "the target is 11 s behind"),)
        move.table.look_now = replace(move.table.look_now, reasons=reasons)
        await desk.ask("check")
        news = await shown(desk, has_ended)
        assert (news.what, news.outcome, news.is_good) == ("check", "not ready", False)
        assert news.told == ("not ready: the target is 11 s behind",)
        move.table.look_now = replace(move.table.look_now, reasons=())
        await desk.ask("check")
        news = await shown(desk, lambda news: news.is_good)
        assert (news.outcome, news.told[0]) == ("done", "ready")


async def test_a_cut_over_shows_its_steps_and_its_go(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as (desk, move):
        move.table.look_now = replace(move.table.look_now, quiet=UNQUIET)
        await desk.ask("cut-over")
        news = await shown(desk, lambda news: bool(news.lines))
        assert (news.outcome, news.may_withdraw) == (None, True)
        assert "waits for silence" in news.lines[0]
        with pytest.raises(StateError, match="under way"):
            await desk.ask("check")
        quiet = replace(QUIET, since=NOW + 21.0)
        move.table.look_now = replace(move.table.look_now, quiet=quiet)
        news = await shown(desk, has_ended)
        assert (news.outcome, news.is_good, news.may_withdraw) == ("go", True, False)
        assert "start the writers on the target" in news.told[-1]
        assert len(news.lines) >= 2
        assert await move.stage() == "switched"
        await desk.ask("cut-over")
        news = await shown(desk, lambda news: news.told == ("go: it was switched already",))
        assert news.is_good


@pytest.mark.parametrize("by", ["its button", "closing every page"])
async def test_what_is_withdrawn_has_switched_nothing(tmp_path: Path, by: str) -> None:
    async with desk_of(tmp_path) as (desk, move):
        move.table.look_now = replace(move.table.look_now, quiet=UNQUIET)
        await desk.ask("cut-over")
        await shown(desk, lambda news: bool(news.lines))
        if by == "its button":
            await desk.ask("withdraw")
        else:
            desk.note_pages(0)
        news = await shown(desk, has_ended)
        assert (news.outcome, news.is_good) == ("withdrawn", False)
        assert "nothing was switched" in news.told[-1]
        with pytest.raises(StateError, match="nothing that was asked for"):
            await desk.ask("withdraw")
        with anyio.fail_after(SECONDS):
            while await move.stage() != "following":  # noqa: ASYNC110  # it is in a file
                await anyio.sleep(0.01)


async def test_a_page_that_is_loaded_anew_withdraws_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_switch, "ALONE_SECONDS", 30.0)
    async with desk_of(tmp_path) as (desk, move):
        move.table.look_now = replace(move.table.look_now, quiet=UNQUIET)
        await desk.ask("cut-over")
        desk.note_pages(0)
        await anyio.sleep(0.1)
        desk.note_pages(1)
        monkeypatch.setattr(page_switch, "ALONE_SECONDS", 0.0)
        await anyio.sleep(0.2)
        assert desk.news is not None
        assert desk.news.outcome is None


async def test_what_is_asked_elsewhere_is_shown_and_not_withdrawn_here(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as (desk, move):
        move.table.look_now = replace(move.table.look_now, quiet=UNQUIET)
        asked = await move.asks.ask(CUT_OVER, NOW)
        news = await shown(desk, lambda news: bool(news.lines))
        assert (news.what, news.may_withdraw) == ("cut-over", False)
        with pytest.raises(StateError, match="nothing that was asked for here"):
            await desk.ask("withdraw")
        assert await move.asks.end(asked.number, "withdrawn", NOW)
        assert (await shown(desk, has_ended)).outcome == "withdrawn"


async def test_before_it_is_followed_nothing_is_asked_and_no_file_opened(tmp_path: Path) -> None:
    desk = PageSwitch(tmp_path, "orders", lambda: False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.run)
        desk.note_pages(1)
        await anyio.sleep(0.1)
        with pytest.raises(StateError, match="being copied"):
            await desk.ask("check")
        tasks.cancel_scope.cancel()
    assert desk.news is None
    assert list(tmp_path.iterdir()) == []


async def test_a_move_that_is_gone_is_told_and_nothing_hangs(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as (desk, move):
        await move.asks.enter("finished", "following", NOW)
        await desk.ask("cut-over")
        news = await shown(desk, has_ended)
        assert (news.outcome, news.is_good) == ("refused", False)
        assert "the move is finished" in news.told[0]


@pytest.mark.parametrize(
    ("outage_seconds", "timeout_seconds"), [(None, 120.0), (10.0, 120.0), (300.0, 660.0)]
)
@pytest.mark.parametrize("what", ["check", "cut-over"])
async def test_a_switch_may_take_as_long_as_the_outage_that_is_told_needs(
    tmp_path: Path, what: SwitchWord, outage_seconds: float | None, timeout_seconds: float
) -> None:
    async with desk_of(tmp_path, outage_seconds) as (desk, move):
        await desk.ask(what)
        await shown(desk, has_ended)
        asked = await move.asks.read_last(("check", "cut-over"))
        assert asked is not None
        assert asked.request.timeout_seconds == timeout_seconds


def test_the_outage_of_a_page_is_the_one_that_the_move_tells(tmp_path: Path) -> None:
    monitor = RunMonitor("orders", readers=8)
    desk = switch_of(CopyPlan(tables=(TablePlan("orders"),), state_dir=tmp_path), monitor)
    assert desk.timeout_seconds == 120.0
    passes = PassesStatus(done=1, found=0, seconds=300.0, outage_seconds=300.0)
    monitor.note_move([a_move_status(passes=passes), a_move_status(passes=passes)])
    assert desk.timeout_seconds == 660.0
