"""What docs/troubleshooting.md quotes is what dynaferry says, under the exit code that it has."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from dynaferry import errors
from dynaferry.cli import exit_codes
from dynaferry.errors import DynaferryError, RetryableError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ANYTHING = "…"

# Every error that ends a command, by its name.
CLASSES: dict[str, type[DynaferryError]] = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, DynaferryError) and not issubclass(found, RetryableError)
}


def sections() -> list[tuple[int, str]]:
    """(exit code, its part of the page)."""
    parts = re.split(r"(?m)^## ", PAGE)
    found = [(re.match(r"Exit code (\d+)", part), part) for part in parts]
    return [(int(code[1]), part) for code, part in found if code is not None]


def quoted() -> list[tuple[int, str]]:
    """(exit code, message) for every error that the page quotes."""
    return [
        (code, message)
        for code, part in sections()
        if "| error |" in part
        for message in re.findall(r"(?m)^\| `([^`]+)` \|", part)
    ]


def words(node: ast.expr) -> str | None:
    """A text of the code, with … for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [words(value) or ANYTHING for value in node.values]
        return re.sub(f"{ANYTHING}+", ANYTHING, "".join(parts))
    return None


def said() -> list[tuple[int, str]]:
    """(exit code, message) for every error that the code raises with a text of its own."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                error, message = CLASSES.get(node.func.id), words(node.args[0])
                if error is not None and message is not None:
                    found.append((exit_codes.of_error(error.__new__(error)), message))
    return found


SAID = said()


@pytest.mark.parametrize(("code", "message"), quoted(), ids=lambda value: str(value)[:60])
def test_a_quoted_error_is_one_that_the_code_raises_with_that_exit_code(
    code: int, message: str
) -> None:
    # Two variable parts beside each other are one to the reader.
    plain = [(each_code, re.sub(r"…\s?…", "…", text)) for each_code, text in SAID]
    assert (code, re.sub(r"…\s?…", "…", message)) in plain


def test_every_exit_code_but_success_has_its_part() -> None:
    codes = {
        value
        for name, value in inspect.getmembers(exit_codes)
        if name.isupper() and isinstance(value, int)
    }
    assert {code for code, _ in sections()} == codes - {exit_codes.COMPLETE}


def test_every_flag_and_command_that_the_page_names_is_there() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "src" / "dynaferry").rglob("*.py")
    )
    for flag in set(re.findall(r"`?(--[a-z][a-z-]+)", PAGE)):
        name = flag.removeprefix("--")
        assert flag in source or name.replace("-", "_") in source, flag
    for variable in set(re.findall(r"DYNAFERRY_[A-Z_]+", PAGE)):
        assert variable in source or "EXTERNAL_ID" in variable, variable
