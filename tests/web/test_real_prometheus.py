"""A real Prometheus scrapes a real run, and what it has counted is what the summary says."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.null_endpoint import SOURCE, TARGET
from benchmarks.simulator.child import simulator
from benchmarks.simulator.settings import BrownOut, Provisioned, Settings, Table
from tests.worlds.ports import free_port

PROMETHEUS = shutil.which("prometheus")
DEADLINE_SECONDS = 60
# By the service's side of the summary, under the names that Prometheus knows.
AGREES = {
    "items_read": "dynaferry_items_read_total",
    "items_written": "dynaferry_items_written_total",
    "items_rejected": "dynaferry_items_rejected_total",
    "bytes_read": "dynaferry_bytes_read_total",
    "read_units": "dynaferry_read_capacity_units_total",
    "write_units": "dynaferry_write_capacity_units_total",
    "unprocessed_items": "dynaferry_unprocessed_items_total",
    "throttled_requests": "sum(dynaferry_throttled_requests_total) or vector(0)",
    "segments_complete": 'dynaferry_segments{state="done"}',
}


@contextmanager
def started(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the test."""
    process = subprocess.Popen(command, text=True, **settings)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=DEADLINE_SECONDS)


@contextmanager
def null_endpoint() -> Iterator[str]:
    """An endpoint with a table of 40 pages that takes every write."""
    command = [sys.executable, "-m", "benchmarks.null_endpoint"]
    command += ["--item-bytes", "1024", "--pages", "40"]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()


def until(holds: Callable[[], bool]) -> None:
    """Returns when it holds; what it waits for is another process."""
    ends_at = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < ends_at, "it did not come to hold"
        time.sleep(0.1)


class RealPrometheus:
    """Answers questions about what it has scraped."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/query?"

    def value(self, query: str) -> float | None:
        """The one value of a query; None while there is none."""
        try:
            found = self.series(query)
        except OSError:
            return None
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def series(self, query: str) -> list[Any]:
        """All that a query gives.

        :raises OSError: Prometheus does not answer, or the query is wrong
        """
        url = self._url + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # loopback
            found: list[Any] = json.load(answer)["data"]["result"]
        return found


@contextmanager
def prometheus(directory: Path, target: str) -> Iterator[RealPrometheus]:
    """A Prometheus that scrapes `target`."""
    assert PROMETHEUS is not None
    config = directory / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
        f"scrape_configs: [{{job_name: dynaferry, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    port = free_port()
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with started(command, stderr=subprocess.DEVNULL):
        yield RealPrometheus(port)


@contextmanager
def short_of_capacity() -> Iterator[str]:
    """A service whose target leaves items undone, and for two seconds refuses everything."""
    source = Table(name=SOURCE, items=2_000, capacity=Provisioned(read_units=3000, write_units=10))
    target = Table(
        name=TARGET,
        capacity=Provisioned(read_units=10, write_units=500),
        brown_outs=(BrownOut(start_seconds=1, seconds=2, answer="throttle"),),
    )
    with simulator(Settings(tables=(source, target))) as service:
        yield service.url


@pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus on this machine")
@pytest.mark.parametrize("service", [null_endpoint, short_of_capacity])
def test_what_prometheus_has_counted_is_what_the_summary_says(
    tmp_path: Path, service: Callable[[], AbstractContextManager[str]]
) -> None:
    with service() as url:
        command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        command += ["--source-endpoint-url", url, "--target-endpoint-url", url]
        command += ["--source-region", "us-east-1", "--target-region", "us-east-1"]
        command += ["--state-dir", str(tmp_path / "state"), "--progress", "none", "--json"]
        command += ["--metrics-listen", "127.0.0.1:0", "--metrics-linger", "600"]
        with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.stdout is not None and run.stderr is not None  # noqa: PT018
            place = re.search(r"http://(\S+:\d+)/", run.stderr.readline())
            assert place is not None
            with prometheus(tmp_path, place[1]) as scraper:
                until(lambda: scraper.value("dynaferry_progress_ratio") == 1)
                until(lambda: scraper.value('dynaferry_segments{state="running"}') == 0)
                counted = {name: scraper.value(query) for name, query in AGREES.items()}
                requests = scraper.value("sum(dynaferry_requests_total)")
                timed = scraper.value("sum(dynaferry_request_seconds_count)")
            run.send_signal(signal.SIGINT)
            output, errors = run.communicate(timeout=DEADLINE_SECONDS)
            assert run.returncode == 0, errors
    [table] = json.loads(output)["tables"]
    assert counted == {name: table[name] for name in AGREES}
    assert table["items_written"] == (40 * 1024 if service is null_endpoint else 2_000)
    assert (table["throttled_requests"] > 0) == (service is short_of_capacity)
    assert requests == timed
    assert requests is not None
    assert requests >= table["items_written"] / 25
