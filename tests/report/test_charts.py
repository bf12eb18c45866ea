"""What is handed to the charts' script, and that a browser draws it."""

import json
import re
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from selenium.webdriver.common.by import By

from dynaferry.report.charts import chart_of_all, charts_of
from dynaferry.report.page import render
from dynaferry.report.stored_run import StoredRun
from tests.report.recorded import ATTEMPTS, BEGAN, EVENTS, stored_run
from tests.web.chromium import PHONE, chromium, complaints, needs_chromium

OVERFLOWS = "return document.documentElement.scrollWidth > window.innerWidth"


def of_tables(count: int) -> StoredRun:
    run = stored_run()
    return replace(run, tables=run.tables * count)


def series_of(run: StoredRun) -> list[dict[str, Any]]:
    """What the script draws."""
    [found] = re.findall(
        r'<script type="application/json" id="series">(.*)</script>', render(run, None)
    )
    series: list[dict[str, Any]] = json.loads(found)
    return series


def test_a_cap_that_people_set_is_drawn_for_the_time_in_which_it_held() -> None:
    [_, writes, *_] = charts_of(stored_run().tables[0], ATTEMPTS, EVENTS).charts
    assert writes.title == "Write units a second, cap (thin)"
    assert {point.value for point in writes.caps} == {22.0}
    assert writes.caps[0].time >= BEGAN + 100


def test_a_limit_that_is_far_above_what_was_used_does_not_press_it_flat() -> None:
    [_, writes, *_] = charts_of(stored_run().tables[0], ATTEMPTS, EVENTS).charts
    highest = max(point.value for point in writes.rates)
    assert highest == 20.0
    assert writes.limits == []  # 50 units a second


def test_all_tables_together_are_the_sum_of_each() -> None:
    run = of_tables(3)
    [one] = chart_of_all(run.tables[:1], ATTEMPTS).charts
    [three] = chart_of_all(run.tables, ATTEMPTS).charts
    assert [(p.time, p.value) for p in three.rates] == [(p.time, 3 * p.value) for p in one.rates]
    assert sum(point.is_last for point in three.rates) == 2


def test_several_tables_have_a_chart_of_all_and_one_table_has_none() -> None:
    titles = [[chart["title"] for chart in group["charts"]] for group in series_of(of_tables(2))]
    assert titles[0] == ["Items written a second, all tables"]
    assert [len(group) for group in titles] == [1, 4, 4]
    assert [len(group["charts"]) for group in series_of(stored_run())] == [0, 4]


def test_a_pause_is_there_to_be_shaded() -> None:
    assert series_of(stored_run())[1]["pauses"] == [[BEGAN + 20.4, BEGAN + 40.4]]


@needs_chromium
def test_a_browser_draws_every_chart_and_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(of_tables(2), None), encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        browser.get(page.as_uri())
        charts = browser.find_elements(By.CLASS_NAME, "chart")
        assert len(charts) == 9
        assert all(chart.find_elements(By.TAG_NAME, "canvas") for chart in charts)
        assert complaints(browser) == []
        browser.set_window_size(*PHONE)
        assert browser.execute_script(OVERFLOWS) is False
