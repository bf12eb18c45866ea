"""The files of the live page. The charts' script is served from the package that brings it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

SCRIPTS: Final = ("page.js", "chart.js", "map.js", "words.js")

_HERE: Final = Path(__file__).parent / "static"


class Asset(Struct, frozen=True):
    """A file as it is served."""

    content_type: str
    body: bytes


def load() -> dict[str, Asset]:
    """Every file of the page, by its path. Blocks: it reads them."""
    assets = {f"/{name}": Asset("text/javascript", (_HERE / name).read_bytes()) for name in SCRIPTS}
    return assets | {
        "/": Asset("text/html", (_HERE / "page.html").read_bytes()),
        "/page.css": Asset("text/css", (_HERE / "page.css").read_bytes()),
        "/charts.js": Asset("text/javascript", charts_script().read_bytes()),
    }


def charts_script() -> Path:
    """The script of Lightweight Charts. The package is found, not imported: none of it runs."""
    package = find_spec("litecharts")
    if package is None or package.submodule_search_locations is None:
        raise FileNotFoundError("the package litecharts is not installed")
    return Path(package.submodule_search_locations[0]) / "js" / "lightweight-charts.js"
