"""The dashboard is what its script makes, and what Grafana imports."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from deploy.grafana import make_dashboard
from tests.deploy.metrics import TARGET_LABELS, asked, exported, grouped_by, unknown
from tests.deploy.places import read_json

BOARD = read_json(make_dashboard.OUTPUT)
# What Grafana puts in before a query is sent.
VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*", "$source": ".*"}
# Units by Grafana's own ids, as far as they are used.
UNITS = {"percentunit", "s", "short", "Bps", "decbytes", "currencyUSD"}


def panels() -> Iterator[dict[str, Any]]:
    """The panels that show something: all but the rows' headings."""
    return (panel for panel in BOARD["panels"] if panel["type"] != "row")


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def marks() -> list[str]:
    """What is asked to mark in every panel when something happened."""
    return [each["expr"] for each in BOARD["annotations"]["list"]]


def with_variables(query: str) -> str:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def test_the_committed_dashboard_is_what_the_script_makes() -> None:
    committed = make_dashboard.OUTPUT.read_text(encoding="utf-8")
    assert committed == make_dashboard.encode(), "run `make docs`"


@pytest.mark.parametrize("query", [*queries(), *marks()])
def test_a_query_is_promql_once_its_variables_are_filled_in(query: str) -> None:
    filled = with_variables(query)
    assert "$" not in filled
    assert promql_parser.parse(filled)


@pytest.mark.parametrize("query", [*queries(), *marks()])
def test_a_query_asks_for_what_dynaferry_exports(query: str) -> None:
    assert asked(with_variables(query))
    assert unknown(with_variables(query)) == []


def test_a_legend_shows_labels_that_the_query_gives() -> None:
    for panel in panels():
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            query = with_variables(target["expr"])
            given = grouped_by(query) or {
                label for name, _ in asked(query) for label in exported()[name]
            }
            assert shown <= given, target["expr"]


def test_a_mark_is_told_by_labels_that_its_query_gives() -> None:
    for mark in BOARD["annotations"]["list"]:
        given = {
            label for name, _ in asked(with_variables(mark["expr"])) for label in exported()[name]
        }
        assert set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"])) <= given, mark["name"]


def test_the_table_has_a_row_for_each_table_and_names_every_column() -> None:
    [panel] = [panel for panel in panels() if panel["type"] == "table"]
    merge, organize = panel["transformations"]
    assert (merge["id"], organize["id"]) == ("merge", "organize")
    named = organize["options"]["renameByName"]
    columns = {f"Value #{target['refId']}" for target in panel["targets"]}
    assert columns == {name for name in named if name.startswith("Value")} | {"Value #A"}
    for target in panel["targets"]:
        assert (target["instant"], target["format"]) == (True, "table")
        # Rows are one by their labels: what else a query grouped by would be a row of its own.
        assert grouped_by(target["expr"]) - {"state"} == {"source", "target"}
    # What a column looks like is said by its name.
    shown = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert shown <= set(named.values())


def test_a_choice_lists_values_of_a_label_that_dynaferry_exports() -> None:
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(
                r"label_values\((.+), (\w+)\)", variable["query"]["query"]
            ).groups()  # type: ignore[union-attr]
            assert unknown(with_variables(selector)) == []
            assert label in TARGET_LABELS | exported()[asked(with_variables(selector))[0][0]]


def test_every_metric_is_on_the_dashboard_or_left_out_on_purpose() -> None:
    asked_for = [*queries(), *marks()]
    shown = {name for query in asked_for for name, _ in asked(with_variables(query))}
    missing = set(exported()) - shown
    assert missing == {
        "dynaferry_checkpoint_timestamp_seconds",  # for the alert; its age is shown
        "dynaferry_move_timestamp_seconds",  # for the alert
        "dynaferry_finish_by_timestamp_seconds",  # for the alert
        "dynaferry_request_seconds_count",  # requests_total counts them with their outcome
        "dynaferry_request_seconds_sum",  # quantiles say more than a mean
    }


def test_it_can_be_imported_again_without_a_second_copy() -> None:
    assert BOARD["uid"] == "dynaferry"
    assert BOARD.get("id") is None  # one that is set would be another dashboard's


def test_everything_asks_the_data_source_that_the_person_chose() -> None:
    chosen_by = {
        each["datasource"]["uid"] for panel in panels() for each in (panel, *panel["targets"])
    } | {each["datasource"]["uid"] for each in BOARD["annotations"]["list"]}
    chosen_by |= {
        variable["datasource"]["uid"]
        for variable in BOARD["templating"]["list"]
        if variable["type"] == "query"
    }
    assert chosen_by == {"${datasource}"}
    (chosen,) = (v for v in BOARD["templating"]["list"] if v["type"] == "datasource")
    assert (chosen["name"], chosen["query"]) == ("datasource", "prometheus")


def test_every_variable_of_a_query_is_defined() -> None:
    defined = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = {name for query in [*queries(), *marks()] for name in re.findall(r"\$(\w+)", query)}
    assert used <= defined | {"__rate_interval"}


def test_every_panel_has_a_unit_a_description_and_a_number_of_its_own() -> None:
    for panel in panels():
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["description"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_panels_fill_the_grid_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (column, line)
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * (max(line for _, line in taken) + 1)
