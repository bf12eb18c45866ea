"""The command itself: help, version, and what a child process shows on its streams."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import dynaferry
from dynaferry.cli.main import app, run_command
from dynaferry.errors import StateError
from tests.worlds.endpoint import Answer, running_endpoint

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
    # As it is typed: neither wrapped nor joined.
    typed = lines[lines.index("Examples:") + 1 :]
    assert "  dynaferry copy orders orders --create-target --dry-run \\" in typed


def _commands(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, *names, name)


@pytest.mark.parametrize("names", [*_commands(typer.main.get_command(app))], ids=" ".join)
def test_every_help_has_examples_and_fits_eighty_columns(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run_command([*names, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    typed = [line for line in lines[lines.index("Examples:") :] if not line.startswith("  #")]
    assert any(line.startswith(f"  {' '.join(('dynaferry', *names))}") for line in typed)
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines[1:])


def test_the_help_groups_the_commands_and_forgets_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    shown = [line.split()[0] for line in lines if re.match(r"  [a-z]\S*  ", line)]
    there = set(getattr(typer.main.get_command(app), "commands", {}))
    assert headings == [
        "Options:",
        "Copy:",
        "Switch:",
        "Watch and control:",
        "Try and measure:",
        "Help:",
        "Examples:",
    ]
    assert sorted(shown) == sorted(there)


def test_the_version_is_printed() -> None:
    child = _dynaferry("--version")
    assert (child.returncode, child.stdout) == (0, f"dynaferry {dynaferry.__version__}\n")


def test_without_a_command_the_help_is_shown_with_code_2() -> None:
    child = _dynaferry()
    assert child.returncode == 2
    assert "\nCopy:\n  plan " in child.stderr + child.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    child = _dynaferry("cpoy")
    assert child.returncode == 2
    assert "No such command 'cpoy'" in child.stderr


def test_a_mistake_in_a_child_process_shows_three_parts_and_no_traceback() -> None:
    child = _dynaferry("copy", "prod-*", "orders")
    assert child.returncode == 2
    assert child.stdout == ""
    assert child.stderr.splitlines() == [
        "error: the source 'prod-*' is a pattern, and all that it matches would go to one target,"
        " 'orders'",
        "hint: give the target the same wildcards, such as 'prod-*' and 'new-*', or leave it out"
        " for the same names",
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

    monkeypatch.setattr("dynaferry.cli.commands.copy.run_copy", broken)
    assert run_command(["copy", "orders", "orders"]) == 1
    assert capsys.readouterr().err.startswith("internal error: ZeroDivisionError: a bug\nhint: ")


ROLE = "arn:aws:iam::222222222222:role/x"
DENIED = (
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
)


async def _denied_role(**environment: str) -> str:
    """What stderr shows of a copy whose role may not be assumed."""
    async with running_endpoint() as sts:
        sts.otherwise = Answer(body=DENIED, status=403, checksum="none")
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dynaferry", "copy", "orders", "orders"),
            *("--source-endpoint-url", sts.url, "--sts-endpoint-url", sts.url),
            *("--target-role-arn", ROLE, "--source-region", "us-east-1"),
            *("--target-region", "us-east-1"),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment, "PYTHONPATH": str(SOURCE)},
        )
        _, said = await child.communicate()
    return said.decode()


async def test_a_denied_role_is_reported_in_two_lines_and_no_library_adds_any() -> None:
    assert (await _denied_role()).splitlines() == [
        f"error: assuming the target's role {ROLE} with the credentials of the environment was"
        " refused: AccessDenied: no",
        "hint: the role's trust policy must name the caller and the external id must match;"
        " the caller, the credentials of the environment, needs sts:AssumeRole on the role",
    ]


async def test_a_traceback_has_the_cause_and_not_what_a_library_logs_of_its_requests() -> None:
    said = await _denied_role(DYNAFERRY_TRACEBACK="1")
    assert "botocore.exceptions.ClientError: An error occurred (AccessDenied)" in said
    assert "Refreshing temporary credentials failed" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--version", ""),
        ("copy --help", ""),
        ("copy --plan not-there.toml --json", "error: the plan not-there.toml"),
    ],
)
def test_a_document_that_cannot_be_written_is_an_error(arguments: str, said: str) -> None:
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(
            [sys.executable, "-m", "dynaferry", *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env={"PYTHONPATH": str(SOURCE)},
        )
    assert child.returncode == 1
    assert child.stderr.startswith(said)
    assert child.stderr.endswith("error: stdout cannot be written: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_without_a_standard_stream_works_on(closed: str, tmp_path: Path) -> None:
    # What is opened later must not take the stream's number: the plan would be written over.
    plan = tmp_path / "plan.toml"
    plan.write_text("readers = 0")
    child = subprocess.run(
        ["sh", "-c", f'"$0" -m dynaferry copy --plan "$1" --json {closed}', sys.executable, plan],  # noqa: S607  # the system's shell
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(SOURCE)},
    )
    assert child.returncode == 2
    assert "Traceback" not in child.stdout + child.stderr
    assert "Fatal" not in child.stderr
    assert ("error: " in child.stderr) is ("2>&-" not in closed)
    assert bool(child.stdout) is (" >&-" not in f" {closed}".replace("2>&-", ""))


def test_an_interrupt_while_modules_are_loaded_shows_no_traceback() -> None:
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from dynaferry.__main__ import main\n"
        "main()\n"
    )
    child = _dynaferry(code=code)
    assert (child.returncode, child.stdout, child.stderr) == (130, "", "")


def test_an_error_alone_in_a_group_is_reported_as_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def grouped(_: object) -> int:
        raise ExceptionGroup("", [ExceptionGroup("", [StateError("the state is busy")])])

    monkeypatch.setattr("dynaferry.cli.commands.copy.run_copy", grouped)
    assert run_command(["copy", "orders", "orders"]) == 3
    assert capsys.readouterr().err == "error: the state is busy\n"
