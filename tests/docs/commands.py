"""The commands that the pages show, as a person would type them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.worlds.moto import TARGET_ROLE_ARN

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
)
RUNBOOK: Final = "docs/runbook.md"
# What begins a command; a block has output as well.
PROGRAMS: Final = (
    "aws", "docker", "dynaferry", "export", "kubectl", "make", "mkdir", "pip", "python", "python3",
    "source", "venv/bin/pip",
)  # fmt: skip
# What a page leaves to its reader: where a role or a value of theirs stands.
TARGET: Final = f"--target-role-arn {TARGET_ROLE_ARN}"


@dataclass(frozen=True)
class Shown:
    """A command of a page."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """The command as a shell splits it, with what a page leaves out put in."""
        text = self.text.replace("--target-role-arn …", TARGET)
        text = text.replace(" … ", f" {TARGET} ").removesuffix(" …")
        if self.page == RUNBOOK and re.match(r"dynaferry (copy|move|verify) ", text):
            text = f"{text} {TARGET}"  # which it exports first, as a variable
        return shlex.split(text, comments=True)

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def shown() -> list[Shown]:
    """Every command of every page, once for each page."""
    return list(dict.fromkeys(each for page in PAGES for each in _of_page(page)))


def _of_page(page: Path) -> Iterator[Shown]:
    name = str(page.relative_to(ROOT))
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"(?ms)^ *```(\w*)\n(.*?)^ *```", text):
        if language:
            continue
        lines = re.sub(r"\\\n *", "", block).splitlines()
        if name == "docs/cli.md":
            lines = lines[lines.index("Examples:") + 1 :]
        for line in lines:
            for command in line.strip().removeprefix("$ ").split("; "):
                if command.partition(" ")[0] in PROGRAMS:
                    yield Shown(name, re.sub(r"\s+(#.*)?$", "", command))


def inline() -> list[Shown]:
    """What is shown of dynaferry inside sentences, where it has an argument or a flag."""
    found = []
    for page in PAGES:
        text = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text(encoding="utf-8"))
        name = str(page.relative_to(ROOT))
        spans = re.findall(r"`(dynaferry [^`]+)`", text)
        found += [Shown(name, " ".join(command.split())) for command in spans]
    return list(dict.fromkeys(found))
