"""The command itself: help, version, and what a child process shows on its streams."""

import subprocess
import sys
from pathlib import Path

import pytest

import dynaferry
from dynaferry.cli.main import run_command

SOURCE = Path(dynaferry.__file__).parents[1]
HEAVY = ("aioboto3", "aiobotocore", "botocore", "aiohttp", "awscrt", "moto", "sqlite3", "rich.live")


def _dynaferry(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m dynaferry ARGUMENTS` in a process of its own; with `code`, that instead."""
    what = ["-c", code] if code is not None else ["-m", "dynaferry"]
    return subprocess.run(
        [sys.executable, *what, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(SOURCE), "COLUMNS": "80", "NO_COLOR": "1"},
    )


@pytest.mark.parametrize("arguments", [["--help"], ["copy", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from dynaferry.cli.main import run_command\n"
        "code = run_command(sys.argv[1:])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    child = _dynaferry(*arguments, code=code)
    assert child.returncode == 0, child.stderr
    assert child.stderr.splitlines() == ["[]"]
    assert child.stdout


def test_the_help_of_copy_groups_what_can_be_typed_and_gives_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["copy", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings[:6] == ["Arguments:", "Source:", "Target:", "Speed:", "Safety:", "Output:"]
    assert any("Example: dynaferry copy orders orders" in line for line in lines)


def test_the_version_is_printed() -> None:
    child = _dynaferry("--version")
    assert (child.returncode, child.stdout) == (0, f"dynaferry {dynaferry.__version__}\n")


def test_without_a_command_the_help_is_shown_with_code_2() -> None:
    child = _dynaferry()
    assert child.returncode == 2
    assert "Commands:" in child.stderr + child.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    child = _dynaferry("cpoy")
    assert child.returncode == 2
    assert "No such command 'cpoy'" in child.stderr


def test_a_mistake_in_a_child_process_shows_three_parts_and_no_traceback() -> None:
    child = _dynaferry("copy", "orders")
    assert child.returncode == 2
    assert child.stdout == ""
    assert child.stderr.splitlines() == [
        "error: the source is 'orders', but no target is named",
        "hint: dynaferry copy orders TARGET; TARGET may have the same name in another account"
        " or region",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["copy", "--help"], 1, id="help"),
        pytest.param(["copy", "--plan", "not-there.toml", "--json"], 2, id="a document"),
    ],
)
def test_a_pipe_that_closes_early_shows_no_traceback(arguments: list[str], code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dynaferry", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCE)},
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read().decode()
        child.wait(timeout=60)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert child.returncode == code


def test_a_bug_before_a_run_begins_has_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("dynaferry.cli.main.run_copy", broken)
    assert run_command(["copy", "orders", "orders"]) == 1
    assert capsys.readouterr().err.startswith("internal error: ZeroDivisionError: a bug\nhint: ")
