"""The report's charts of a table, and the scripts that draw them. Pure.

The live page's scripts draw them. They are written into the report, which names each by its
SHA-256, so that no other runs.
"""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from dynaferry.report.rates import Rate, limits, rates
from dynaferry.report.stored_run import StoredTable
from dynaferry.state.records import AttemptRecord
from dynaferry.web import assets

_LEAST_POINTS: Final = 2


class ChartPoint(Struct, frozen=True, array_like=True):
    """A value at a whole second since the run began; `is_last` is said of one before a gap."""

    time: int
    value: float
    is_last: bool = False


class Chart(Struct, frozen=True, kw_only=True):
    """A picture: a rate over time in the colour of this name, and its limit where it has one.

    With `together` the second line is a rate like the first, and never leaves the picture.
    """

    title: str
    hue: str
    rates: Sequence[ChartPoint]
    limits: Sequence[ChartPoint] = ()
    together: bool = False

    @property
    def is_long_enough(self) -> bool:
        """Whether it has enough points for a line."""
        return len(self.rates) >= _LEAST_POINTS


class Script(Struct, frozen=True):
    """A script as it is written into the report."""

    kind: str
    text: str

    @property
    def source(self) -> str:
        """The source expression that a Content-Security-Policy names it by."""
        return f"'sha256-{b64encode(sha256(self.text.encode()).digest()).decode()}'"


def charts_of(table: StoredTable, attempts: Sequence[AttemptRecord]) -> list[Chart]:
    """The charts of a table."""
    samples = table.samples
    items = rates(samples, attempts, lambda sample: sample.items_written)
    writes = rates(samples, attempts, lambda sample: sample.write_units)
    reads = rates(samples, attempts, lambda sample: sample.read_units)
    throttles = rates(samples, attempts, lambda sample: sample.throttled_requests)
    write_limits = limits(samples, attempts, lambda sample: sample.write_limit_units)
    read_limits = limits(samples, attempts, lambda sample: sample.read_limit_units)
    return [
        Chart(title="Items written a second", hue="--accent", rates=points(items)),
        Chart(
            title="Write units a second, and the limit (dashed)",
            hue="--accent",
            rates=points(writes),
            limits=points(write_limits),
        ),
        Chart(
            title="Read units a second, and the limit (dashed)",
            hue="--reads",
            rates=points(reads),
            limits=points(read_limits),
        ),
        Chart(title="Throttled requests a second", hue="--bad", rates=points(throttles)),
    ]


def points(line: Sequence[Rate]) -> list[ChartPoint]:
    """A line in whole seconds, each once and in order, as the charts' script demands."""
    found: list[ChartPoint] = []
    for rate in line:
        if rate.per_second is None:
            if found:
                found[-1] = ChartPoint(found[-1].time, found[-1].value, is_last=True)
            continue
        point = ChartPoint(round(rate.seconds), rate.per_second)
        if not found or found[-1].time < point.time:
            found.append(point)
        elif not found[-1].is_last:
            found[-1] = ChartPoint(found[-1].time, point.value)
    return found


def scripts() -> list[Script]:
    """The scripts that draw, in the order in which they run. Blocks: it reads files."""
    own = (Path(__file__).parent / "draw.js").read_text(encoding="utf-8")
    drawing = Script("module", assets.drawing_module() + own)
    library = assets.reviewed_charts()
    return [drawing] if library is None else [Script("text/javascript", library.decode()), drawing]
