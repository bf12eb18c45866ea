"""What is measured, as it is kept: one JSON file, without a name or a path of the machine."""

import os
import platform
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.follow.arrivals import LagOfSecond
from dynaferry._version import __version__

KEPT = Path(__file__).parents[1] / "results" / "follow.json"
MEGABYTE = 1024**2


class Figure(Struct, frozen=True, kw_only=True):
    """One figure: what was measured, in which part, and what is asked."""

    part: str
    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    setting: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Whether it is what is asked; None where nothing is."""
        if self.at_most is None and self.at_least is None:
            return None
        if self.at_most is not None and self.value > self.at_most:
            return False
        return self.at_least is None or self.value >= self.at_least


class Moment(Struct, frozen=True):
    """What a process took in one second of a run."""

    second: float
    cpu_share: float
    megabytes: float


class FollowResults(Struct, kw_only=True):
    """All that was measured; and with what. `load` is the machine's before each part."""

    version: str = __version__
    python: str = platform.python_version()
    machine: str = platform.machine()
    cores: int = os.cpu_count() or 1
    figures: list[Figure] = []
    lags: list[LagOfSecond] = []
    moments: list[Moment] = []
    load: dict[str, float] = {}

    def replace_part(self, part: str, figures: list[Figure]) -> None:
        """Puts new figures in the place of a part's earlier ones."""
        self.figures = [f for f in self.figures if f.part != part] + figures


def read(path: Path = KEPT) -> FollowResults:
    """What is kept; nothing where there is no file yet."""
    if not path.exists():
        return FollowResults()
    kept = msgspec.json.decode(path.read_bytes(), type=FollowResults)
    now = FollowResults()
    kept.version, kept.python = now.version, now.python
    kept.machine, kept.cores = now.machine, now.cores
    return kept


def write(results: FollowResults, path: Path = KEPT) -> None:
    """Keeps the results, readable in a diff."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def lines(figures: list[Figure]) -> list[str]:
    """The table, for people."""
    rows = [("part", "figure", "measured", "asked", "setting")]
    rows += [(f.part, f.what, _readable(f.value, f.unit), _asked(f), f.setting) for f in figures]
    return [f"| {' | '.join(row)} |" for row in (rows[0], ("---",) * 5, *rows[1:])]


def _asked(figure: Figure) -> str:
    if figure.at_most is not None:
        said = f"≤ {_readable(figure.at_most, figure.unit)}"
    elif figure.at_least is not None:
        said = f"≥ {_readable(figure.at_least, figure.unit)}"
    else:
        return ""
    return said if figure.is_reached else f"{said} MISSED"


def _readable(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value:.1%}"
    if unit == "s":
        return f"{value:.2f} s"
    return f"{value:,.0f} {unit}".rstrip()
