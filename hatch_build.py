"""The README as an index of packages shows it: there, a link needs its whole address."""

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

README: Final = "README.md"
_BRANCH: Final = "main"
_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<to>[^)\s]+)\)")
_SOURCE: Final = re.compile(r'(?P<before><img [^>]*src=")(?P<to>[^"]+)')


class IndexPage(MetadataHookInterface):
    """Makes the README of the package's metadata from that of the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds the README. Called by hatchling, with what pyproject.toml says of the project."""
        text = (Path(self.root) / README).read_text(encoding="utf-8")
        repository = metadata["urls"]["Repository"]
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_index(text, repository),
        }


def for_index(text: str, repository: str) -> str:
    """The text with the links that lead into the repository as links to it."""

    def link(found: re.Match[str]) -> str:
        to = _address(found["to"], repository, "raw" if found["image"] else "blob")
        return f"{found['image']}[{found['text']}]({to})"

    def source(found: re.Match[str]) -> str:
        return found["before"] + _address(found["to"], repository, "raw")

    return _SOURCE.sub(source, _LINK.sub(link, text))


def _address(to: str, repository: str, kind: str) -> str:
    if re.match(r"[a-z]+:", to):
        return to
    if to.startswith("#"):
        to = README + to  # an index gives headings no names
    return f"{repository}/{kind}/{_BRANCH}/{to}"
