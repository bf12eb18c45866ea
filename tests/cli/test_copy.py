"""`dynaferry copy`, as it is typed, against a run that copies nothing."""

import gc
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dynaferry.cli.commands.copy import setting_start_aside, watcher
from dynaferry.cli.flags import ProgressFlag
from dynaferry.cli.main import run_command
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    PlanError,
    PreflightError,
    ServiceGoneError,
    UnavailableError,
)
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunStatus, RunSummary
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import estimate_copy
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.notice import note
from dynaferry.run.outcome import without_summary
from dynaferry.stop import StopSignal
from tests.cli.fake_run import FakeRun, put_in
from tests.worlds.described import described


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun()
    put_in(monkeypatch, fake)
    return fake


def _only_document(out: str) -> dict[str, Any]:
    """What stdout holds, which is one JSON document on one line and nothing else."""
    lines = out.splitlines()
    assert len(lines) == 1
    document = json.loads(lines[0])
    assert isinstance(document, dict)
    return document


CASES: list[tuple[RunStatus, DynaferryError | None, int]] = [
    ("complete", None, 0),
    ("refused", PlanError("no region is set for the target", hint="add --target-region"), 2),
    ("refused", PreflightError("the target holds items", hint="--allow-non-empty-target"), 3),
    ("refused", AccessDeniedError("may not describe the source"), 3),
    ("rejected", None, 4),
    ("failed", ServiceGoneError("nothing was accepted for 300 s", hint="run it again"), 5),
    ("interrupted", None, 130),
]


@pytest.mark.parametrize(("status", "error", "code"), CASES)
def test_every_outcome_is_one_document_on_stdout_and_the_rest_on_stderr(
    fake: FakeRun,
    capsys: pytest.CaptureFixture[str],
    status: RunStatus,
    error: DynaferryError | None,
    code: int,
) -> None:
    fake.status, fake.error = status, error
    assert run_command(["copy", "orders", "orders", "--json"]) == code
    said = capsys.readouterr()
    document = _only_document(said.out)
    assert (document["run"], document["status"]) == ("orders", status)
    if error is None:
        assert document["error"] is None
    else:
        assert document["error"]["type"] == type(error).__name__
        assert f"error: {error.message}" in said.err
        assert error.hint is None or f"hint: {error.hint}" in said.err
    assert "a notice for eyes" in said.err


@pytest.mark.parametrize(("status", "error", "code"), CASES)
def test_without_json_stdout_stays_empty(
    fake: FakeRun,
    capsys: pytest.CaptureFixture[str],
    status: RunStatus,
    error: DynaferryError | None,
    code: int,
) -> None:
    fake.status, fake.error = status, error
    assert run_command(["copy", "orders", "orders"]) == code
    assert capsys.readouterr().out == ""


def test_a_finished_copy_says_how_it_adds_up(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.status, fake.rejected = "rejected", 7
    run_command(["copy", "orders", "orders"])
    err = capsys.readouterr().err
    assert "1,007 read = 1,000 written + 7 rejected" in err
    assert "see why 7 items were rejected" in err


def test_a_refused_copy_shows_no_summary_of_nothing(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.status, fake.error = "refused", PreflightError("the target holds items")
    run_command(["copy", "orders", "orders"])
    err = capsys.readouterr().err
    assert "error: the target holds items" in err
    assert "read =" not in err


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ([], "error: nothing says what to copy", "hint: dynaferry copy SOURCE TARGET"),
        (["orders", ""], "error: the target '' is neither a table name", "hint: a name has"),
        (
            ["orders", "new", "--exclude", "x*"],
            "error: --exclude leaves out tables that a pattern matches, and there is no pattern",
            "hint: name the tables",
        ),
        (
            ["a-b", "c-d", "--plan", "x.toml"],
            "error: tables are named on the command line and by --plan",
            "hint: leave out",
        ),
        (["--plan", "x.toml"], "error: the plan x.toml cannot be read: No such file", ""),
        (
            ["orders", "o rders"],
            "error: the target 'o rders' is neither a table name nor a table ARN",
            "hint: a name has 3 to 255",
        ),
        (
            ["orders", "orders", "--segments", "some"],
            "error: --segments 'some' is neither a number nor 'auto'",
            "hint: leave it out",
        ),
        (
            ["orders", "orders", "--target-external-id", "secret"],
            "error: an external id for the target needs a role to assume",
            "hint: add --target-role-arn",
        ),
    ],
)
def test_a_wrong_command_line_is_refused_in_words_with_code_2(
    fake: FakeRun,
    capsys: pytest.CaptureFixture[str],
    typed: list[str],
    message: str,
    hint: str,
) -> None:
    assert run_command(["copy", *typed, "--json"]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert hint in said.err
    document = _only_document(said.out)
    assert (document["status"], document["error"]["type"]) == ("refused", "PlanError")
    assert fake.plans == []


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--no-such-flag"], "No such option"),
        (["--readers", "many"], "--readers"),
        (["--on-reject", "ignore"], "--on-reject"),
        (["a", "b", "c"], "unexpected extra argument"),
    ],
)
def test_what_cannot_be_parsed_is_a_usage_error_with_code_2(
    fake: FakeRun, capsys: pytest.CaptureFixture[str], typed: list[str], message: str
) -> None:
    assert run_command(["copy", *typed, "--json"]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "Usage: dynaferry copy" in said.err
    assert _only_document(said.out)["status"] == "refused"


def test_flags_arrive_in_the_plan(fake: FakeRun) -> None:
    typed = (
        "copy orders orders --source-region us-east-1 --target-profile new --readers 3"
        " --writers 9 --max-write-units 1000.5 --no-consistent-read --create-target"
        " --state-dir elsewhere --run tonight --segments 12 --restart --tables-at-once 2"
        " --patience 60 --on-reject stop"
    )
    assert run_command(typed.split()) == 0
    (plan,) = fake.plans
    assert (plan.source.region, plan.target.profile) == ("us-east-1", "new")
    assert (plan.readers, plan.writers, plan.segments) == (3, 9, 12)
    assert (plan.max_write_units, plan.patience_seconds) == (1000.5, 60.0)
    assert (plan.create_target, plan.restart, plan.consistent_read) == (True, True, False)
    assert (plan.state_dir, plan.run_name) == (Path("elsewhere"), "tonight")
    assert (plan.tables_at_once, plan.on_reject) == (2, "stop")


def test_an_external_id_may_come_from_the_environment_alone(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", "a-secret")
    role = "arn:aws:iam::222222222222:role/x"
    assert run_command(["copy", "orders", "orders", "--target-role-arn", role, "--json"]) == 0
    assert fake.plans[0].target.external_id == "a-secret"
    said = capsys.readouterr()
    assert "a-secret" not in said.out + said.err


def test_an_external_id_that_is_typed_without_a_role_is_refused_and_names_the_variable(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["--target-external-id", "a-secret"]
    assert run_command(["copy", "orders", "orders", *typed]) == 2
    err = capsys.readouterr().err
    assert "DYNAFERRY_TARGET_EXTERNAL_ID" in err
    assert "a-secret" not in err


def test_an_external_id_of_the_environment_that_nobody_needs_is_no_error(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", "a-secret")
    assert run_command(["copy", "orders", "orders"]) == 0
    assert run_command(["copy", "orders", "orders", "--target-external-id", "another"]) == 2


def test_a_bug_is_one_line_without_a_traceback_and_resumable(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.raises = ZeroDivisionError("division by zero")
    assert run_command(["copy", "orders", "orders", "--json"]) == 5
    said = capsys.readouterr()
    assert "internal error: ZeroDivisionError: division by zero" in said.err
    assert "DYNAFERRY_TRACEBACK=1" in said.err
    assert "Traceback" not in said.err
    document = _only_document(said.out)
    assert (document["status"], document["error"]["type"]) == ("failed", "InternalError")


def test_a_traceback_is_shown_to_who_asks_for_it(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAFERRY_TRACEBACK", "1")
    fake.raises = ZeroDivisionError("division by zero")
    run_command(["copy", "orders", "orders"])
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interrupt_before_the_copy_begins_is_reported(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dynaferry.cli.interrupts.run_async", interrupted)
    assert run_command(["copy", "orders", "orders", "--json"]) == 130
    said = capsys.readouterr()
    document = _only_document(said.out)
    assert (document["status"], document["error"]) == ("interrupted", None)
    assert "interrupted before anything was copied" in said.err
    assert fake.plans == []


def test_a_copy_that_is_stopped_before_it_begins_says_so(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_begun_yet(plan: CopyPlan) -> RunSummary:
        return without_summary(plan, None, begun=False).summary

    monkeypatch.setattr(fake, "summary", not_begun_yet)
    assert run_command(["copy", "orders", "orders", "--json"]) == 130
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "interrupted before anything was copied"
    document = _only_document(said.out)
    assert (document["status"], document["error"]) == ("interrupted", None)


def test_a_copy_that_is_stopped_ends_as_interrupted(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    async def stopped(stop: StopSignal) -> None:
        stop.ask()
        await stop.finish.wait()
        fake.status = "interrupted"

    fake.while_copying = stopped
    assert run_command(["copy", "orders", "orders", "--restart", "--writers", "7"]) == 130
    lines = capsys.readouterr().err.splitlines()
    # Without --restart, which would pay for everything again.
    assert lines[-1].strip() == "dynaferry copy orders orders --writers 7"


def _preflight() -> TablePreflight:
    table = TablePlan("orders", "orders")
    plan = CopyPlan(tables=(table,))
    source = described("orders", item_count=1000, size_bytes=500_000)
    return TablePreflight(
        table=table,
        source=source,
        target=None,
        total_segments=8,
        estimate=estimate_copy(plan, table, source, source, total_segments=8),
        notices=(note("a thing to know"),),
    )


def test_a_dry_run_prints_the_estimate_for_eyes_and_for_scripts(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.preflights = (_preflight(),)
    assert run_command(["copy", "orders", "orders", "--dry-run", "--json"]) == 0
    said = capsys.readouterr()
    document = _only_document(said.out)
    assert (document["run"], document["dry_run"]) == ("orders", True)
    (table,) = document["tables"]
    assert (table["source"], table["segments_total"]) == ("orders", 8)
    assert table["creates_target"] is True
    assert table["notices"] == ["a thing to know"]
    assert table["write_units"] > 0
    assert "a thing to know" in said.err


def test_a_dry_run_of_several_tables_ends_with_their_total(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.preflights = (_preflight(), _preflight())
    run_command(["copy", "orders", "orders", "--dry-run"])
    *_, total, _, _, _, _ = [
        line for line in capsys.readouterr().err.splitlines() if not line.startswith((" ", "notes"))
    ]
    assert total.split()[:2] == ["total", "2,000"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PlanError("no region"), 2),
        (PreflightError("the target holds items"), 3),
        (AccessDeniedError("may not describe"), 3),
        (UnavailableError("no answer"), 3),
    ],
)
def test_a_dry_run_that_fails_refuses(
    fake: FakeRun, capsys: pytest.CaptureFixture[str], error: DynaferryError, code: int
) -> None:
    fake.error = error
    assert run_command(["copy", "orders", "orders", "--dry-run", "--json"]) == code
    said = capsys.readouterr()
    assert f"error: {error.message}" in said.err
    assert _only_document(said.out)["status"] == "refused"


@pytest.mark.parametrize(
    ("progress", "is_terminal", "shown"),
    [
        (ProgressFlag.AUTO, True, "watch_live"),
        (ProgressFlag.AUTO, False, "watch_plain"),
        (ProgressFlag.PLAIN, True, "watch_plain"),
        (ProgressFlag.NONE, True, None),
    ],
)
def test_the_display_suits_what_stderr_is(
    monkeypatch: pytest.MonkeyPatch, progress: ProgressFlag, is_terminal: bool, shown: str | None
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    watch = watcher(progress, readers=8)
    assert getattr(getattr(watch, "func", None), "__name__", None) == shown


async def test_what_stays_to_the_end_is_set_aside_when_the_copy_begins() -> None:
    watched: list[RunStats] = []

    async def watch(stats: RunStats) -> None:
        watched.append(stats)

    stats, frozen_before = RunStats("run"), gc.get_freeze_count()
    try:
        await setting_start_aside(None)(stats)
        await setting_start_aside(watch)(stats)
        assert gc.get_freeze_count() > frozen_before
    finally:
        gc.unfreeze()
    assert watched == [stats]
