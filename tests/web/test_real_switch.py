"""The switch of a real move on its live page, in a real browser: ready, go, a late write told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio import to_thread
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from tests.cli.scraped import page_of, token_of
from tests.cli.test_move import (
    STREAM,
    an_item,
    command,
    is_equal,
    make_source,
    started,
    until_followed,
)
from tests.web.chromium import chromium, complaints, needs_chromium
from tests.web.test_real_run import shows
from tests.worlds.moto import MotoWorld

pytestmark = needs_chromium


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[WebDriver]:
    """A browser, begun and ended in threads: the move is looked at beside."""
    opened = chromium(profile)
    driver = await to_thread.run_sync(opened.__enter__)
    try:
        yield driver
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(opened.__exit__, None, None, None)


def click(driver: WebDriver, element: str) -> None:
    driver.find_element(By.ID, element).click()


def cut_over(driver: WebDriver, address: str) -> None:
    """Asks and goes, as a person does it on the page."""
    driver.get(address)
    shows(driver, "state", "following")
    click(driver, "switch-check")
    shows(driver, "switch-told", "ready")
    click(driver, "switch-begin")
    click(driver, "switch-go")
    shows(driver, "switch-title", "Cut-over")
    shows(driver, "switch-steps", "waits for")
    shows(driver, "switch-told", "start the writers on the target")
    shows(driver, "state", "switched")


async def test_a_move_is_checked_and_cut_over_on_its_page_which_tells_late_writes(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)
    more = ("--metrics-listen", "127.0.0.1:0", "--allow-control")
    with started(command(world, tmp_path, *more)) as move:
        page = await to_thread.run_sync(page_of, move)
        token = await to_thread.run_sync(token_of, move)
        await until_followed(world, tmp_path)
        async with browser(tmp_path / "chromium") as driver:
            await to_thread.run_sync(cut_over, driver, f"{page}#token={token}")
            assert await is_equal(world)
            await world.source_tables.put_items("orders", [an_item(7, 7_000)])
            await to_thread.run_sync(shows, driver, "move-late", "LATE WRITES: 1 key was written")
            assert await to_thread.run_sync(complaints, driver) == []
            items = await world.target_tables.read_table("orders")
            assert not any("7000" in item for item in items.values())
