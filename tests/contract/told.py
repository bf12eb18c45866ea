"""What the commands that only read tell of a recorded state file, without what differs each day."""

import html
import json
import re
from pathlib import Path
from typing import Any, Final

from tests.contract.cases import STATES, with_state
from tests.contract.world import HERE, look

NAMES: Final = sorted(path.name for path in STATES.iterdir())
# Those whose dead letters are looked at as well.
WITH_LETTERS: Final = frozenset({"rejected", "killed", "failed", "interrupted", "several"})

_UNSEEN: Final = re.compile(r"(?s)<(script|style|svg)\b.*?</\1>")
_INLINE: Final = re.compile(r"</?(?:a|b|code|em|i|span|strong)\b[^>]*>")
# Ages, and when and by which version the report itself was written.
_TODAY: Final = (
    (re.compile(r"(UTC), [^,]+ ago$"), r"\1, … ago"),
    (re.compile(r"(nothing was stored for) .+$"), r"\1 …"),
    (re.compile(r"^(Written by dynaferry) .+$"), r"\1 …"),
)
# In the document they are seconds.
_AGE: Final = re.compile(r'(?<="checkpoint_age_seconds":)[0-9.]+')


def of_state(cwd: Path, name: str) -> dict[str, Any]:
    """Everything that is told of it."""
    with_state(cwd, name)
    found: dict[str, Any] = {
        "status": json.loads(_AGE.sub("null", _out(cwd, "status", "--json"))),
        "status for eyes": _lines(_out(cwd, "status")),
        "report": _report(cwd),
    }
    if name in WITH_LETTERS:
        found["dead-letters list"] = json.loads(_out(cwd, "dead-letters", "list", "--json"))
        found["dead-letters list for eyes"] = _lines(_out(cwd, "dead-letters", "list"))
        found["dead-letters export"] = _lines(_out(cwd, "dead-letters", "export"))
    return found


def _out(cwd: Path, *typed: str) -> str:
    said = look(cwd, *typed, *HERE)
    if said.code != 0:
        raise RuntimeError(f"{' '.join(typed)} ended with {said.code}: {said.err}")
    return said.out


def _report(cwd: Path) -> list[str]:
    _out(cwd, "report", "-o", "report.html")
    page = (cwd / "report.html").read_text(encoding="utf-8")
    seen = re.sub(r"<[^>]+>", "\n", _INLINE.sub("", _UNSEEN.sub("", page)))
    return _lines(html.unescape(seen))


def _lines(text: str) -> list[str]:
    return [_without_today(line.strip()) for line in text.splitlines() if line.strip()]


def _without_today(line: str) -> str:
    for pattern, replacement in _TODAY:
        line = pattern.sub(replacement, line)
    return line
