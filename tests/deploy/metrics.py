"""What dynaferry exports, and what a query asks for."""

import re
from functools import cache

import promql_parser

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.prometheus import registry_for
from dynaferry.observe.stats import RunStats, TableStats
from tests.observe.moves import a_move_status

# What Prometheus itself puts on every series that it scrapes.
TARGET_LABELS = {"job", "instance"}
# And a series of its own: whether it could scrape a target.
OF_PROMETHEUS = {"up"}


@cache
def exported() -> dict[str, set[str]]:
    """The labels of every series that a run exports, by the series' name."""
    table = TableStats("orders", "orders-copy", segments_total=8, expected_items=1000)
    table.state, table.started_at = "running", 0.0
    table.read_rate_limit_units = table.write_rate_limit_units = 1.0
    table.throttles = {("Scan", ""): 1}
    table.scans.note("ok", 0.01)
    table.batch_writes.note("throttled", 0.01)
    clock = iter(range(1, 1000))
    monitor = RunMonitor("orders", readers=8, clock=lambda: float(next(clock)))
    monitor.finish_by, monitor.phase = 1.0, "running"
    monitor.stats = RunStats("orders", [table])
    monitor.stats.credentials_left = {"target": lambda: 3600.0}
    monitor.note_move([a_move_status()])
    for _ in range(3):
        table.items_read += 100
        table.items_written += 100
        monitor.refresh()
    found: dict[str, set[str]] = {}
    for family in registry_for(monitor).collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked(query: str) -> list[tuple[str, set[str]]]:
    """(series, labels that are matched on) of every selector of a query."""
    found: list[tuple[str, set[str]]] = []

    def visit(expression: promql_parser.Expr) -> bool:
        if isinstance(expression, promql_parser.VectorSelector):
            labels = {matcher.name for matcher in expression.matchers.matchers}
            found.append((expression.name or "", labels))
        elif isinstance(expression, promql_parser.MatrixSelector):
            visit(expression.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def grouped_by(query: str) -> set[str]:
    """Every label that a query groups by or joins on."""
    lists = re.findall(r"(?:by|on|group_left)\s*\(([^)]*)\)", query)
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}


def unknown(query: str) -> list[str]:
    """What a query asks for that nothing exports: series and labels."""
    known = exported()
    selectors = [found for found in asked(query) if found[0] not in OF_PROMETHEUS]
    wrong = [name for name, _ in selectors if name not in known]
    there = TARGET_LABELS.union(*(known.get(name, set()) for name, _ in selectors))
    for name, labels in selectors:
        wrong += [f"{name}{{{label}}}" for label in labels - known.get(name, there) - TARGET_LABELS]
    return wrong + sorted(grouped_by(query) - there)
