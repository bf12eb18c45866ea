"""--log-format and --log-level, as they are typed."""

import json
import logging
import sys

import pytest

from dynaferry.cli.main import run_command
from dynaferry.errors import ServiceGoneError
from dynaferry.stop import StopSignal
from tests.cli.fake_run import FakeRun, put_in

COPY = ("copy", "orders", "orders")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun()

    async def copy(_: StopSignal) -> None:
        log = logging.getLogger("dynaferry.copy")
        log.debug("segment done", extra={"segment": 3})
        log.info("table ended", extra={"source": "orders"})

    fake.while_copying = copy
    put_in(monkeypatch, fake)
    return fake


def test_it_is_quiet_by_default(fake: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(COPY) == 0
    said = capsys.readouterr().err
    assert fake.plans
    assert "table ended" not in said
    assert "a notice for eyes" in said


@pytest.mark.parametrize(("level", "segments"), [("info", False), ("debug", True)])
def test_events_of_the_level_are_written_with_the_run(
    fake: FakeRun, capsys: pytest.CaptureFixture[str], level: str, *, segments: bool
) -> None:
    assert run_command([*COPY, "--log-level", level]) == 0
    said = capsys.readouterr().err
    assert fake.plans
    assert "info table ended run=orders source=orders" in said
    assert ("debug segment done run=orders segment=3" in said) is segments


def test_in_json_every_line_of_stderr_is_an_object_also_of_a_run_that_fails(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.status, fake.error = "failed", ServiceGoneError("it is gone", hint="run it again")
    before = sys.stderr
    assert run_command([*COPY, "--log-format", "json", "--log-level", "info", "--json"]) == 5
    assert sys.stderr is before
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.err.splitlines()]
    assert {event["run"] for event in events} == {"orders"}
    messages = {event["message"]: event["level"] for event in events}
    assert messages["a notice for eyes"] == "info"
    assert messages["table ended"] == "info"
    assert messages["error: it is gone"] == "error"
    [error] = [event for event in events if event["event"] == "error"]
    assert (error["error"], error["hint"]) == ("ServiceGoneError", "run it again")
    assert json.loads(said.out)["status"] == "failed"


def test_a_plan_that_is_refused_is_logged_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["copy", "--log-format", "json"]) == 2
    [error, _] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (error["level"], error["run"]) == ("error", None)


def test_verify_takes_the_same_flags(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", "orders", "orders", "--log-format", "json", "--sample", "-1"]
    assert run_command(arguments) == 2
    [event] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (event["level"], event["run"]) == ("error", None)
