"""The command that installs what the demo needs, from where dynaferry itself was installed."""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

# What the extra `demo` asks for, where dynaferry cannot be installed again with it.
PACKAGES: Final = ("moto[dynamodb]>=5.1", "flask>=3.1", "flask-cors>=5")


def install_command() -> str:
    """What to type, for the very Python that runs now."""
    python = shlex.quote(sys.executable)
    # A Python without pip is uv's: a tool's environment, or one that uv made.
    pip = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f"{pip} {shlex.join(_wanted())}"


def _wanted() -> tuple[str, ...]:
    try:
        origin = distribution("dynaferry").read_text("direct_url.json")
    except PackageNotFoundError:
        return PACKAGES
    if origin is None:
        return ("dynaferry[demo]",)  # from an index, by its name
    return _from(json.loads(origin))


def _from(origin: dict[str, Any]) -> tuple[str, ...]:
    """What to install by the record of where a package was installed from (PEP 610)."""
    url = str(origin.get("url", ""))
    source = origin.get("vcs_info")
    if isinstance(source, dict):
        return (f"dynaferry[demo] @ {source.get('vcs')}+{url}@{source.get('commit_id')}",)
    if not url.startswith("file:"):
        return (f"dynaferry[demo] @ {url}",)
    path = unquote(urlsplit(url).path)
    return (f"{path}[demo]",) if Path(path).exists() else PACKAGES
