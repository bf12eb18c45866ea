"""The pages name rooms, modules and files that are there, and the drawn tree is the real one."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.docs.test_pages import PAGES, ROOT

SOURCES = ROOT / "src" / "dynaferry"
PAGE = ROOT / "docs" / "architecture.md"
# What people type or read that only looks like a module.
NOT_MODULES = frozenset({"toml", "sqlite", "log", "html"})


def drawn() -> list[str]:
    """The rooms and modules of the drawn tree, as paths; a room has a `/` at its end."""
    tree = PAGE.read_text(encoding="utf-8").split("```")[1]
    paths: list[str] = []
    above = ""
    for line in tree.strip().splitlines():
        found = re.match(r"(?:\d  |   )(  )?(\w+(?:/|\.py)) ", line)
        assert found, f"not a line of the tree: {line}"
        if not found[1]:
            above = found[2]
        paths.append(above + found[2] if found[1] else found[2])
    return paths


def test_the_drawn_tree_has_every_room_and_every_module_that_lies_loose() -> None:
    rooms = {
        f"{init.parent.relative_to(SOURCES)}/"
        for init in SOURCES.rglob("__init__.py")
        if init.parent != SOURCES
    }
    loose = {path.name for path in SOURCES.glob("*.py")} - {"__init__.py"}
    assert sorted(drawn()) == sorted(rooms | loose)


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "SECURITY.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_module_or_a_source_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for dotted in re.findall(r"(?<![\w/.@-])dynaferry(?:\.[a-z_]+)+(?![\w/-])", text):
        if dotted.rpartition(".")[2] in NOT_MODULES:
            continue
        assert importlib.util.find_spec(dotted), dotted
    for path in re.findall(r"\b(?:src/dynaferry|tests|benchmarks|docs)/[\w./-]*\w", text):
        assert any((folder / path).exists() for folder in (ROOT, page.parent)), path


@pytest.mark.parametrize(
    "init", sorted(SOURCES.rglob("__init__.py")), ids=lambda init: str(init.relative_to(SOURCES))
)
def test_where_a_room_says_to_begin_there_is_a_module(init: Path) -> None:
    text = init.read_text(encoding="utf-8")
    for name in re.findall(r"Begin\s+at\s+`(\w+)`", text):
        room = init.parent
        assert (room / f"{name}.py").exists() or (room / name).is_dir(), name
