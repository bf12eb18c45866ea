"""A run tells each metric that was recorded, and no other, with its type, labels and help text.

It answers under the paths that scrapers and probes are set up with.
"""

from pathlib import Path

from tests.contract import metrics
from tests.contract.world import FIXTURES, SECONDS, ContractWorld


def test_metrics_are_what_dashboards_know(world: ContractWorld, tmp_path: Path) -> None:
    wanted = (FIXTURES / "metrics.txt").read_text(encoding="utf-8").splitlines()
    names = {line.split(" ")[1].partition("{")[0] for line in wanted}
    paths: dict[str, str] = {}
    assert list(metrics.of_a_run(world, tmp_path, names, SECONDS, paths).values()) == wanted
    assert paths == {
        "/": "200 text/html",
        "/metrics": "200 text/plain",
        "/healthz": "200 text/plain",
        "/livez": "200 text/plain",
    }
