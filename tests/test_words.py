"""Everything that people read uses the plain terms of the field: what lints a text lints here.

Looked at are the string literals of the sources (not their docstrings), the live page, the report,
README and docs, CloudFormation, alerts. What scripts read has kept its names, and is not looked at:
`--json` fields, metrics, plan keys, exit codes; nor are old spellings of flags.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

# What was seen, and what a native would say.
WORDS: Final = {
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\banew\b": "again, from the start",
    r"\bbegun\b": "started",
    r"\b(go|goes|going|went) on\b": "continue, resume",
    r"\bset aside\b": "rejected item, kept as a dead letter",
    r"\brefus(es|ed) items?\b|\bitems? (that|which) (the target|it) refuses\b": "rejected item",
    r"\brejects\b": "rejected",
    r"(?<![Dd]ead )(?<![Dd]ead-)\bletters?\b": "dead letter",
    r"0 filtered": "nothing, where there is none",
    r"\bheld back\b|\bholds? back\b": "limited, throttled",
    r"\bslowest is\b": "bottleneck:",
    r"\bwithout a word\b": "killed or crashed",
    r"\bmay or may not\b": "may be missed",
    r"\bdoes so within\b": "takes effect within",
    r"\bpatience\b": "give up after",
    r"\bpacked (responses|answers)\b": "gzip",
    r"\bown item count\b": "ItemCount",
    r"\b(tell|tells|told|telling)\b": "show, say",
    r"\bthr\.": "throttled",
    r"\btime left\b|\bs left\b": "ETA",
    r"\btook over\b": "…",
    r"\bat work for\b": "active for",
    r"\bto confirm\b": "to check again",
    r"\bmissing items\b": "1 item",
}


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """The string literals of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.lineno, node.value if isinstance(node.value, str) else ""


def stumbles(path: Path) -> list[str]:
    """Where a text says what a native would not."""
    if path.suffix == ".py":
        texts = list(literals(path))
    else:
        texts = list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    return [
        f"{path.relative_to(ROOT)}:{line}: {found.group()!r} in {text.strip()[:90]!r}: {instead}"
        for line, text in texts
        for pattern, instead in WORDS.items()
        if (found := re.search(pattern, text, re.IGNORECASE))
    ]


def _sources() -> list[Path]:
    return sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize(
    "room", sorted({p.relative_to(ROOT / "src" / "dynaferry").parts[0] for p in _sources()})
)
def test_what_the_sources_say_is_plain(room: str) -> None:
    paths = [p for p in _sources() if p.relative_to(ROOT / "src" / "dynaferry").parts[0] == room]
    assert [line for path in paths for line in stumbles(path)] == []
