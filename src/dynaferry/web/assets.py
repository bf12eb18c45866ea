"""The files of the live page. The charts' script is served from the package that brings it, and is
written into reports.

That script runs in the page that holds the control token, and comes from a package that is young
and has one author. So it is used only where it is, to the byte, the one that was reviewed and named
here; any other is left out, and the page says so and works without charts. To raise the version,
review the new script (what it requests, where it writes to), then write its SHA-256 here.
"""

import re
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

CHARTS_VERSION: Final = "5.1.0"  # of Lightweight Charts, in litecharts 0.2.0
CHARTS_SHA256: Final = "756b0ba9f58930226d6b8b9d47ad310448ab85d799ea1f7c2c02304777c10b52"
WITHOUT_CHARTS: Final = b"// left out: not the script that was reviewed\n"

SCRIPTS: Final = (
    *("page.js", "tables.js", "detail.js", "controls.js", "lists.js", "chart.js", "map.js"),
    *("move.js", "switch.js", "dom.js", "words.js"),
)

_IMPORT: Final = re.compile(r"^import .*\n", re.MULTILINE)
_STATIC: Final = Path(__file__).parent / "static"


class Asset(Struct, frozen=True):
    """A file as it is served."""

    content_type: str
    body: bytes


def load() -> dict[str, Asset]:
    """Every file of the page, by its path. Blocks: it reads them."""
    assets = {
        f"/{name}": Asset("text/javascript", (_STATIC / name).read_bytes()) for name in SCRIPTS
    }
    return assets | {
        "/": Asset("text/html", (_STATIC / "page.html").read_bytes()),
        "/page.css": Asset("text/css", (_STATIC / "page.css").read_bytes()),
        "/charts.js": Asset("text/javascript", reviewed_charts() or WITHOUT_CHARTS),
    }


def reviewed_charts() -> bytes | None:
    """The script of Lightweight Charts; None where there is none, or another than was reviewed."""
    try:
        script = charts_script().read_bytes()
    except OSError:
        return None
    return script if sha256(script).hexdigest() == CHARTS_SHA256 else None


def drawing_module() -> str:
    """The script that draws the charts, as one module without imports. Blocks: it reads it."""
    parts = (_STATIC / name for name in ("words.js", "chart.js"))
    return "".join(_IMPORT.sub("", part.read_text(encoding="utf-8")) for part in parts)


def charts_script() -> Path:
    """The path of the charts' script. The package is found, not imported: no Python of it runs.

    :raises FileNotFoundError: the package is not installed
    """
    package = find_spec("litecharts")
    if package is None or package.submodule_search_locations is None:
        raise FileNotFoundError("the package litecharts is not installed")
    return Path(package.submodule_search_locations[0]) / "js" / "lightweight-charts.js"
