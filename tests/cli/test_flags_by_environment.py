"""Each flag may come from a variable, below what is typed and above what the plan says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from dynaferry.cli.flags import CopyFlags
from dynaferry.cli.main import app, run_command
from dynaferry.cli.verify_flags import VerifyFlags

ROOT: Any = typer.main.get_command(app)


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        if not hasattr(command, "commands"):
            yield " ".join((*names, name)), command
        yield from commands(command, *names, name)


COMMANDS = dict(commands(ROOT))


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[CopyFlags]:
    """The flags of each copy that is asked for."""
    seen: list[CopyFlags] = []

    def note(flags: CopyFlags) -> int:
        seen.append(flags)
        return 0

    monkeypatch.setattr("dynaferry.cli.commands.copy.run_copy", note)
    return seen


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_option_of_every_command_has_the_variable_of_its_name(command: Any) -> None:
    for param in command.params:
        if param.param_type_name == "option":
            name = max(param.opts, key=len)
            assert param.envvar == f"DYNAFERRY_{name[2:].replace('-', '_').upper()}"


def test_variables_are_read_as_what_is_typed_would_be(
    monkeypatch: pytest.MonkeyPatch,
    copied: list[CopyFlags],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DYNAFERRY_STATE_DIR", "~/kept")
    monkeypatch.setenv("DYNAFERRY_MAX_WRITE_UNITS", "500")
    monkeypatch.setenv("DYNAFERRY_CREATE_TARGET", "1")
    monkeypatch.setenv("DYNAFERRY_DRY_RUN", "false")
    monkeypatch.setenv("DYNAFERRY_ON_REJECT", "stop")
    monkeypatch.setenv("DYNAFERRY_WRITERS", "")
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", "a-secret")
    assert run_command(["copy", "orders", "orders"]) == 0
    (flags,) = copied
    assert flags.state_dir == Path("~/kept").expanduser()
    assert (flags.max_write_units, flags.writers) == (500.0, None)
    assert (flags.create_target, flags.dry_run) == (True, False)
    assert flags.on_reject == "stop"
    # What changes a copy, by name: a value may be a secret.
    assert capsys.readouterr().err.splitlines() == [
        "from the environment: DYNAFERRY_CREATE_TARGET, DYNAFERRY_MAX_WRITE_UNITS,"
        " DYNAFERRY_DRY_RUN, DYNAFERRY_ON_REJECT"
    ]


def test_what_is_typed_goes_before_a_variable(
    monkeypatch: pytest.MonkeyPatch, copied: list[CopyFlags]
) -> None:
    monkeypatch.setenv("DYNAFERRY_MAX_WRITE_UNITS", "500")
    monkeypatch.setenv("DYNAFERRY_CREATE_TARGET", "1")
    monkeypatch.setenv("DYNAFERRY_PLAN", "another.toml")
    typed = ["--max-write-units", "7", "--no-create-target"]
    assert run_command(["copy", "orders", "orders", *typed]) == 0
    (flags,) = copied
    assert (flags.max_write_units, flags.create_target, flags.plan) == (7.0, False, None)


def test_a_plan_may_be_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, copied: list[CopyFlags]
) -> None:
    monkeypatch.setenv("DYNAFERRY_PLAN", "move.toml")
    assert run_command(["copy"]) == 0
    assert copied[0].plan == Path("move.toml")


def test_verify_knows_the_variables_of_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[VerifyFlags] = []

    def note(flags: VerifyFlags) -> int:
        seen.append(flags)
        return 0

    monkeypatch.setattr("dynaferry.cli.commands.verify.run_verify", note)
    monkeypatch.setenv("DYNAFERRY_SAMPLE", "10")
    monkeypatch.setenv("DYNAFERRY_READERS", "3")
    assert run_command(["verify", "orders", "orders"]) == 0
    assert (seen[0].sample, seen[0].copy.readers) == (10.0, 3)


def test_a_value_that_makes_no_sense_names_the_variable_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAFERRY_WRITERS", "8k")
    assert run_command(["copy", "orders", "orders"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Error: Invalid value for '--writers': it must be a whole number"
        " (DYNAFERRY_WRITERS says so)"
    )


def test_a_variable_that_is_misspelled_is_said_and_those_of_others_are_not(
    monkeypatch: pytest.MonkeyPatch, copied: list[CopyFlags], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAFERRY_MAX_WRITE_UNIT", "500")
    monkeypatch.setenv("DYNAFERRY_TRACEBACK", "1")
    # As Kubernetes sets them for a service of that name.
    monkeypatch.setenv("DYNAFERRY_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("DYNAFERRY_PORT_9464_TCP", "tcp://10.0.0.1:9464")
    assert run_command(["copy", "orders", "orders"]) == 0
    assert copied[0].max_write_units is None
    assert capsys.readouterr().err.splitlines() == [
        "DYNAFERRY_MAX_WRITE_UNIT is no variable of dynaferry."
        " Did you mean DYNAFERRY_MAX_WRITE_UNITS?"
    ]


def test_with_a_log_in_json_no_line_of_it_is_anything_else(
    monkeypatch: pytest.MonkeyPatch, copied: list[CopyFlags], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAFERRY_LOG_FORMAT", "json")
    monkeypatch.setenv("DYNAFERRY_WRITERS", "3")
    assert run_command(["copy", "orders", "orders"]) == 0
    assert copied[0].writers == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "from the environment: DYNAFERRY_WRITERS"


def test_a_usage_error_is_a_document_where_the_environment_asks_for_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYNAFERRY_JSON", "1")
    assert run_command(["copy", "--zzz"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "No such option: --zzz."
