"""Writes dashboard.json, the Grafana dashboard of a run: `make docs`.

The types are Grafana's own (grafana-foundation-sdk), so that what is written can be imported. The
sizes are of a grid 24 wide; a row of panels fills it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    gauge,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableHide,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

OUTPUT: Final = Path(__file__).with_name("dashboard.json")
UID: Final = "dynaferry"

# Whoever imports the dashboard chooses the data source; every query goes to the one chosen.
DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
# What each query is about: the chosen runs, and of them the chosen tables.
RUN: Final = 'job=~"$job",instance=~"$instance"'
TABLE: Final = f'{RUN},source=~"$source"'
BY_TABLE: Final = "{{source}} → {{target}}"

Query = tuple[str, str]  # PromQL, and the legend of what it gives
Panel = stat.Panel | gauge.Panel | table.Panel | timeseries.Panel


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
        .description("A copy of DynamoDB tables: how far, how fast, and what limits it.")
        .tags(["dynamodb", "dynaferry"])
        .time("now-3h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
    )
    for variable in _variables():
        board = board.with_variable(variable)
    for name, color, expression, _ in _events():
        board = board.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(DATASOURCE)
            .enable(True)
            .icon_color(color)
            .expr(expression)
        )
    for title, panels in _rows():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def _events() -> list[tuple[str, str, str, str]]:
    """What is marked in every panel: its name, its colour, when it is, and its words."""
    running = f"dynaferry_running{{{RUN}}}"
    failed = of_table("table_state", 'state="failed"')
    return [
        ("Started", "green", f"{running} == 1 unless {running} offset 1m", "{{run}} started"),
        ("Paused", "yellow", f"dynaferry_paused{{{RUN}}} == 1", "paused"),
        ("Stalled or failed", "red", f"dynaferry_healthy{{{RUN}}} == 0", "stalled or failed"),
        ("Table failed", "red", f"{failed} == 1", "{{source}} failed"),
    ]


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
        ("Tables", [_tables()]),
        ("How fast", _how_fast()),
        ("What limits it", _what_limits_it()),
        ("Safety", _safety()),
        ("Move: how far behind", _move()),
    ]


def _now() -> list[Panel]:
    done = (
        gauge.Panel()
        .title("Done")
        .description("The share of all tables together; those that wait are in it.")
        .datasource(DATASOURCE)
        .span(4)
        .height(5)
        .unit("percentunit")
        .min(0)
        .max(1)
        .reduce_options(_latest())
        .with_target(_target(_of_run("run_progress_ratio"), "done").instant())
    )
    return [
        done,
        _number("ETA", "Until all tables are done, at the rate of now; empty if unknown.", "s", 4)
        .no_value("unknown")
        .with_target(_target(_of_run("run_eta_seconds"), "ETA").instant()),
        _number("State", "Whether somebody has paused it.", "short", 4)
        .mappings([_words({"0": ("not paused", "green"), "1": ("paused", "yellow")})])
        .with_target(_target(f"max(dynaferry_paused{{{RUN}}})", "paused").instant()),
        _number(
            "Items written", "Acknowledged by the target, earlier attempts included.", "short"
        ).with_target(_target(f"sum({of_table('items_written_total')})", "written").instant()),
        _number("Items rejected", "By the target, kept as dead letters; zero is right.", "short")
        .thresholds(_from_one_on("red"))
        .with_target(_target(f"sum({of_table('items_rejected_total')})", "rejected").instant()),
        _number("Healthy", "No when nothing moves and nothing explains it.", "short")
        .mappings([_words({"0": ("no", "red"), "1": ("yes", "green")})])
        .with_target(_target(f"min(dynaferry_healthy{{{RUN}}})", "healthy").instant()),
        _number("Cost so far", "Of on-demand units, at the prices given.", "currencyUSD")
        .decimals(2)
        .with_target(_target(f"sum({of_table('estimated_cost_dollars')})", "cost").instant()),
    ]


def _of_run(metric: str) -> str:
    """The series of a metric of the chosen runs as a whole."""
    return f"dynaferry_{metric}{{{RUN}}}"


def _words(words: Mapping[str, tuple[str, str]]) -> ValueMap:
    """What stands for each value, and its colour."""
    return ValueMap(
        options={
            value: ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )


# The columns of the tables: the query of each, its name, its unit, and more of how it looks.
_STATE_COLORS: Final = {
    "waiting": "text",
    "running": "blue",
    "paused": "yellow",
    "stalled": "red",
    "complete": "green",
    "rejected": "orange",
    "failed": "red",
    "interrupted": "orange",
}


def _columns() -> list[tuple[str, str, str]]:
    throttles = total(rate("throttled_requests_total"))
    requests = total(rate("requests_total"))
    return [
        ("Done", f"max by (source, target) ({of_table('progress_ratio')})", "percentunit"),
        ("ETA", f"max by (source, target) ({of_table('eta_seconds')})", "s"),
        ("Items", total(of_table("items_written_total")), "short"),
        ("Expected", f"max by (source, target) ({of_table('expected_items')})", "short"),
        ("Items/s", total(rate("items_written_total")), "short"),
        ("Throttled", f"{throttles} / {requests}", "percentunit"),
        ("Rejected", total(of_table("items_rejected_total")), "short"),
    ]


def _tables() -> table.Panel:
    """A row for each table."""
    panel = (
        table.Panel()
        .title("Tables")
        .description("One row a table: how far, when it ends, how fast, and what is amiss.")
        .datasource(DATASOURCE)
        .span(24)
        .height(9)
        .unit("short")
        .show_header(True)
    )
    state = f"max by (source, target, state) ({of_table('table_state')} == 1)"
    columns = _columns()
    for query in (state, *(query for _, query, _ in columns)):
        panel = panel.with_target(_target(query, "").instant().format(PromQueryFormat.TABLE))
    letters = "BCDEFGHIJ"[: len(columns)]
    named = {f"Value #{letter}": name for letter, (name, *_) in zip(letters, columns, strict=True)}
    order = ["source", "target", "state", *named]
    panel = panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True, "Value #A": True},
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": named | {"source": "Table", "target": "Target", "state": "State"},
            },
        )
    )
    for name, _, unit in columns:
        panel = panel.override_by_name(name, [DynamicConfigValue("unit", unit), *_looks(name)])
    colors = _words({state: (state, color) for state, color in _STATE_COLORS.items()})
    return panel.override_by_name(
        "State",
        [
            DynamicConfigValue("mappings", [colors]),
            DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ],
    )


def _looks(column: str) -> list[DynamicConfigValue]:
    if column == "Done":
        bar = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        limits = [DynamicConfigValue("min", 0), DynamicConfigValue("max", 1)]
        return [*limits, DynamicConfigValue("custom.cellOptions", bar)]
    amiss = {"Throttled": _steps("text", 0.2, "orange"), "Rejected": _from_one_on("red", "text")}
    if column not in amiss:
        return []
    return [
        DynamicConfigValue("thresholds", amiss[column].build()),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
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


def _what_limits_it() -> list[Panel]:
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
        _with_line(
            _over_time(
                "Age of the checkpoint",
                "About a second while a table is copied.",
                "s",
                [
                    (total(of_table("checkpoint_age_seconds")), BY_TABLE),
                ],
            ),
            "green",
            30.0,
            "red",
        ),
        _with_line(
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
            "red",
            540.0,
            "green",
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
        _with_line(
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
            "green",
            60.0,
            "orange",
        ),
        _over_time(
            "Changes a second",
            "In: captured. Out: applied, replaced by a newer one of their key, or rejected.",
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
                (total(of_table("gaps_open")), f"losses not repaired, {BY_TABLE}"),
                (total(of_table("gaps_total")), f"losses ever, {BY_TABLE}"),
                (total(of_table("doubts")), f"writes in doubt, {BY_TABLE}"),
                (total(of_table("move_rejected")), f"items rejected, {BY_TABLE}"),
                (total(of_table("late_writes")), f"late writes, {BY_TABLE}"),
                (total(of_table("will_catch_up")), f"catches up, {BY_TABLE}"),
            ],
        ),
    ]


def _target(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(DATASOURCE).expr(expression).legend_format(legend)


def _number(title: str, description: str, unit: str, span: int = 3) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(span)
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


def _with_line(panel: timeseries.Panel, below: str, limit: float, above: str) -> timeseries.Panel:
    """The panel with a line at the limit from which on somebody should look."""
    style = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.LINE)
    return panel.thresholds(_steps(below, limit, above)).thresholds_style(style)


def _from_one_on(color: str, below: str = "green") -> dashboard.ThresholdsConfig:
    return _steps(below, 1.0, color)


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
    for annotation, (*_, title) in zip(board["annotations"]["list"], _events(), strict=True):
        annotation["titleFormat"] = title
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(encode(), encoding="utf-8")
