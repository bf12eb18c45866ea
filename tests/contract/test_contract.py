"""These tests know dynaferry from outside only, so that they hold whatever moves inside."""

import re
from importlib.metadata import entry_points
from pathlib import Path

from tests.contract.world import FIXTURES, ROOT, look

# `dynaferry.CopyPlan`, and `dynaferry.` in front of a text: what the package itself gives.
INSIDE = re.compile(r"\bdynaferry\.(?!CopyPlan\b|__)\w")
HERE = ROOT / "tests" / "contract"


def test_no_test_here_names_a_module_of_the_inside() -> None:
    naming = [path.name for path in HERE.glob("*.py") if INSIDE.search(path.read_text("utf-8"))]
    assert naming == []


def test_the_command_is_called_dynaferry() -> None:
    (command,) = entry_points(group="console_scripts", name="dynaferry")
    assert callable(command.load())


PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
HELP = dict(re.findall(r"(?ms)^## (dynaferry.*?)\n\n```\n(.*?)\n```$", PAGE))


def test_the_commands_are_those_that_people_type() -> None:
    wanted = (FIXTURES / "commands.txt").read_text(encoding="utf-8").splitlines()
    assert list(HELP) == wanted


def test_each_command_says_the_help_that_the_page_of_commands_records(tmp_path: Path) -> None:
    # Lines and words with a hyphen break where the terminal ends, which tests/docs holds.
    for command, wanted in HELP.items():
        said = look(tmp_path, *command.split()[1:], "--help")
        assert (said.code, without_spaces(said.out)) == (0, without_spaces(wanted)), command


def without_spaces(text: str) -> str:
    """The text in one word."""
    return "".join(text.split())
