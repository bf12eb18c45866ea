"""The live page of several tables, in a real browser: their rows, and what a click shows."""

from collections.abc import Mapping
from pathlib import Path

from anyio import to_thread
from msgspec import UnsetType
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from dynaferry.web.control import Change
from tests.web.browsed import TOKEN, WAIT_SECONDS, Page, page_of
from tests.web.chromium import needs_chromium
from tests.web.eight_tables import AUDIT, DENIED, NAMES, ORDERS, eight_tables

pytestmark = needs_chromium

ROWS = "[...document.querySelectorAll('#tables .row')]"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


async def rows(page: Page) -> list[str]:
    texts = await page.run(f"{ROWS}.map((row) => row.textContent)")
    assert isinstance(texts, list)
    return [str(text) for text in texts]


async def cdp(page: Page, command: str, arguments: Mapping[str, object]) -> None:
    await to_thread.run_sync(page.driver.execute_cdp_cmd, command, dict(arguments))


async def until(page: Page, script: str) -> None:
    """Returns when the script is true in the page."""
    await to_thread.run_sync(
        lambda: WebDriverWait(page.driver, WAIT_SECONDS).until(
            lambda driver: driver.execute_script(f"return {script}"), f"never: {script}"
        )
    )


async def test_eight_tables_have_a_row_each_and_a_click_shows_the_charts_of_one(
    tmp_path: Path,
) -> None:
    run = eight_tables(40)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#tables-states", "2 running")
        assert "1 complete" in await page.text("#tables-states")
        assert "111111111111 us-east-1 → 222222222222 us-east-1" in await page.text("#route")
        shown = await rows(page)
        assert [name for name, row in zip(NAMES, shown, strict=True) if name in row] == list(NAMES)
        assert "complete" in shown[-1]
        assert "failed" in shown[AUDIT]
        assert DENIED.message in shown[AUDIT]
        assert "waiting" in shown[4]
        assert "%" in str(await page.run("document.title"))
        await page.shows("#events-list", "limits set by maria: writes at most 24,000 units/s (set)")
        lines = (await page.text("#events-list")).splitlines()
        assert [lines[1], lines[-1]] == ["prod-audit: failed", "started"]
        # Nothing is open yet, and nothing was asked for but the page and its events.
        assert await page.run("document.querySelectorAll('#tables canvas').length === 0")
        toggle = f"{ROWS}[{ORDERS}].querySelector('.toggle')"
        await page.run(f"({toggle}.click(), 0)")
        assert await page.run(f"{toggle}.getAttribute('aria-expanded')") == "true"
        await page.shows("#tables .more:not([hidden]) .facts", "222222222222:table/prod-orders")
        await until(page, "document.querySelectorAll('#tables .chart canvas').length > 0")
        label = "document.querySelector('#tables canvas.map').getAttribute('aria-label')"
        assert "of 8000 segments done" in str(await page.run(label))
        await page.shows("#tables .more:not([hidden]) .lines", "throttled:")
        await page.run(f"({ROWS}[{AUDIT}].querySelector('.toggle').click(), 0)")
        await page.shows(".failure:not([hidden])", DENIED.hint or "")
        await cdp(page, "Emulation.setDeviceMetricsOverride", PHONE)
        await until(page, "document.documentElement.scrollWidth === 390")
        await cdp(page, "Emulation.setEmulatedMedia", {"features": [DARK]})
        await until(page, "getComputedStyle(document.body).backgroundColor === 'rgb(17, 21, 27)'")
        await page.run(f"({toggle}.click(), 0)")
        assert not await to_thread.run_sync(
            lambda: page.driver.find_element(By.CSS_SELECTOR, "#tables .more .facts").is_displayed()
        )
        assert await page.complaints() == []


DARK = {"name": "prefers-color-scheme", "value": "dark"}


async def test_a_run_whose_tables_under_way_are_all_paused_is_paused(tmp_path: Path) -> None:
    run = eight_tables(10)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#state", "running")
        for table in run.tables:
            table.stats.paused = True
        await page.shows("#state", "paused")
        await page.shows("#facts", "ETA\npaused")
        assert await page.run("document.getElementById('trouble').hidden")


async def test_of_a_runs_only_table_the_segments_are_open_and_its_arns_are_in_the_head(
    tmp_path: Path,
) -> None:
    from tests.web.staged import StagedRun

    run = StagedRun(5)
    run.go_on(2)
    async with page_of(run, tmp_path) as page:
        await page.open()
        await page.shows("#arns", "arn:aws:dynamodb:us-east-1:222222222222:table/orders")
        await page.shows("#tables", "of 5 segments")
        # Five segments: wide cells, each filled as far as it is read and not before.
        run.monitor.stats.paused = True
        run.table.segments.begun(3)
        run.table.segments.read(3, 500)
        colours = (
            "((canvas) => [4, 60, 116].map((left) => [...canvas.getContext('2d')"
            ".getImageData((3 * 120 + left) * devicePixelRatio, 11 * devicePixelRatio, 1, 1).data]"
            ".join()))(document.querySelector('canvas.map'))"
        )
        await until(page, f"(([a, b, c]) => a !== c && c === '227,231,237,255')({colours})")
        shown = await page.run(colours)
        assert isinstance(shown, list)
        assert (shown[0], shown[2]) == ("37,99,201,255", "227,231,237,255")
        assert await page.complaints() == []


async def test_one_table_is_paused_and_limited_and_the_others_are_left_alone(
    tmp_path: Path,
) -> None:
    run = eight_tables(20)
    changes: list[Change] = []
    orders = run.tables[ORDERS].stats

    async def control(change: Change) -> None:
        changes.append(change)
        if isinstance(change.paused, bool):
            orders.paused = change.paused
        if not isinstance(change.max_write_units, UnsetType):
            orders.write_cap_units = change.max_write_units

    async with page_of(run, tmp_path, control=control) as page:
        await page.open(f"#token={TOKEN}")
        row = f"#tables tbody:nth-of-type({ORDERS + 1}) .row"
        await page.shows(row, "running")
        await page.click(f"{row} .toggle")
        await page.click(f"#table-{ORDERS}-pause")
        await page.shows(row, "paused")
        await page.shows(f"#table-{ORDERS}-pause", "Resume this table")
        assert "1 running · 1 paused" in await page.text("#tables-states")
        await page.click(f"#table-{ORDERS}-pause")
        await page.shows(f"#table-{ORDERS}-pause", "Pause this table")
        await page.type(f"#table-{ORDERS}-max-write", "600")
        await page.click(f"#tables tbody:nth-of-type({ORDERS + 1}) [data-cap=max_write_units]")
        await page.shows(row, "writes at most 600 units/s")
        lift = f"#tables tbody:nth-of-type({ORDERS + 1}) [data-lift=max_write_units]"
        await until(page, f"!document.querySelector('{lift}').disabled")
        await page.click(lift)
        await page.shows("#tables .question", "Lift the limit of 600 units/s of prod-orders?")
        await page.click("#tables [data-confirm=max_write_units]")
        await until(page, f"!document.querySelector('{row}').textContent.includes('at most')")
        assert await page.complaints() == []
    assert changes == [
        Change(table="prod-orders", paused=True),
        Change(table="prod-orders", paused=False),
        Change(table="prod-orders", max_write_units=600.0),
        Change(table="prod-orders", max_write_units=None),
    ]
