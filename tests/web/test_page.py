"""The live page in a real browser: it loads, moves on, controls, and shows how a run ended."""

from pathlib import Path

import anyio
import msgspec
import pytest
from anyio import to_thread
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from dynaferry.errors import StateError
from dynaferry.observe.summary import ErrorSummary, NextStep, RunStatus, RunSummary
from dynaferry.web import assets
from dynaferry.web.control import Change
from tests.web.browsed import TOKEN, WAIT_SECONDS, page_of
from tests.web.chromium import PHONE, needs_chromium
from tests.web.served import RESUME
from tests.web.staged import StagedRun

pytestmark = needs_chromium


def ended(status: RunStatus, error: ErrorSummary | None = None) -> RunSummary:
    return RunSummary(run="orders", status=status, error=error, tables=())


async def test_it_loads_with_ten_thousand_segments_and_moves_on(tmp_path: Path) -> None:
    run = StagedRun()
    run.go_on(60)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        assert await page.text("#run") == "orders"
        await page.shows("#settings", "32")
        await page.shows("#throttles", "TableWriteKeyRangeThroughputExceeded")
        await page.shows("#unprocessed", "items were left unprocessed")
        await page.shows("#writes-throttles", "/s")
        await page.shows("#reads-throttles", "none")
        await page.shows("#latency", "BatchWriteItem")
        before = await page.text("#facts")
        looks = await page.run("document.querySelector('canvas.map').getAttribute('aria-label')")
        assert "of 10000 segments done" in str(looks)
        await page.run(f"(window.before = {before!r}, 0)")
        await to_thread.run_sync(
            lambda: WebDriverWait(page.driver, WAIT_SECONDS).until(
                lambda driver: driver.find_element(By.ID, "facts").text != before
            )
        )
        drawn = await page.run(
            "new Set(new Uint32Array(document.querySelector('canvas.map').getContext('2d')"
            ".getImageData(0, 0, 400, 100).data.buffer)).size"
        )
        assert isinstance(drawn, int)
        assert drawn >= 3
        assert await page.run("document.querySelectorAll('#writes canvas').length > 0")
        assert await page.run("document.getElementById('controls').hidden")
        assert await page.complaints() == []


async def test_without_the_reviewed_script_it_works_without_charts_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "charts.js"
    changed.write_bytes(assets.charts_script().read_bytes() + b"\nwindow.owned = true;")
    monkeypatch.setattr(assets, "charts_script", lambda: changed)
    run = StagedRun(64)
    run.go_on(5)
    async with page_of(run, tmp_path / "profile") as page:
        await page.open()
        await page.shows("#state", "running")
        await page.shows("#writes", "not the one that was reviewed")
        await page.shows("#reads", "not the one that was reviewed")
        await page.shows("#writes-limit", "limit, now")
        await page.shows("#latency", "BatchWriteItem")
        assert await page.run("window.owned === undefined")
        assert await page.complaints() == []


async def test_it_asks_nobody_but_the_run_for_anything(tmp_path: Path) -> None:
    run = StagedRun(64)
    run.go_on(5)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        asked = await page.run(
            "performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        here = str(await page.run("location.origin"))
    assert isinstance(asked, list)
    assert {f"{here}/charts.js", f"{here}/page.css"} <= set(asked)
    assert all(name.startswith((here, "data:")) for name in asked)


async def test_it_fits_a_phone(tmp_path: Path) -> None:
    run = StagedRun()
    run.go_on(30)
    run.table.note_rejection("ValidationException: " + "a-very-long-word" * 20)
    for _ in range(9000):
        run.table.batch_writes.note("ok", 0.8)
    async with page_of(run, tmp_path, size=PHONE) as page:
        await to_thread.run_sync(
            page.driver.execute_cdp_cmd,
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        await page.open()
        await page.shows("#rejections", "a-very-long-word")
        await page.shows("#latency", "BatchWriteItem")
        assert await page.run("document.documentElement.scrollWidth") == 390


async def test_a_brown_out_is_shown_as_such(tmp_path: Path) -> None:
    run = StagedRun(64)
    run.go_on(5)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        run.is_browned_out = True
        await page.shows("#state", "throttled")
        await page.shows("#bottleneck", "throttled: all that was sent for")
        run.is_browned_out = False
        await page.shows("#state", "running")


async def test_names_and_messages_are_shown_as_text(tmp_path: Path) -> None:
    run = StagedRun(64)
    markup = "<img src=x onerror=document.title='owned'>"
    run.table.note_rejection(markup)
    run.table.bottleneck = markup
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#rejections", markup)
        assert str(await page.run("document.title")).endswith(" · orders \N{EN DASH} dynaferry")
        assert await page.run("document.querySelector('img') === null")


async def test_what_is_not_printable_is_shown_as_its_escape(tmp_path: Path) -> None:
    run = StagedRun(64)
    run.table.note_rejection("Odd: \x9b2J\u202egpj.exe\n\U000e0041")
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#rejections", r"\x9b2J\u202egpj.exe\x0a\U000e0041")


async def test_it_pauses_a_run_lets_it_go_on_and_changes_its_limits(tmp_path: Path) -> None:
    run, all_made = StagedRun(64), anyio.Event()
    run.monitor.stats.write_cap_units = 8000.0
    changes: list[Change] = []

    async def control(change: Change) -> None:
        changes.append(change)
        if isinstance(change.paused, bool):
            run.monitor.stats.paused = change.paused
        if isinstance(change.max_write_units, float):
            run.monitor.stats.write_cap_units = change.max_write_units
        if change.max_write_units is None:
            run.monitor.stats.write_cap_units = None
            all_made.set()

    async with page_of(run, tmp_path, control=control) as page:
        await page.open(f"#token={TOKEN}")
        await page.shows("#pause", "Pause")
        assert TOKEN not in str(await page.run("location.href"))
        await page.click("#pause")
        await page.shows("#state", "paused")
        await page.shows("#pause", "Resume")
        await page.click("#pause")
        await page.shows("#state", "running")
        # The fields show what holds, and what is typed stays until it is set.
        assert await page.run("document.getElementById('max-write').value") == "8000"
        assert await page.run("document.getElementById('max-read').placeholder") == "no limit"
        await page.run("document.getElementById('max-write').select()")
        await page.type("#max-write", "1500")
        await page.click("[data-cap=max_write_units]")
        await page.shows("#said", "done")
        # An empty field lifts nothing, and neither does one click.
        await page.click("[data-cap=max_read_units]")
        await page.shows("#said", "Type how many units a second")
        assert await page.run("document.querySelector('[data-lift=max_read_units]').disabled")
        await page.click("[data-lift=max_write_units]")
        await page.shows(".question", "Lift the limit of 1,500 units/s of the run?")
        await page.click("[data-keep=max_write_units]")
        assert len(changes) == 3
        await page.click("[data-lift=max_write_units]")
        await page.click("[data-confirm=max_write_units]")
        with anyio.fail_after(WAIT_SECONDS):
            await all_made.wait()
        assert await page.complaints() == []
    assert changes == [
        Change(paused=True),
        Change(paused=False),
        Change(max_write_units=1500.0),
        Change(max_write_units=None),
    ]


async def test_a_change_that_the_run_cannot_make_is_reported(tmp_path: Path) -> None:
    async def control(_: Change) -> None:
        raise StateError("the state file is busy")

    async with page_of(StagedRun(64), tmp_path, control=control) as page:
        await page.open(f"#token={TOKEN}")
        await page.shows("#pause", "Pause")
        await page.click("#pause")
        await page.shows("#said", "the state file is busy")


@pytest.mark.parametrize("body", ["timed out", "{}", "null"])
async def test_a_refusal_in_other_words_is_reported_and_can_be_tried_again(
    tmp_path: Path, body: str
) -> None:
    async def control(_: Change) -> None:
        pass

    async with page_of(StagedRun(64), tmp_path, control=control) as page:
        await page.open(f"#token={TOKEN}")
        await page.shows("#pause", "Pause")
        await page.run(f"void (window.fetch = async () => new Response('{body}', {{status: 408}}))")
        await page.click("#pause")
        await page.shows("#said", "HTTP status 408")
        assert not await page.run("document.getElementById('pause').disabled")


async def test_without_the_token_there_is_nothing_to_press(tmp_path: Path) -> None:
    async def control(_: Change) -> None:
        raise AssertionError("nobody may")

    async with page_of(StagedRun(64), tmp_path, control=control) as page:
        await page.open()
        await page.shows("#state", "running")
        assert await page.run("document.getElementById('controls').hidden")
        assert await page.run("document.getElementById('limits').hidden")


async def test_a_finished_run_stays_on_the_page_when_nobody_serves_it_any_more(
    tmp_path: Path,
) -> None:
    run = StagedRun(64)
    run.go_on(5)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        run.table.state, run.table.segments_complete = "complete", 64
        assert await page.run("document.getElementById('steps').hidden")
        step = NextStep(step="verify", text="compare both <b>", commands=("dynaferry verify a b",))
        run.monitor.ended(msgspec.structs.replace(ended("complete"), next_steps=(step,)))
        await page.shows("#state", "complete")
        await page.shows("#steps-list", "compare both <b>")
        await page.shows("#steps-list .command code", "dynaferry verify a b")
        assert str(await page.run("document.title")).startswith("complete")
        await page.shows("#facts", "items/s, on average")
        await page.shows("#share", "100%")
        assert await page.complaints() == []


async def test_a_run_that_sends_nothing_any_more_is_stalled_without_rates_or_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = "\N{EN DASH}"
    run = StagedRun(64)
    run.go_on(40)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        assert f"items/s\n{unknown}" not in await page.text("#facts")
        monkeypatch.setattr(run.monitor, "refresh", lambda: None)
        await page.run("performance.now = () => 1e9")  # more than half a minute later
        await page.shows("#state", "stalled: no news for")
        facts = await page.text("#facts")
        assert f"items/s\n{unknown}" in facts
        assert "ETA\nstalled" in facts
        assert await page.complaints() == []


async def test_a_failed_run_says_what_happened_and_what_to_do(tmp_path: Path) -> None:
    run = StagedRun(64)
    run.go_on(5)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        error = ErrorSummary(
            type="AccessDeniedError",
            message="BatchWriteItem on the target table orders is denied",
            hint="allow dynamodb:BatchWriteItem",
        )
        assert "If it stops" in await page.text("#resume")
        run.monitor.ended(ended("failed", error))
        await page.shows("#state", "failed")
        await page.shows("#trouble", "BatchWriteItem on the target table orders is denied")
        await page.shows("#trouble", "allow dynamodb:BatchWriteItem")
        assert await page.run("document.title.startsWith('failed')")
        await page.shows("#resume-title", "This resumes it")
        await page.run(
            "(navigator.clipboard.writeText = async (text) => { window.taken = text; }, 0)"
        )
        await page.click("#resume-command button")
        await page.shows("#resume-command", "copied")
        assert await page.run("window.taken") == RESUME
        await page.run("(navigator.clipboard.writeText = () => Promise.reject(), 0)")
        await page.click("#resume-command button")
        await page.shows("#resume-command", "selected")
        assert await page.run("getSelection().toString()") == RESUME
