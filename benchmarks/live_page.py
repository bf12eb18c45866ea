"""`python -m benchmarks.live_page`: how soon the live page is there, and how much it is sent.

A made-up run of 100 tables, all at once, with 10,000 segments together, in a Chromium without a
window. First paint and the time until every table has its row are the browser's own, from when the
page is asked for; the median and the worst of a few visits. Updates are counted in bytes, as JSON.

With `--picture FILE.png` it draws the picture in README.md instead: a run of eight tables.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio import to_thread
from selenium.webdriver.chrome.webdriver import WebDriver

from dynaferry.web.control import Change, ControlsView
from dynaferry.web.feed import Feed, Shown
from tests.web.chromium import chromium
from tests.web.eight_tables import eight_tables
from tests.web.served import served
from tests.web.staged import StagedRun, many_tables

VISITS, MOST_SECONDS, UPDATES = 5, 20, 60
WINDOW, TOKEN = (1180, 3000), "a-token"
_TIMES = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return [paint ? paint.startTime : null, window.rowsShownAt ?? null];
"""
# Looks at each frame whether the rows are there, from before the page's own scripts run.
_OBSERVE = """
(function look() {
  const rows = document.querySelectorAll("#tables .row progress");
  const areShown = rows.length >= 100 && [...rows].some((bar) => bar.value > 0);
  if (areShown) window.rowsShownAt = performance.now();
  else requestAnimationFrame(look);
})();
"""


@asynccontextmanager
async def run_of(run: StagedRun, controls: ControlsView | None = None) -> AsyncIterator[str]:
    """The address of a run that goes on, one of its seconds in one of ours."""

    async def go_on() -> None:
        while True:
            await anyio.sleep(1)
            run.go_on(1)

    async with served(run.monitor, controls) as server, anyio.create_task_group() as beside:
        beside.start_soon(go_on)
        yield f"http://127.0.0.1:{server.port}/"
        beside.cancel_scope.cancel()


def visit(browser: WebDriver, url: str) -> tuple[float, float]:
    """Milliseconds until the first paint, and until all rows were shown."""
    browser.get(url)
    deadline = time.monotonic() + MOST_SECONDS
    while time.monotonic() < deadline:
        paint, rows = browser.execute_script(_TIMES)
        if paint is not None and rows is not None:
            browser.get("about:blank")
            return paint, rows
        time.sleep(0.05)
    raise TimeoutError("the page never showed its tables")


async def visits() -> list[tuple[float, float]]:
    """The times of a few visits, each with nothing kept from the one before."""
    run = many_tables()
    run.go_on(120)
    async with run_of(run) as url:

        def all_visits() -> list[tuple[float, float]]:
            with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
                script = {"source": _OBSERVE}
                browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
                browser.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
                return [visit(browser, url) for _ in range(VISITS)]

        return await to_thread.run_sync(all_visits)


def update_bytes() -> list[int]:
    """The bytes of the first update and of those after it, a second apart."""
    run = many_tables()
    run.go_on(120)
    feed, sizes = Feed(run.monitor, Shown()), []
    for _ in range(UPDATES):
        sizes.append(len(msgspec.json.encode(feed.news())))
        run.go_on(1)
    return sizes


async def draw(path: Path) -> None:
    """The picture of a run of eight tables, one of them opened."""

    async def change_nothing(_: Change) -> None:
        """The picture has the buttons, and nobody presses them."""

    run, controls = eight_tables(), ControlsView(TOKEN, change_nothing)
    run.monitor.stats.write_cap_units = 24_000.0
    run.monitor.stats.limits_in_words = "writes at most 24,000 units/s (set by hand)"
    async with run_of(run, controls) as url:

        def picture() -> None:
            with (
                tempfile.TemporaryDirectory() as profile,
                chromium(Path(profile), WINDOW) as browser,
            ):
                browser.get(f"{url}#token={TOKEN}")
                time.sleep(2)
                browser.execute_script("document.querySelectorAll('.toggle')[0].click()")
                time.sleep(3)
                browser.save_screenshot(str(path))

        await to_thread.run_sync(picture)


def _words(name: str, values: Sequence[float]) -> str:
    return f"{name}: median {statistics.median(values):.0f} ms, worst {max(values):.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live_page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    if arguments.picture is not None:
        anyio.run(draw, arguments.picture)
        return
    times = anyio.run(visits)
    first, *others = update_bytes()
    lines = [
        _words("first paint", [paint for paint, _ in times]),
        _words("every table has its row", [rows for _, rows in times]),
        f"the first update: {first:,} bytes",
        f"each of {len(others)} others: median {statistics.median(others):,.0f} bytes,"
        f" most {max(others):,}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
