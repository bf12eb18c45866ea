"""The card of a move on the live page, in a real browser; and what it is sent, without one."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from anyio import to_thread

from dynaferry.web.feed import Feed, Shown
from tests.observe.moves import a_move_status
from tests.web.browsed import page_of
from tests.web.chromium import PHONE, needs_chromium
from tests.web.staged import StagedRun

if TYPE_CHECKING:
    from dynaferry.observe.move_status import MoveState

MOST_BYTES_A_SECOND = 4096


class StagedMove(StagedRun):
    """A move that captures while it copies, and follows when a test says so."""

    def __init__(self, tables: int = 1) -> None:
        super().__init__(64)
        self.state: MoveState = "copying"
        self.captured = self.out = 0
        self.more: dict[str, object] = {}
        self._sources = [f"orders-{number}" if number else "orders" for number in range(tables)]

    def is_copied(self) -> None:
        self.table.state, self.table.segments_complete = "complete", 64
        self.state = "following"

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            if self.state == "copying":
                super().go_on(1)
            else:
                self.clock.now += 1
                self.out = self.captured
            self.captured += 500
            lag = None if self.state == "copying" else 1.2 + math.sin(self.clock.now)
            self.monitor.note_move(
                [
                    a_move_status(
                        source=source,
                        target=source,
                        state=self.state,
                        lag_seconds=lag,
                        spool_rows=self.captured - self.out,
                        changes_captured=self.captured,
                        changes_applied=self.out,
                        changes_compacted=0,
                        changes_rejected=0,
                        **self.more,
                    )
                    for source in self._sources
                ]
            )


@needs_chromium
async def test_a_move_shows_its_state_its_lag_its_changes_and_its_spool(tmp_path: Path) -> None:
    run = StagedMove()
    run.go_on(20)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "copying")
        await page.shows("#move-lines", "orders: copying (2,031 changes/s in")
        await page.shows("#move-facts", "behind\n\N{EN DASH}")
        assert not await page.run("document.getElementById('move').hidden")
        run.is_copied()
        await page.shows("#state", "following")
        await page.shows("#move-lines", "s behind (2,031 changes/s in, 2,029 out; ")
        await page.shows("#move-facts", "shards\n16 + 2 later")
        await page.shows("#facts", "behind")
        await page.shows("#share", "100%")
        for chart in ("move-lag", "move-changes", "move-waiting"):
            assert await page.run(f"document.querySelectorAll('#{chart} canvas').length > 0")
        run.more = {
            "will_catch_up": False,
            "limited_by": "the cap of 100 write units a second",
            "remedy": "raise it",
        }
        await page.shows("#move-losing", "it will not catch up")
        await page.shows("#move-losing", "limited by the cap of 100 write units a second")
        run.more = {"capture_silent_seconds": 90.0, "trouble": "no permission"}
        await page.shows("#state", "stalled")
        await page.shows("#trouble-what", "the stream was not read for 90 s: no permission")
        run.more = {}
        run.monitor.stats.paused = True
        await page.shows("#state", "paused")
        assert await page.complaints() == []


@needs_chromium
async def test_the_card_fits_a_phone(tmp_path: Path) -> None:
    run = StagedMove(3)
    run.go_on(5)
    run.is_copied()
    async with page_of(run, tmp_path, size=PHONE) as page:
        await to_thread.run_sync(
            page.driver.execute_cdp_cmd,
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        await page.open()
        await page.shows("#move-lines", "orders-2: following")
        assert await page.run("document.documentElement.scrollWidth") == 390


@needs_chromium
async def test_a_copy_has_no_card_of_a_move(tmp_path: Path) -> None:
    run = StagedRun(64)
    run.go_on(5)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        assert await page.run("document.getElementById('move').hidden")
        assert await page.complaints() == []


@pytest.mark.parametrize("seconds", [10, 5_000])
def test_an_open_page_is_sent_little_each_second_however_long_it_moves(seconds: int) -> None:
    run = StagedMove()
    run.go_on(5)
    run.is_copied()
    feed = Feed(run.monitor, Shown())
    feed.news()
    run.go_on(seconds)
    first = feed.news()
    assert len(first.move_points) <= 601
    run.go_on(1)
    then = feed.news()
    assert len(then.move_points) <= 2
    assert len(msgspec.json.encode(then)) < MOST_BYTES_A_SECOND
