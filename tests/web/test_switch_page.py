"""The switch on the live page: what may be asked for, who may, and what is shown of it."""

import json
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.observe.monitor import RunMonitor
from dynaferry.web.control import Change, ControlsView
from dynaferry.web.feed import Feed, Shown
from dynaferry.web.guards import TOKEN_HEADER
from dynaferry.web.switch import SwitchNews, SwitchWord
from tests.web.browsed import TOKEN, page_of
from tests.web.chromium import needs_chromium
from tests.web.served import served
from tests.web.test_move_page import StagedMove

STEPS = ("0.2 s  stop the writers now: 41 changes/s, the last 0.1 s ago", "1.6 s  waits")
GO = "go, 6.3 s after the last change: start the writers on the target"


class Desk:
    """Notes what it is asked for, and shows what a test puts there."""

    def __init__(self) -> None:
        self.news: SwitchNews | None = None
        self.asked: list[SwitchWord] = []
        self.pages: list[int] = []
        self.refuses: StateError | None = None

    def note_pages(self, pages: int) -> None:
        self.pages.append(pages)

    async def ask(self, what: SwitchWord) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append(what)


async def no_change(_: Change) -> None:
    raise AssertionError("nothing is changed here")


async def posted(desk: Desk | None, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    controls = ControlsView("right", no_change)
    async with served(RunMonitor("orders", readers=8), controls, desk) as server:
        given = {"Content-Type": "application/json"} | headers
        answer = await server.ask("POST", "/switch", body, given)
    return answer.status, answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({TOKEN_HEADER: "wrong"}, 403),
        ({TOKEN_HEADER: "right", "Origin": "http://evil.example"}, 403),
        ({TOKEN_HEADER: "right", "Sec-Fetch-Site": "cross-site"}, 403),
        ({TOKEN_HEADER: "right", "Host": "evil.example"}, 421),
        ({TOKEN_HEADER: "right", "Content-Type": "text/plain"}, 415),
    ],
)
async def test_who_may_not_control_asks_for_nothing(headers: dict[str, str], status: int) -> None:
    desk = Desk()
    assert (await posted(desk, b'{"what":"cut-over"}', headers))[0] == status
    assert desk.asked == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"what":"finish"}', b'{"what":"check","timeout":9}']
)
async def test_what_is_not_understood_is_not_asked_for(body: bytes) -> None:
    desk = Desk()
    assert (await posted(desk, body, {TOKEN_HEADER: "right"}))[0] == 400
    assert desk.asked == []


async def test_who_may_control_asks_and_hears_what_stands_in_the_way() -> None:
    desk = Desk()
    right = {TOKEN_HEADER: "right"}
    assert await posted(desk, b'{"what":"check"}', right) == (200, '{"message": "asked"}')
    assert desk.asked == ["check"]
    desk.refuses = StateError("something is under way")
    status, text = await posted(desk, b'{"what":"cut-over"}', right)
    assert (status, json.loads(text)["message"]) == (409, "something is under way")
    assert (await posted(None, b'{"what":"check"}', right))[0] == 409


async def test_a_run_without_control_asks_for_nothing_and_shows_the_switch_all_the_same() -> None:
    desk = Desk()
    async with served(RunMonitor("orders", readers=8), None, desk) as server:
        answer = await server.ask("POST", "/switch", b'{"what":"check"}', {})
    assert (answer.status, desk.asked) == (403, [])


def test_an_open_page_is_sent_the_switch_only_when_it_is_another() -> None:
    desk = Desk()
    feed = Feed(StagedMove().monitor, Shown(can_control=True, switch=lambda: desk.news))
    assert feed.news().switch is None
    desk.news = SwitchNews(what="cut-over", lines=STEPS[:1])
    assert feed.news().switch == desk.news
    assert feed.news().switch is None
    desk.news = SwitchNews(what="cut-over", lines=STEPS)
    assert feed.news().switch == desk.news


@needs_chromium
async def test_a_cut_over_is_asked_for_after_a_second_look_and_its_steps_are_shown(
    tmp_path: Path,
) -> None:
    run, desk = StagedMove(), Desk()
    run.go_on(3)
    async with page_of(run, tmp_path, control=no_change, desk=desk) as page:
        await page.open(f"#token={TOKEN}")
        await page.shows("#state", "copying")
        assert await page.run("document.getElementById('switch').hidden")
        run.is_copied()
        await page.shows("#switch-buttons", "Check")
        await page.click("#switch-check")
        await page.shows("#switch-said", "asked")
        desk.news = SwitchNews(
            what="check", lines=(), outcome="done", told=("ready",), is_good=True
        )
        await page.shows("#switch-told", "ready")
        # One click is none: what it means is said first.
        await page.click("#switch-begin")
        await page.shows("#switch-confirm", "Stop the writers of the source first")
        await page.click("#switch-no")
        assert desk.asked == ["check"]
        await page.click("#switch-begin")
        await page.click("#switch-go")
        desk.news = SwitchNews(what="cut-over", lines=STEPS[:1], may_withdraw=True)
        await page.shows("#switch-steps", "stop the writers now: 41 changes/s")
        assert await page.run("document.getElementById('switch-buttons').hidden")
        desk.news = SwitchNews(what="cut-over", lines=STEPS, may_withdraw=True)
        await page.shows("#switch-steps", "waits")
        await page.click("#switch-withdraw")
        await page.shows("#switch-said", "asked")
        assert desk.asked == ["check", "cut-over", "withdraw"]
        desk.news = SwitchNews(
            what="cut-over", lines=STEPS, outcome="go", told=("shown: <b>all</b>", GO), is_good=True
        )
        await page.shows("#switch-told", GO)
        assert "<b>all</b>" in await page.text("#switch-told")
        run.state, run.more = "switched", {"late_writes": 3}
        await page.shows("#state", "switched")
        await page.shows("#move-late", "LATE WRITES: 3 keys were written to the source orders")
        assert await page.run("document.getElementById('switch-buttons').hidden")
        assert desk.pages[-1] == 1
        assert await page.complaints() == []


@needs_chromium
async def test_without_control_the_steps_are_shown_and_nothing_can_be_asked_for(
    tmp_path: Path,
) -> None:
    run, desk = StagedMove(), Desk()
    run.go_on(2)
    run.is_copied()
    desk.news = SwitchNews(
        what="cut-over", lines=STEPS, outcome="not ready", told=("not ready: it lags",)
    )
    async with page_of(run, tmp_path, desk=desk) as page:
        await page.open()
        await page.shows("#switch-told", "not ready: it lags")
        await page.shows("#switch-steps", "stop the writers now")
        for button in ("switch-buttons", "switch-withdraw", "switch-confirm"):
            assert await page.run(f"document.getElementById('{button}').hidden")
