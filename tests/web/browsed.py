"""The live page in a real browser, for tests: its elements, and a run that goes on meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from dynaferry.web.control import Change, ControlsView
from dynaferry.web.switch import SwitchDesk
from tests.web.chromium import DESK, chromium, complaints
from tests.web.served import Served, served
from tests.web.staged import StagedRun

TOKEN = "a-token-of-this-test"
WAIT_SECONDS = 20
T = TypeVar("T")


class Page:
    """The page in a browser; whatever talks to the browser does so in a thread."""

    def __init__(self, driver: WebDriver, server: Served) -> None:
        self.driver = driver
        self._server = server

    async def open(self, fragment: str = "") -> None:
        await self._in_thread(
            lambda: self.driver.get(f"http://127.0.0.1:{self._server.port}/{fragment}")
        )

    async def text(self, selector: str) -> str:
        return await self._in_thread(
            lambda: self.driver.find_element(By.CSS_SELECTOR, selector).text
        )

    async def shows(self, selector: str, text: str) -> None:
        """Returns when the element holds the text."""

        def holds(driver: WebDriver) -> bool:
            return text in driver.find_element(By.CSS_SELECTOR, selector).text

        await self._in_thread(
            lambda: WebDriverWait(self.driver, WAIT_SECONDS).until(
                holds, f"{selector} never showed {text!r}"
            )
        )

    async def click(self, selector: str) -> None:
        await self._in_thread(lambda: self.driver.find_element(By.CSS_SELECTOR, selector).click())

    async def type(self, selector: str, text: str) -> None:
        await self._in_thread(
            lambda: self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(text)
        )

    async def run(self, script: str) -> object:
        return await self._in_thread(lambda: self.driver.execute_script(f"return {script}"))

    async def complaints(self) -> list[str]:
        return await self._in_thread(lambda: complaints(self.driver))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await to_thread.run_sync(call)


@asynccontextmanager
async def page_of(
    run: StagedRun,
    profile: Path,
    *,
    control: Callable[[Change], Awaitable[None]] | None = None,
    desk: SwitchDesk | None = None,
    size: tuple[int, int] = DESK,
) -> AsyncIterator[Page]:
    """The page of a run that goes on, one of its seconds in a tenth of ours."""

    async def go_on() -> None:
        while run.monitor.phase != "ended":
            if not run.monitor.stats.paused:
                run.go_on(1)
            else:
                run.monitor.refresh()
            await anyio.sleep(0.1)

    controls = None if control is None else ControlsView(TOKEN, control)
    async with served(run.monitor, controls, desk) as server, anyio.create_task_group() as beside:
        beside.start_soon(go_on)
        browser = await to_thread.run_sync(lambda: (c := chromium(profile, size), c.__enter__()))
        try:
            yield Page(browser[1], server)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(browser[0].__exit__, None, None, None)
        beside.cancel_scope.cancel()
