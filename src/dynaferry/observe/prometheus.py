"""The counters of a run as Prometheus metrics: a collector over the stats, with its own registry.

Nothing is kept here: each scrape reads the counters as they stand. Totals are those of the whole
run, earlier attempts included; what is counted by outcome or duration is this attempt's,
which to Prometheus is a counter that was reset.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from dynaferry._version import __version__
from dynaferry.observe.histogram import BOUNDS
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.move_metrics import move_metrics
from dynaferry.observe.request_stats import RequestStats
from dynaferry.observe.run_meter import TableView
from dynaferry.observe.stats import TableStats
from dynaferry.observe.table_state import SHOWN_STATES

_TABLE_LABELS: Final = ("source", "target")
_READS, _WRITES, _LOOKUPS = "Scan", "BatchWriteItem", "BatchGetItem"

_Family = TypeVar("_Family", CounterMetricFamily, GaugeMetricFamily)

# One number of a table; None where there is none to report.
_OfTable = Callable[[TableStats], float | None]

_COUNTERS: Final[Sequence[tuple[str, str, _OfTable]]] = (
    ("items_read", "Items read from the source.", lambda t: t.items_read),
    ("items_written", "Items written and acknowledged by the target.", lambda t: t.items_written),
    (
        "items_rejected",
        "Items that the target rejected, kept as dead letters.",
        lambda t: t.items_rejected,
    ),
    ("bytes_read", "Bytes of the source's answers.", lambda t: t.bytes_read),
    ("read_capacity_units", "Read capacity units consumed.", lambda t: t.read_units),
    ("write_capacity_units", "Write capacity units consumed.", lambda t: t.write_units),
    (
        "unprocessed_items",
        "Items that the target left unprocessed, sent again.",
        lambda t: t.unprocessed_items,
    ),
)
_GAUGES: Final[Sequence[tuple[str, str, _OfTable]]] = (
    (
        "read_rate_limit_units",
        "Read units a second that are allowed now; absent without a limit.",
        lambda t: t.read_rate_limit_units,
    ),
    (
        "write_rate_limit_units",
        "Write units a second that are allowed now; absent without a limit.",
        lambda t: t.write_rate_limit_units,
    ),
    (
        "estimated_cost_dollars",
        "What the units consumed so far cost at the prices given; provisioned capacity is not.",
        lambda t: t.dollars,
    ),
)


class RunCollector(Collector):
    """The Prometheus collector of what `monitor` samples."""

    def __init__(self, monitor: RunMonitor, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._monitor = monitor
        self._wall_clock = wall_clock

    def collect(self) -> Iterator[Metric]:
        """Every metric of the run as it stands now."""
        tables = self._monitor.stats.tables
        yield self._run_info()
        for name, text, value in _COUNTERS:
            yield _counter(name, text, tables, value)
        for name, text, value in _GAUGES:
            yield _gauge(name, text, tables, value)
        yield _requests(tables)
        yield _throttles(tables)
        yield _durations(tables)
        yield _segments(tables)
        yield _in_flight(tables)
        yield _gauge(
            "checkpoint_age_seconds",
            "Seconds since progress was last stored; absent unless the table is being copied.",
            tables,
            self._checkpoint_age,
        )
        yield _gauge(
            "checkpoint_timestamp_seconds",
            "When progress was last stored, in seconds since 1970; absent like its age. What is"
            " pushed or written to a file stays when nobody renews it: this shows its age.",
            tables,
            self._checkpointed_at,
        )
        yield from self._progress(tables)
        yield self._table_states(tables)
        yield self._healthy()
        yield self._running()
        if self._monitor.phase != "preparing":  # what earlier attempts did is not known yet
            yield from self._run_progress()
            yield self._paused()
        yield self._credentials()
        yield from self._finish_by()
        yield from move_metrics(self._monitor.move)

    def _run_info(self) -> Metric:
        info = GaugeMetricFamily(
            "dynaferry_run_info",
            "The run, and the version that runs it.",
            labels=["run", "version"],
        )
        info.add_metric([self._monitor.run, __version__], 1)
        return info

    def _healthy(self) -> Metric:
        text = "1, or 0 when the run has failed or stands still and nothing explains it."
        return GaugeMetricFamily(
            "dynaferry_healthy", text, value=1.0 if self._monitor.health.ok else 0.0
        )

    def _running(self) -> Metric:
        text = "1 while the run is under way, 0 once it has ended: then its series may go."
        return self._of_run("running", text, 0.0 if self._monitor.phase == "ended" else 1.0)

    def _paused(self) -> Metric:
        text = "1 while the run is paused, by whomever, 0 otherwise."
        return self._of_run("paused", text, 1.0 if self._monitor.stats.paused else 0.0)

    def _of_run(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"dynaferry_{name}", text, labels=["run"])
        family.add_metric([self._monitor.run], value)
        return family

    def _credentials(self) -> Metric:
        family = GaugeMetricFamily(
            "dynaferry_credentials_expire_seconds",
            "Seconds until the credentials of a side end; absent where they have no end.",
            labels=["side"],
        )
        for side, left in self._monitor.stats.credentials_left.items():
            seconds = left()
            if seconds is not None:
                family.add_metric([side], seconds)
        return family

    def _finish_by(self) -> Iterator[Metric]:
        if self._monitor.finish_by is not None:
            yield GaugeMetricFamily(
                "dynaferry_finish_by_timestamp_seconds",
                "When the copy has to be done, as --finish-by says.",
                value=self._monitor.finish_by,
            )

    def _checkpoint_age(self, table: TableStats) -> float | None:
        since = table.checkpointed_at or table.started_at
        if table.state != "running" or since is None:
            return None
        return max(0.0, self._monitor.clock() - since)

    def _checkpointed_at(self, table: TableStats) -> float | None:
        age = self._checkpoint_age(table)
        return None if age is None else self._wall_clock() - age

    def _progress(self, tables: Sequence[TableStats]) -> Iterator[Metric]:
        ratio = _family(GaugeMetricFamily, "progress_ratio", "How much is done, from 0 to 1.")
        expected = _family(
            GaugeMetricFamily,
            "expected_items",
            "Items that the table is expected to have: the service's count, corrected as segments"
            " end; absent if unknown.",
        )
        eta = _family(
            GaugeMetricFamily, "eta_seconds", "Seconds left at the current rate; absent if unknown."
        )
        for table, view in zip(tables, self._monitor.views, strict=False):
            ratio.add_metric(_labels(table), view.share_done)
            if view.expected_items is not None:
                expected.add_metric(_labels(table), view.expected_items)
            left = _seconds_left(view)
            if left is not None:
                eta.add_metric(_labels(table), left)
        yield ratio
        yield eta
        yield expected

    def _table_states(self, tables: Sequence[TableStats]) -> Metric:
        text = "1 for the state that a table is in, 0 for the others."
        family = _family(GaugeMetricFamily, "table_state", text, "state")
        for table, view in zip(tables, self._monitor.views, strict=False):
            for state in SHOWN_STATES:
                family.add_metric(_labels(table, state), float(state == view.shown_state))
        return family

    def _run_progress(self) -> Iterator[Metric]:
        total = self._monitor.total
        text = "How much of all tables is done, from 0 to 1; it never falls."
        yield self._of_run("run_progress_ratio", text, total.progress_ratio)
        seconds = 0.0 if total.progress_ratio >= 1.0 else total.eta_seconds
        if seconds is not None:
            text = "Seconds until all tables are done; absent if unknown, as while it is paused."
            yield self._of_run("run_eta_seconds", text, seconds)


def registry_for(monitor: RunMonitor) -> CollectorRegistry:
    """A registry that holds the metrics of one run and nothing of the process."""
    registry = CollectorRegistry()
    registry.register(RunCollector(monitor))
    return registry


def _seconds_left(view: TableView) -> float | None:
    return 0.0 if view.state in ("complete", "rejected") else view.seconds_left


def _labels(table: TableStats, *more: str) -> list[str]:
    return [table.source, table.target, *more]


def _family(kind: type[_Family], name: str, text: str, *labels: str) -> _Family:
    return kind(f"dynaferry_{name}", text, labels=[*_TABLE_LABELS, *labels])


def _counter(name: str, text: str, tables: Sequence[TableStats], value: _OfTable) -> Metric:
    family = _family(CounterMetricFamily, name, text)
    for table in tables:
        family.add_metric(_labels(table), value(table) or 0)
    return family


def _gauge(name: str, text: str, tables: Sequence[TableStats], value: _OfTable) -> Metric:
    family = _family(GaugeMetricFamily, name, text)
    for table in tables:
        number = value(table)
        if number is not None:
            family.add_metric(_labels(table), number)
    return family


def _by_operation(table: TableStats) -> Iterator[tuple[str, RequestStats]]:
    yield _READS, table.scans
    yield _WRITES, table.batch_writes
    if table.lookups.count:  # of a move alone
        yield _LOOKUPS, table.lookups


def _requests(tables: Sequence[TableStats]) -> Metric:
    family = _family(
        CounterMetricFamily, "requests", "Requests that ended, and how.", "operation", "outcome"
    )
    for table in tables:
        for operation, requests in _by_operation(table):
            for outcome, count in requests.outcomes.items():
                family.add_metric(_labels(table, operation, outcome), count)
    return family


def _throttles(tables: Sequence[TableStats]) -> Metric:
    family = _family(
        CounterMetricFamily,
        "throttled_requests",
        "Requests refused for their rate, by the service's reason, or its code where it gave none.",
        "operation",
        "reason",
    )
    for table in tables:
        for (operation, reason), count in table.throttles.items():
            family.add_metric(_labels(table, operation, reason), count)
    return family


def _durations(tables: Sequence[TableStats]) -> Metric:
    family = HistogramMetricFamily(
        "dynaferry_request_seconds", "How long requests took.", labels=[*_TABLE_LABELS, "operation"]
    )
    for table in tables:
        for operation, requests in _by_operation(table):
            buckets, below = [], 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), requests.buckets, strict=True):
                below += count
                buckets.append((bound, below))
            family.add_metric(_labels(table, operation), buckets, requests.seconds)
    return family


def _segments(tables: Sequence[TableStats]) -> Metric:
    family = _family(GaugeMetricFamily, "segments", "Segments by their state.", "state")
    for table in tables:
        done = table.segments_complete
        running = len(table.segments.running) if table.state == "running" else 0
        waiting = max(0, table.segments_total - done - running)
        for state, count in (("waiting", waiting), ("running", running), ("done", done)):
            family.add_metric(_labels(table, state), count)
    return family


def _in_flight(tables: Sequence[TableStats]) -> Metric:
    family = _family(
        GaugeMetricFamily, "in_flight_requests", "Requests without an answer yet.", "operation"
    )
    for table in tables:
        family.add_metric(_labels(table, _READS), table.read_requests_in_flight)
        family.add_metric(_labels(table, _WRITES), table.write_requests_in_flight)
    return family
