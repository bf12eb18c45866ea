"""A real Prometheus that scrapes a real run answers every query of the dashboard and the alerts."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from anyio import to_thread

from benchmarks.null_endpoint import SOURCE, TARGET
from tests.cli.scraped import page_of
from tests.cli.test_move import ITEMS, STREAM, an_item, command, make_source
from tests.cli.test_move import started as moving
from tests.deploy.places import DEPLOY, read_yaml
from tests.deploy.test_grafana import marks, queries, with_variables
from tests.web.test_real_prometheus import PROMETHEUS, null_endpoint, prometheus, started, until
from tests.worlds.moto import MotoWorld

# What only a move has.
OF_A_MOVE = tuple(
    f"dynaferry_{name}"
    for name in (
        "lag_seconds",
        "oldest_waiting_seconds",
        "changes_total",
        "spool_",
        "move_",
        "stream_",
        "capture_silent_seconds",
        "gaps_",
        "doubts",
        "late_writes",
        "will_catch_up",
    )
)
# What a run without a limit, a throttle or a role has nothing to show for.
SILENT = (
    "rate_limit_units",
    "throttled_requests",
    'outcome!="ok"',
    "dynaferry_credentials_expire_seconds",
    "dynaferry_checkpoint_age_seconds",  # the run has ended by then
    "dynaferry_eta_seconds",
    *OF_A_MOVE,
)


ENDED = "last_over_time(dynaferry_running[15m]) == 0 and max_over_time(dynaferry_running[15m]) == 1"

needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="there is no prometheus on this machine"
)


def alerts() -> list[str]:
    groups = read_yaml(DEPLOY / "prometheus" / "alerts.yml")["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@needs_prometheus
def test_every_panel_shows_something_for_a_run_that_went_well(tmp_path: Path) -> None:
    with null_endpoint() as url:
        command = [sys.executable, "-m", "dynaferry", "copy", SOURCE, TARGET]
        command += ["--source-endpoint-url", url, "--target-endpoint-url", url]
        command += ["--source-region", "us-east-1", "--target-region", "us-east-1"]
        command += ["--state-dir", str(tmp_path / "state"), "--progress", "none"]
        command += ["--metrics-listen", "127.0.0.1:0", "--metrics-linger", "600"]
        with started(command, stderr=subprocess.PIPE) as run:
            assert run.stderr is not None
            place = re.search(r"http://(\S+:\d+)/", run.stderr.readline())
            assert place is not None
            with prometheus(tmp_path, place[1]) as scraper:
                until(lambda: scraper.value("dynaferry_progress_ratio") == 1)
                # A rate needs two scrapes.
                until(lambda: scraper.value("count_over_time(dynaferry_healthy[1m])") != 1)
                shown = {query: scraper.series(with_variables(query)) for query in queries()}
                fired = {query: scraper.series(query) for query in alerts()}
                marked = {query: scraper.series(with_variables(query)) for query in marks()}
    begun, *troubles = marked
    assert "dynaferry_running" in begun
    assert [query for query in troubles if marked[query]] == []
    empty = [query for query, found in shown.items() if not found]
    assert [query for query in empty if not any(word in query for word in SILENT)] == []
    of_a_copy = [query for query in shown if not any(word in query for word in OF_A_MOVE)]
    assert len(set(empty) & set(of_a_copy)) < len(of_a_copy) / 2
    # That it has ended is the one thing to say.
    assert [query for query, found in fired.items() if found] in ([], [ENDED])


@needs_prometheus
async def test_every_panel_of_a_move_shows_something_for_one_that_follows(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await make_source(moto_world, StreamSpecification=STREAM)
    listening = ("--metrics-listen", "127.0.0.1:0", "--progress", "none")
    with moving(command(moto_world, tmp_path / "state", *listening)) as run:
        place = urlsplit(await to_thread.run_sync(page_of, run)).netloc
        with prometheus(tmp_path, place) as scraper:

            async def seen(query: str, value: float) -> None:
                await to_thread.run_sync(until, lambda: scraper.value(query) == value)

            await seen('dynaferry_move_state{state="following"}', 1)
            await seen("dynaferry_spool_rows", 0)
            await moto_world.source_tables.put_items("orders", [an_item(1, 1)])
            await seen('dynaferry_changes_total{direction="out"}', ITEMS + 1)
            await seen("count_over_time(dynaferry_lag_seconds[1m]) > bool 4", 1)
            shown = {query: scraper.series(with_variables(query)) for query in queries()}
            fired = {query: scraper.series(query) for query in alerts()}
    of_a_move = [query for query in shown if any(word in query for word in OF_A_MOVE)]
    assert len(of_a_move) > 10
    assert [query for query in of_a_move if not shown[query]] == []
    assert {query: found for query, found in fired.items() if found} == {}
