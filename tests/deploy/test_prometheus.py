"""The alerts are what Prometheus takes, and fire when they should."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.prometheus import make_alerts_page
from tests.deploy.metrics import TARGET_LABELS, asked, exported, unknown
from tests.deploy.places import DEPLOY, read_yaml

ALERTS = DEPLOY / "prometheus" / "alerts.yml"
CASES = DEPLOY / "prometheus" / "alerts_test.yml"
RUNBOOK = "https://github.com/dynaferry/dynaferry/blob/main/docs/alerts.md"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)"
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, check=False, cwd=ALERTS.parent
    )


@needs_promtool
def test_promtool_finds_the_rules_right() -> None:
    ran = promtool("check", "rules", ALERTS)
    assert ran.returncode == 0, ran.stderr


@needs_promtool
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    ran = promtool("test", "rules", CASES)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_promtool
def test_a_case_that_expects_another_alert_fails(tmp_path: Path) -> None:
    cases = CASES.read_text(encoding="utf-8")
    (tmp_path / ALERTS.name).write_text(
        ALERTS.read_text(encoding="utf-8").replace("_total > 0", "_total > 100"), encoding="utf-8"
    )
    (tmp_path / CASES.name).write_text(cases, encoding="utf-8")
    assert promtool("test", "rules", tmp_path / CASES.name).returncode == 1


def rules() -> list[dict[str, Any]]:
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    for rule in rules():
        wanted = {"summary", "description", "action", "runbook_url"}
        assert set(rule["annotations"]) == wanted, rule["alert"]


def test_every_alert_leads_to_its_part_of_the_page_on_alerts() -> None:
    headings = {
        line.removeprefix("### ").lower()
        for line in make_alerts_page.OUTPUT.read_text(encoding="utf-8").splitlines()
        if line.startswith("### ")
    }
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == RUNBOOK
        assert anchor == rule["alert"].lower()
        assert anchor in headings


def test_the_page_on_alerts_is_what_its_script_makes() -> None:
    committed = make_alerts_page.OUTPUT.read_text(encoding="utf-8")
    assert committed == make_alerts_page.encode(), "run `make docs`"


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    fired = {
        case["alertname"]
        for test in read_yaml(CASES)["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_rests_on_what_dynaferry_exports(rule: dict[str, Any]) -> None:
    assert asked(rule["expr"])
    assert unknown(rule["expr"]) == []


def test_the_cases_feed_the_alerts_with_series_as_dynaferry_exports_them() -> None:
    for test in read_yaml(CASES)["tests"]:
        for each in test["input_series"]:
            if each["series"].startswith("dynaferry_"):
                ((name, labels),) = asked(each["series"])
                assert labels - TARGET_LABELS == exported()[name], name
