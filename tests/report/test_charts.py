"""What is handed to the charts' script: whole seconds in order, and no line across a gap."""

from pathlib import Path

from selenium.webdriver.common.by import By

from dynaferry.report.charts import ChartPoint, points
from dynaferry.report.page import render
from dynaferry.report.rates import Rate
from tests.report.recorded import stored_run
from tests.web.chromium import chromium, complaints, needs_chromium


def test_no_line_is_drawn_across_a_gap() -> None:
    line = [Rate(0.0, 5.0), Rate(10.0, 6.0), Rate(100.0, None), Rate(100.0, 7.0), Rate(110.0, 8.0)]
    assert points(line) == [
        ChartPoint(0, 5.0),
        ChartPoint(10, 6.0, is_last=True),
        ChartPoint(100, 7.0),
        ChartPoint(110, 8.0),
    ]


def test_of_two_rates_in_one_second_the_later_one_is_drawn() -> None:
    assert points([Rate(0.2, 5.0), Rate(0.4, 6.0), Rate(0.6, 7.0)]) == [
        ChartPoint(0, 6.0),
        ChartPoint(1, 7.0),
    ]


def test_a_line_without_a_rate_has_no_points() -> None:
    assert points([Rate(1.0, None), Rate(2.0, None)]) == []


@needs_chromium
def test_a_browser_draws_every_chart_and_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(stored_run(), None), encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        browser.get(page.as_uri())
        charts = browser.find_elements(By.CLASS_NAME, "chart")
        assert len(charts) == 4
        assert all(chart.find_elements(By.TAG_NAME, "canvas") for chart in charts)
        assert complaints(browser) == []
