"""The live page of a real copy, in a real browser: from its first second to after its end."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.null_endpoint import SOURCE, TARGET
from tests.web.chromium import chromium, complaints, needs_chromium
from tests.web.test_real_prometheus import DEADLINE_SECONDS, null_endpoint, started

pytestmark = needs_chromium


def shows(driver: WebDriver, element: str, text: str) -> None:
    """Returns when the element holds the text."""
    WebDriverWait(driver, DEADLINE_SECONDS).until(
        lambda page: text in page.find_element(By.ID, element).text, f"#{element}: no {text!r}"
    )


def copy_command(url: str, state_dir: Path, *more: str) -> list[str]:
    """A copy so slow that it can be watched."""
    command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
    command += ["--source-endpoint-url", url, "--target-endpoint-url", url]
    command += ["--source-region", "us-east-1", "--target-region", "us-east-1"]
    command += ["--state-dir", str(state_dir), "--progress", "none", "--json"]
    return [*command, "--metrics-listen", "127.0.0.1:0", *more]


def test_the_page_shows_a_copy_from_its_beginning_until_after_its_end(tmp_path: Path) -> None:
    with null_endpoint() as url:
        command = copy_command(url, tmp_path / "state", "--max-write-units", "8000")
        with (
            started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run,
            chromium(tmp_path / "profile") as browser,
        ):
            assert run.stderr is not None
            place = re.search(r"http://\S+/", run.stderr.readline())
            assert place is not None
            browser.get(place[0])
            shows(browser, "state", "running")
            shows(browser, "settings", "8,000 a second")
            shows(browser, "latency", "BatchWriteItem")
            output, errors = run.communicate(timeout=DEADLINE_SECONDS)
            assert run.returncode == 0, errors
            # Nobody serves the page any more, and it still tells how the run ended.
            shows(browser, "state", "complete")
            shows(browser, "share", "100%")
            shows(browser, "facts", f"{json.loads(output)['tables'][0]['items_written']:,}")
            assert complaints(browser) == []


def test_the_page_of_a_copy_that_is_stopped_says_so(tmp_path: Path) -> None:
    with null_endpoint() as url:
        command = copy_command(url, tmp_path / "state", "--max-write-units", "500")
        with (
            started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run,
            chromium(tmp_path / "profile") as browser,
        ):
            assert run.stderr is not None
            place = re.search(r"http://\S+/", run.stderr.readline())
            assert place is not None
            browser.get(place[0])
            shows(browser, "state", "running")
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=DEADLINE_SECONDS)
            assert run.returncode == 130
            shows(browser, "state", "interrupted")
            shows(browser, "resume-title", "This resumes it")
            shows(browser, "resume-command", f"dynaferry copy {SOURCE} {TARGET} --source-region")
            shows(browser, "steps-list", "resume")


def test_a_copy_is_paused_and_let_go_on_from_its_page(tmp_path: Path) -> None:
    with null_endpoint() as url:
        more = ("--max-write-units", "4000", "--allow-control")
        command = copy_command(url, tmp_path / "state", *more)
        with (
            started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run,
            chromium(tmp_path / "profile") as browser,
        ):
            assert run.stderr is not None
            run.stderr.readline()
            place = re.search(r"http://\S+#token=\S+", run.stderr.readline())
            assert place is not None
            browser.get(place[0])
            shows(browser, "state", "running")
            browser.find_element(By.ID, "pause").click()
            shows(browser, "state", "paused")
            browser.execute_script("document.getElementById('max-write').select()")
            browser.find_element(By.ID, "max-write").send_keys("100000")
            browser.find_element(By.CSS_SELECTOR, "[data-cap=max_write_units]").click()
            shows(browser, "said", "done")
            shows(browser, "bottleneck", "writes at most 100,000 units/s (set by hand)")
            browser.find_element(By.ID, "pause").click()
            shows(browser, "state", "complete")
            output, errors = run.communicate(timeout=DEADLINE_SECONDS)
            assert run.returncode == 0, errors
            assert json.loads(output)["tables"][0]["items_written"] == 40 * 1024
