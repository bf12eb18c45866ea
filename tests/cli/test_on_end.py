"""--on-end: a command of the caller's that learns how a copy, a move or a comparison has ended."""

import json
from pathlib import Path
from typing import Any

import pytest

from dynaferry.cli.commands.hooks import last_words_and_hook, run_on_end
from dynaferry.cli.flags import CopyFlags
from dynaferry.cli.main import run_command
from dynaferry.errors import LoopStalledError
from tests.cli.fake_run import FakeRun, put_in

TELL = 'printf "%s %s %s %s\\n" "$DYNAFERRY_ENDED_COMMAND" "$DYNAFERRY_ENDED_RUN"'
TELL += ' "$DYNAFERRY_ENDED_STATUS" "$DYNAFERRY_ENDED_EXIT_CODE" >> '


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, "complete"),
        (1, "failed"),
        (2, "refused"),
        (3, "refused"),
        (4, "rejected"),
        (5, "failed"),
        (6, "different"),
        (130, "interrupted"),
    ],
)
def test_the_command_learns_what_has_ended_and_how(told: Path, code: int, status: str) -> None:
    flags = CopyFlags(on_end=f"{TELL}{told}")
    assert run_on_end(flags, "copy", "orders", code) == code
    assert told.read_text() == f"copy orders {status} {code}\n"


def test_a_dry_run_ends_nothing(told: Path) -> None:
    assert run_on_end(CopyFlags(on_end=f"{TELL}{told}", dry_run=True), "copy", "orders", 0) == 0
    assert not told.exists()


def test_a_command_that_fails_is_said_and_changes_no_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_on_end(CopyFlags(on_end="exit 3 # a-secret-0f4e"), "copy", "orders", 0) == 0
    assert capsys.readouterr().err.splitlines() == [
        "running the command of --on-end",
        "the command of --on-end ended with 3",
    ]


@pytest.mark.parametrize("command", ["copy", "move", "verify"])
def test_a_plan_that_makes_no_sense_has_ended_as_well(command: str, told: Path) -> None:
    assert run_command([command, "a b", "orders", "--on-end", f"{TELL}{told}"]) == 2
    assert told.read_text() == f"{command}  refused 2\n"


def test_a_process_that_hangs_runs_the_command_behind_its_last_words(told: Path) -> None:
    said: list[Any] = []
    flags = CopyFlags(on_end=f"{TELL}{told}")
    last_words_and_hook(said.append, flags, "copy", "orders")(LoopStalledError("it hangs"))
    assert len(said) == 1
    assert told.read_text() == "copy orders failed 5\n"


def test_a_copy_runs_it_behind_its_document_and_nothing_of_it_gets_into_that(
    told: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake = FakeRun()
    put_in(monkeypatch, fake)
    fake.status = "rejected"
    monkeypatch.setenv("DYNAFERRY_ON_END", f"echo done; {TELL}{told}")
    assert run_command(["copy", "orders", "orders", "--json"]) == 4
    shown = capfd.readouterr()
    assert json.loads(shown.out)["status"] == "rejected"
    assert told.read_text() == "copy orders rejected 4\n"
    assert "done" in shown.err.splitlines()
