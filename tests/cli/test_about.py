"""Help, version and completion: what a person types before anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dynaferry
from dynaferry.cli.main import run_command

SOURCE = Path(dynaferry.__file__).parents[1]


@pytest.mark.parametrize("typed", [["-h"], ["help"]])
def test_the_help_comes_by_its_short_names_as_well(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["--help"]) == 0
    wanted = capsys.readouterr().out
    assert run_command(typed) == 0
    assert capsys.readouterr().out == wanted


@pytest.mark.parametrize("names", [["copy"], ["dead-letters"], ["dead-letters", "replay"]])
def test_the_help_of_a_command_comes_by_three_ways(
    names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = set()
    for typed in ([*names, "--help"], [*names, "-h"], ["help", *names]):
        assert run_command(typed) == 0
        shown.add(capsys.readouterr().out)
    (page,) = shown
    assert page.startswith(f"Usage: dynaferry {' '.join(names)} ")


def test_help_of_a_command_that_is_not_there_names_the_likely_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["help", "cpoy"]) == 2
    assert "No such command 'cpoy'. Did you mean 'copy'?" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["version", "-V", "--version"])
def test_the_version_comes_by_each_of_its_names(
    typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([typed]) == 0
    assert capsys.readouterr().out == f"dynaferry {dynaferry.__version__}\n"


# Completion --------------------------------------------------------------------------------------


def completed(typed: str, state_dir: Path) -> list[str]:
    """What bash shows for what was typed so far, by the script that `completion` prints."""
    script = (
        f'dynaferry() {{ "{sys.executable}" -m dynaferry "$@"; }}\n'
        # The script asks through env, which knows no functions of the shell.
        f'mkdir -p "{state_dir}/bin"\n'
        f'printf \'#!/bin/sh\\nexec "{sys.executable}" -m dynaferry "$@"\\n\''
        f' > "{state_dir}/bin/dynaferry"\n'
        f'chmod +x "{state_dir}/bin/dynaferry"\n'
        f'export PATH="{state_dir}/bin:$PATH"\n'
        "source <(dynaferry completion bash)\n"
        f"COMP_WORDS=({typed})\n"
        'if [ "$1" = next ]; then COMP_WORDS+=(""); fi\n'
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "_dynaferry_completion dynaferry\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    child = subprocess.run(
        ["bash", "-c", script, "bash", "next" if typed.endswith(" ") else "same"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
    )
    return child.stdout.split()


def test_bash_completes_a_flag_by_the_script_that_is_printed(tmp_path: Path) -> None:
    assert completed("dynaferry copy --max-write", tmp_path) == ["--max-write-units"]


def asked(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What the command tells bash that may stand where the last word of `typed` is begun."""
    words = typed.split(" ")
    monkeypatch.setenv("_DYNAFERRY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit) as ended:
        run_command([])
    assert ended.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("dynaferry cut", ["cut-over", "cut-back"]),
        ("dynaferry dead-letters re", ["replay"]),
        ("dynaferry copy --progress ", ["auto", "plain", "none"]),
        ("dynaferry completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_what_may_come_next_is_completed(
    typed: str,
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert asked(typed, monkeypatch, capsys) == shown


def test_the_name_of_a_run_is_completed_from_the_state_directory_that_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("orders", "orders-2026", "events"):
        (tmp_path / f"{run}.sqlite").touch()
    typed = f"dynaferry pause --state-dir {tmp_path} ord"
    assert asked(typed, monkeypatch, capsys) == ["orders", "orders-2026"]
    monkeypatch.setenv("DYNAFERRY_STATE_DIR", str(tmp_path))
    assert asked("dynaferry status e", monkeypatch, capsys) == ["events"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shells_script_asks_the_command_by_its_own_variable(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["completion", shell]) == 0
    assert f"_DYNAFERRY_COMPLETE=complete_{shell}" in capsys.readouterr().out
