"""What is measured, as it is kept: one JSON file, without a name or a path of the machine."""

import os
import platform
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from dynaferry._version import __version__

LATEST = Path(__file__).parent / "results" / "latest.json"


class Run(Struct, frozen=True, kw_only=True):
    """One process that copied the null table once.

    `items` and `requests` are what the endpoint saw; CPU seconds (user and system) and peak
    resident bytes are the kernel's figures for the whole process, start-up included.
    """

    part: str
    contestant: str
    item_bytes: int
    round: int
    items: int
    requests: int
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    items_per_tick: tuple[int, ...] = ()
    tick_seconds: float = 0.25
    setting: int = 0  # what the part varies: items, segments, writers

    @property
    def items_per_cpu_second(self) -> float:
        """What a second of CPU time brings."""
        return self.items / self.cpu_seconds


class StartUp(Struct, frozen=True, kw_only=True):
    """Seconds of wall time from the start of a process."""

    help_seconds: tuple[float, ...]
    first_scan_seconds: tuple[float, ...]


class Results(Struct, kw_only=True):
    """All that was measured, part by part; and with what."""

    version: str = __version__
    python: str = platform.python_version()
    machine: str = platform.machine()
    cores: int = os.cpu_count() or 1
    quick: bool = False
    runs: list[Run] = msgspec.field(default_factory=list)
    start_up: StartUp | None = None
    skipped: dict[str, str] = msgspec.field(default_factory=dict)

    def of(self, part: str, *, contestant: str | None = None, **fields: int) -> list[Run]:
        """The runs of a part, of one contestant if named, with these fields."""
        return [
            run
            for run in self.runs
            if run.part == part
            and contestant in (None, run.contestant)
            and all(getattr(run, name) == value for name, value in fields.items())
        ]

    def replace_part(
        self, part: str, runs: Iterable[Run], *, item_bytes: int | None = None
    ) -> None:
        """Puts new runs in the place of a part's earlier ones, of one item size if given."""
        earlier = [
            run for run in self.runs if run.part != part or item_bytes not in (None, run.item_bytes)
        ]
        self.runs = [*earlier, *runs]


class Middle(Struct, frozen=True):
    """The median of several runs, and between what they lie."""

    median: float
    least: float
    most: float


def middle(values: Iterable[float]) -> Middle:
    """The median and the spread."""
    values = list(values)
    return Middle(statistics.median(values), min(values), max(values))


def paired(
    over: Iterable[Run], under: Iterable[Run], value: Callable[[Run], float]
) -> Middle | None:
    """The ratio of two contestants, round by round; None where no round has both."""
    below = {run.round: value(run) for run in under}
    ratios = [value(run) / below[run.round] for run in over if run.round in below]
    return middle(ratios) if ratios else None


def read(path: Path = LATEST) -> Results:
    """What is kept; nothing where there is no file yet."""
    if not path.exists():
        return Results()
    return msgspec.json.decode(path.read_bytes(), type=Results)


def renewed(kept: Results, *, quick: bool) -> Results:
    """The kept results, as those of this version on this machine from now on."""
    return msgspec.structs.replace(
        kept,
        version=__version__,
        python=platform.python_version(),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        quick=quick,
    )


def write(results: Results, path: Path = LATEST) -> None:
    """Keeps the results, readable in a diff."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
