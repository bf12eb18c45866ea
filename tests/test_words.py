"""Everything that people read uses the plain terms of the field.

Looked at are the string literals of the sources (not their docstrings), the live page and the
report, the docs, and what is deployed. What scripts read has kept its names and is not looked at:
`--json` fields, metrics, plan keys, columns of state files; nor are old spellings of flags.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "src" / "dynaferry"

# What was seen, and what a native would say.
WORDS: Final = {
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\banew\b": "again, start over",
    r"\bbegun\b": "started",
    r"\b(go|goes|going|went) on\b": "continue, resume",
    r"\bset aside\b": "kept as a dead letter",
    r"\brefus(es|ed) items?\b|\bitems? (that|which) (the target|it) refuses\b": "rejected item",
    r"^rejects$|\bwith rejects\b": "rejected",
    r"(?<![Dd]ead )(?<![Dd]ead-)\bletters?\b(?!, digits)": "dead letter",
    r"\b0 filtered": "nothing, where there is none",
    r"\bheld back\b|\bholds? back\b": "limited, throttled",
    r"\bslowest is\b": "bottleneck:",
    r"\bwithout a word\b": "killed or crashed",
    r"\bmay or may not\b": "may be missed",
    r"\bdoes so within\b": "takes effect within",
    r"(?<!-)\bpatience\b": "give up after",
    r"\bpacked (responses|answers)\b": "gzip",
    r"\bown item count\b": "ItemCount",
    r"\btells?\b|\b(is|are|be) told\b": "show, say, report",
    r"\bthr\.": "throttled",
    r"\btime left\b|\bs left$": "ETA",
    r"\btook over\b": "slow: over",
    r"\bat work for\b": "active for",
    r"\bto confirm\b": "to check again",
    r"\bunits a second: \d": "WCU/s",
}
# Names of columns, tables, settings and errors, which are no texts.
NAMES: Final = frozenset({"begun", "letters", "mended", "patience", "rejects"})
_SQL: Final = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE)\b|FROM letters")
_TAG: Final = re.compile(r"<[^>]*>")
_COMMENT: Final = re.compile(r"^\s*(//|#|\*)")
_CODE: Final = re.compile(r"`[^`]*`")
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|`([^`]*)`")


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """The string literals of a module that are neither docstrings nor names, with their lines.

    Those of what can be typed are help.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    if path.parent.name == "app":  # there they are the help
        docstrings = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in docstrings and node.value not in NAMES and not _SQL.search(node.value):
            yield node.lineno, node.value


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """What people read of a file, with the line where it stands."""
    if path.suffix == ".py":
        yield from literals(path)
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix == ".js":
            quoted = [] if _COMMENT.match(line) else _QUOTED.findall(line)
            yield from ((number, text) for groups in quoted for text in groups if text)
        elif path.suffix in (".html", ".jinja"):
            yield number, _TAG.sub(" ", line)
        else:
            yield number, _CODE.sub(" ", line)


def stumbles(path: Path) -> list[str]:
    """Where a text says what a native would not."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {found.group()!r} in {text.strip()[:80]!r}: {instead}"
        for line, text in texts_of(path)
        for pattern, instead in WORDS.items()
        if (found := re.search(pattern, text, re.IGNORECASE))
    ]


ROOMS: Final = sorted(
    path.name for path in SOURCES.iterdir() if path.name[0] != "_" and path.is_dir()
)


@pytest.mark.parametrize("room", ROOMS)
def test_what_the_sources_say_is_plain(room: str) -> None:
    paths = [
        path
        for path in sorted((SOURCES / room).rglob("*"))
        if path.suffix in (".py", ".js", ".html", ".jinja")
    ]
    assert [line for path in paths for line in stumbles(path)] == []


def test_what_the_docs_say_is_plain() -> None:
    # The page of commands is made of the sources.
    paths = [path for path in (ROOT / "docs").glob("*.md") if path.name != "cli.md"]
    paths += [ROOT / "README.md", ROOT / "SECURITY.md"]
    paths += [path for path in (ROOT / "deploy").rglob("*") if path.suffix in (".md", ".yaml")]
    paths += [ROOT / "deploy/prometheus/alerts.yml", ROOT / "deploy/grafana/dashboard.json"]
    assert [line for path in sorted(paths) for line in stumbles(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "the same command goes on",
        "one letter is left",
        "held back by a key range",
        "the items set aside",
        "beginning anew:",
    ],
)
def test_a_word_of_our_own_is_found(text: str) -> None:
    assert any(re.search(pattern, text, re.IGNORECASE) for pattern in WORDS)


def test_names_and_queries_are_no_texts(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""It goes on."""\nA = "letters"\nB = "SELECT * FROM letters"\nC = f"it {A} goes on"\n'
    )
    assert [text for _, text in literals(module)] == ["it ", " goes on"]
