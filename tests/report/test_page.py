import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from dynaferry.observe.summary import NextStep
from dynaferry.plan.schedule import Schedule, ScheduleEntry
from dynaferry.plan.settings import TablePlan
from dynaferry.report import page as page_module
from dynaferry.report.charts import scripts
from dynaferry.report.page import render, seconds_at_work
from dynaferry.report.stored_run import StoredRun
from dynaferry.state.records import TableAttempt
from dynaferry.web import assets
from tests.report.recorded import ATTEMPTS, BEGAN, CERTIFICATE, stored_run
from tests.state.contract import EXTERNAL_ID

MARKUP = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"


class Read(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags[-1][0] != "script":
            self.text += f"{data}\n"


def told(run: StoredRun) -> str:
    """What stands in a report, its scripts aside."""
    return Read(render(run, None)).text


def test_it_shows_what_was_copied_and_how_it_adds_up() -> None:
    text = Read(render(stored_run(), None)).text
    for told in ("1,607", "1,600", "$12.50", "64 of 64", "complete, with rejected items",
                 "index by<owner", "table/source-0", "table/target-0",
                 "2023-11-14 22:13:20 UTC", "report of a copy of one table"):  # fmt: skip
        assert told in text


def test_it_shows_each_attempt_and_each_reason() -> None:
    text = Read(render(stored_run(), None)).text
    assert "killed or crashed" in text
    assert "ValidationException: too large" in text
    assert text.index("BatchWriteItem: IndexWrite<s") < text.index("Scan: no reason given")


def test_a_run_that_stores_nothing_says_for_how_long() -> None:
    recorded = stored_run()
    last_sign = recorded.record.checkpointed_at or 0.0
    late = replace(recorded, state="stalled", now=last_sign + 300)
    assert "nothing was stored for 5m 00s" in told(late)
    assert "nothing was stored" not in told(replace(late, state="running"))


def test_events_are_listed_with_who_asked_for_them() -> None:
    text = told(stored_run())
    assert "2023-11-14 22:13:40 UTC\npaused by ann on the command line" in text
    assert "limits now: paused" not in text  # what that led to


def test_it_draws_speed_limits_and_throttles() -> None:
    whole = render(stored_run(), None)
    page = Read(whole)
    drawn = [attrs["aria-label"] for _, attrs in page.tags if attrs.get("class") == "chart"]
    [series] = re.findall(r'<script type="application/json" id="series">(.*)</script>', whole)
    charts = [chart for group in json.loads(series) for chart in group["charts"]]
    assert [chart["title"] for chart in charts] == drawn
    assert [chart["hue"] for chart in charts] == ["--accent", "--accent", "--reads", "--bad"]
    assert [bool(chart["caps"]) for chart in charts] == [False, True, False, False]
    assert all(any(value for _, value, *_ in chart["rates"]) for chart in charts)


def test_settings_are_shown_in_words() -> None:
    recorded = stored_run()
    settings = replace(
        recorded.record.settings,
        consistent_read=True,
        max_write_units=8000.0,
        tables=(TablePlan("orders", "orders", max_read_units=250),),
        limits=Schedule(
            schedule=(
                ScheduleEntry(hours="22:00-06:00", weekdays=("sat",), max_write_units="none"),
            )
        ),
    )
    record = replace(recorded.record, settings=settings)
    text = Read(render(replace(recorded, record=record), None)).text
    for told in ("consistent read\nyes", "max write units\n8,000", "caps of orders alone\nread 250",
                 "caps 22:00-06:00, sat (UTC)\nwrite none units/s"):  # fmt: skip
        assert told in text
    assert "(" not in text.split("Settings")[1].replace("(UTC)", "")


def test_it_shows_what_verify_found() -> None:
    text = Read(render(stored_run(), CERTIFICATE)).text
    assert "Verified: different" in text
    assert "2026-01-02 03:04:05 UTC by eventually consistent scans" in text
    assert text.index("Verified: different") < text.index("Attempts")
    assert "Verified" not in Read(render(stored_run(), None)).text


@pytest.mark.parametrize("where", ["reason", "run"])
def test_whatever_comes_from_elsewhere_is_text(where: str) -> None:
    page = render(stored_run(**{where: MARKUP}), None)
    read = Read(page)
    assert MARKUP in read.text.replace("\n", "")
    assert "img" not in {tag for tag, _ in read.tags}
    assert len([tag for tag, _ in read.tags if tag == "script"]) == 1 + len(scripts())


def test_nothing_is_fetched_and_no_script_but_those_that_draw_may_run() -> None:
    page = render(stored_run(reason=MARKUP), CERTIFICATE)
    read = Read(page)
    [policy] = [attrs["content"] for _, attrs in read.tags if "http-equiv" in attrs]
    named = " ".join(script.source for script in scripts())
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f"script-src {named}"
    )
    kinds = [attrs["type"] for tag, attrs in read.tags if tag == "script"]
    assert kinds == ["application/json", "text/javascript", "module"]
    links = {attrs.get(name) for _, attrs in read.tags for name in ("src", "href")} - {None}
    assert links == {"#table-1"}
    style = (Path(page_module.__file__).parent / "style.css").read_text(encoding="utf-8")
    assert "url(" not in style


def test_a_script_that_was_not_reviewed_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "reviewed_charts", lambda: None)
    page = render(stored_run(), None)
    assert [attrs["type"] for tag, attrs in Read(page).tags if tag == "script"] == [
        "application/json",
        "module",
    ]


def test_it_holds_no_secret() -> None:
    assert EXTERNAL_ID not in render(stored_run(), None)


def test_an_attempt_that_was_killed_counts_to_its_last_sign_of_life() -> None:
    moments = [BEGAN + 10, BEGAN + 50, BEGAN + 130]
    assert seconds_at_work(ATTEMPTS, moments) == 50 + 60
    assert seconds_at_work(ATTEMPTS[:1], []) == 0
    assert seconds_at_work([], moments) == 0


def test_what_is_left_to_do_stands_there_with_its_commands() -> None:
    command = "dynaferry dead-letters list 'a <run>'"
    step = NextStep(step="dead-letters", text="see why 4 items were rejected", commands=(command,))
    text = Read(render(stored_run(), None, steps=[step])).text
    assert "Next steps" in text
    assert f"see why 4 items were rejected: {command}" in " ".join(text.split())
    assert "Next steps" not in told(stored_run())


def test_a_table_that_failed_says_why_where_it_is_told() -> None:
    run = stored_run()
    failed = TableAttempt(
        attempt=2,
        table=0,
        status="failed",
        started_at=BEGAN,
        ended_at=BEGAN + 9,
        error_type="StoppedError",
        error_message="the target is gone",
        error_hint="make it again",
    )
    text = told(replace(run, tables=[replace(run.tables[0], attempts=[failed])]))
    assert "the target is gone (make it again)" in text
