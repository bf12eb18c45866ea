"""Writes dashboard.json, the Grafana dashboard of a run: `make docs`.

The types are Grafana's own (grafana-foundation-sdk), so that what is written can be imported. The
sizes are of a grid 24 wide; a row of panels fills it.
"""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, gauge, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableHide,
    VariableRefresh,
    VariableSort,
)

OUTPUT: Final = Path(__file__).with_name("dashboard.json")
UID: Final = "dynaferry"

# Whoever imports the dashboard chooses the data source; every query goes to the one chosen.
DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
# What each query is about: the chosen runs, and of them the chosen tables.
RUN: Final = 'job=~"$job",instance=~"$instance"'
TABLE: Final = f'{RUN},source=~"$source"'
BY_TABLE: Final = "{{source}} → {{target}}"

Query = tuple[str, str]  # PromQL, and the legend of what it gives
Panel = stat.Panel | gauge.Panel | timeseries.Panel


def of_table(metric: str, *matchers: str) -> str:
    """The series of one metric of the chosen tables."""
    return f"dynaferry_{metric}{{{','.join([TABLE, *matchers])}}}"


def rate(metric: str, *matchers: str) -> str:
    """How fast a counter of the chosen tables grows, each second."""
    return f"rate({of_table(metric, *matchers)}[$__rate_interval])"


def total(expression: str, *labels: str) -> str:
    """The sum over everything but the table and these labels."""
    return f"sum by ({', '.join(['source', 'target', *labels])}) ({expression})"


def latency(operation: str, share: float) -> str:
    """The seconds within which this share of an operation's requests is answered."""
    buckets = total(rate("request_seconds_bucket", f'operation="{operation}"'), "le")
    return f"histogram_quantile({share}, {buckets})"


def build() -> dashboard.Dashboard:
    """The whole dashboard."""
    board = (
        dashboard.Dashboard("dynaferry")
        .uid(UID)
        .description("A copy of DynamoDB tables: how far, how fast, and what holds it back.")
        .tags(["dynamodb", "dynaferry"])
        .time("now-3h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
    )
    for variable in _variables():
        board = board.with_variable(variable)
    for title, panels in _rows():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def _variables() -> list[dashboard.DatasourceVariable | dashboard.QueryVariable]:
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _choice("job", "Job", "label_values(dynaferry_run_info, job)"),
        _choice("instance", "Run at", 'label_values(dynaferry_run_info{job=~"$job"}, instance)'),
        _choice(
            "source", "Source table", f"label_values(dynaferry_items_read_total{{{RUN}}}, source)"
        ),
    ]


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .hide(VariableHide.DONT_HIDE)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _rows() -> list[tuple[str, list[Panel]]]:
    return [
        ("Now", _now()),
        ("How fast", _how_fast()),
        ("What holds it back", _what_holds_it_back()),
        ("Safety", _safety()),
        ("Move: how far behind", _move()),
    ]


def _now() -> list[Panel]:
    done = (
        gauge.Panel()
        .title("Done")
        .description("The share that is done, of what the service's own item count says.")
        .datasource(DATASOURCE)
        .span(4)
        .height(5)
        .unit("percentunit")
        .min(0)
        .max(1)
        .reduce_options(_latest())
        .with_target(_target(of_table("progress_ratio"), BY_TABLE).instant())
    )
    return [
        done,
        _number(
            "Time left", "At the rate of now; of the table that takes longest.", "s"
        ).with_target(_target(f"max({of_table('eta_seconds')})", "left").instant()),
        _number(
            "Items written", "Acknowledged by the target, earlier attempts included.", "short"
        ).with_target(_target(f"sum({of_table('items_written_total')})", "written").instant()),
        _number("Items rejected", "Refused by the target and set aside; zero is right.", "short")
        .thresholds(_from_one_on("red"))
        .with_target(_target(f"sum({of_table('items_rejected_total')})", "rejected").instant()),
        _number("Healthy", "1, or 0 when nothing moves and nothing explains it.", "short")
        .thresholds(_up_to_one("red"))
        .with_target(_target(f"min(dynaferry_healthy{{{RUN}}})", "healthy").instant()),
        _number("Cost so far", "Of on-demand units, at the prices given.", "currencyUSD")
        .decimals(2)
        .with_target(_target(f"sum({of_table('estimated_cost_dollars')})", "cost").instant()),
    ]


def _how_fast() -> list[Panel]:
    return [
        _over_time(
            "Items a second",
            "What is read runs only a little ahead.",
            "short",
            [
                (total(rate("items_read_total")), f"read, {BY_TABLE}"),
                (total(rate("items_written_total")), f"written, {BY_TABLE}"),
            ],
        ),
        _over_time(
            "Bytes read a second",
            "As the source sends them.",
            "Bps",
            [
                (total(rate("bytes_read_total")), BY_TABLE),
            ],
        ),
        _over_time(
            "Write units a second",
            "Used, and what is allowed now.",
            "short",
            [
                (total(rate("write_capacity_units_total")), f"used, {BY_TABLE}"),
                (total(of_table("write_rate_limit_units")), f"allowed, {BY_TABLE}"),
            ],
        ),
        _over_time(
            "Read units a second",
            "Used, and what is allowed now.",
            "short",
            [
                (total(rate("read_capacity_units_total")), f"used, {BY_TABLE}"),
                (total(of_table("read_rate_limit_units")), f"allowed, {BY_TABLE}"),
            ],
        ),
    ]


def _what_holds_it_back() -> list[Panel]:
    throttled = total(rate("throttled_requests_total"), "operation", "reason")
    outcomes = total(rate("requests_total", 'outcome!="ok"'), "operation", "outcome")
    return [
        _stacked(
            "Throttled requests a second",
            "By the reason that the service gives.",
            [
                (throttled, "{{operation}} {{reason}}, {{source}}"),
            ],
        ),
        _stacked(
            "Requests that did not simply succeed",
            "By how they ended, each second.",
            [
                (outcomes, "{{operation}} {{outcome}}, {{source}}"),
            ],
        ),
        _over_time(
            "Time of a write",
            "Of BatchWriteItem requests.",
            "s",
            [
                (latency("BatchWriteItem", share), f"p{share * 100:g}, {{{{source}}}}")
                for share in (0.5, 0.95, 0.99)
            ],
        ),
        _over_time(
            "Time of a read",
            "Of Scan requests.",
            "s",
            [
                (latency("Scan", share), f"p{share * 100:g}, {{{{source}}}}")
                for share in (0.5, 0.95, 0.99)
            ],
        ),
        _over_time(
            "Requests in flight",
            "Sent and not answered yet.",
            "short",
            [
                (total(of_table("in_flight_requests"), "operation"), "{{operation}}, {{source}}"),
            ],
        ),
        _over_time(
            "Unprocessed items a second",
            "Left by the target, sent again.",
            "short",
            [
                (total(rate("unprocessed_items_total")), BY_TABLE),
            ],
        ),
    ]


def _safety() -> list[Panel]:
    return [
        _stacked(
            "Segments",
            "Of the source's scan.",
            [
                (total(of_table("segments"), "state"), "{{state}}, {{source}}"),
            ],
        ),
        _over_time(
            "Age of the checkpoint",
            "About a second while a table is copied.",
            "s",
            [
                (total(of_table("checkpoint_age_seconds")), BY_TABLE),
            ],
        ),
        _over_time(
            "Credentials last for",
            "Renewed well before they end.",
            "s",
            [
                (
                    f"min by (instance, side) (dynaferry_credentials_expire_seconds{{{RUN}}})",
                    "{{side}}",
                ),
            ],
        ),
        _over_time(
            "Run",
            "Which run, of which version.",
            "short",
            [
                (
                    f"max by (run, version) (dynaferry_run_info{{{RUN}}})",
                    "{{run}}, version {{version}}",
                ),
            ],
        ),
    ]


def _move() -> list[Panel]:
    """What only `dynaferry move` has; of a copy these stay empty."""
    return [
        _over_time(
            "Behind the source",
            "What the stream showed before so long is in the target. Empty while the table is"
            " copied.",
            "s",
            [
                (total(of_table("lag_seconds")), f"behind, {BY_TABLE}"),
                (total(of_table("oldest_waiting_seconds")), f"oldest that waits, {BY_TABLE}"),
            ],
        ),
        _over_time(
            "Changes a second",
            "In: captured. Out: applied, replaced by a newer one of their key, or refused.",
            "short",
            [(total(rate("changes_total"), "direction"), "{{direction}}, {{source}}")],
        ),
        _over_time(
            "Waiting in the spool",
            "Keys, and those of them whose items are read again. It grows while a table is copied.",
            "short",
            [
                (total(of_table("spool_rows")), f"waiting, {BY_TABLE}"),
                (total(of_table("spool_read_again")), f"to be read again, {BY_TABLE}"),
            ],
        ),
        _over_time(
            "Spool on the disk",
            "Beyond --spool-max-bytes keys are kept alone.",
            "decbytes",
            [(total(of_table("spool_bytes")), BY_TABLE)],
        ),
        _stacked(
            "State",
            "1 for the state that a table is in.",
            [(total(of_table("move_state"), "state"), "{{state}}, {{source}}")],
        ),
        _stacked(
            "Shards of the stream",
            "Read; to be read behind their parents; ended, and their children are not shown yet.",
            [(total(of_table("stream_shards"), "state"), "{{state}}, {{source}}")],
        ),
        _over_time(
            "Age of what is captured",
            "A stream keeps 24 hours: records older than that are lost.",
            "s",
            [
                (total(of_table("stream_position_age_seconds")), f"oldest position, {BY_TABLE}"),
                (total(of_table("capture_silent_seconds")), f"not read for, {BY_TABLE}"),
            ],
        ),
        _over_time(
            "Not as it should be",
            "Zero is right, and 1 for what catches up.",
            "short",
            [
                (total(of_table("gaps_open")), f"losses not mended, {BY_TABLE}"),
                (total(of_table("gaps_total")), f"losses ever, {BY_TABLE}"),
                (total(of_table("doubts")), f"writes in doubt, {BY_TABLE}"),
                (total(of_table("move_rejected")), f"items refused, {BY_TABLE}"),
                (total(of_table("late_writes")), f"late writes, {BY_TABLE}"),
                (total(of_table("will_catch_up")), f"catches up, {BY_TABLE}"),
            ],
        ),
    ]


def _target(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(DATASOURCE).expr(expression).legend_format(legend)


def _number(title: str, description: str, unit: str) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(4)
        .height(5)
        .unit(unit)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(_latest())
    )


def _latest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _over_time(title: str, description: str, unit: str, queries: list[Query]) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(12)
        .height(8)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .show_points(VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for expression, legend in queries:
        panel = panel.with_target(_target(expression, legend))
    return panel


def _stacked(title: str, description: str, queries: list[Query]) -> timeseries.Panel:
    panel = _over_time(title, description, "short", queries).fill_opacity(30)
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))


def _from_one_on(color: str) -> dashboard.ThresholdsConfig:
    return _steps("green", 1.0, color)


def _up_to_one(color: str) -> dashboard.ThresholdsConfig:
    return _steps(color, 1.0, "green")


def _steps(below: str, limit: float, above: str) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(color=below), Threshold(value=limit, color=above)])
    )


def encode() -> str:
    """The dashboard as Grafana imports it; panels are numbered, and their queries lettered."""
    board = json.loads(json.dumps(build().build(), cls=JSONEncoder))
    for number, panel in enumerate(board["panels"], start=1):
        panel["id"] = number
        for letter, target in zip("ABCDEFGH", panel.get("targets", []), strict=False):
            target["refId"] = letter
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(encode(), encoding="utf-8")
