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

from dynaferry.observe.events import RunEvent
from dynaferry.report.clock import Axis, axis_of, of_all, stretches_of
from dynaferry.report.rates import ChartPoint, Line, caps, limits, rates, sum_of, within_frame
from dynaferry.report.stored_run import StoredTable
from dynaferry.shared.arn import resource_name
from dynaferry.state.records import AttemptRecord
from dynaferry.web import assets

_LEAST_POINTS: Final = 2
# A limit is drawn up to here, in highest rates.
_FRAME: Final = 1.3


class Chart(Struct, frozen=True, kw_only=True):
    """A picture: a rate over time in the colour of this name, and its limits where it has any.

    `limits` are what the pace allowed, `caps` what people asked for. With `together` the second
    line is a rate like the first, and never leaves the picture.
    """

    title: str
    hue: str
    rates: Line
    limits: Line = ()
    caps: Line = ()
    together: bool = False

    @property
    def is_long_enough(self) -> bool:
        """Whether it has enough points for a line."""
        return len(self.rates) >= _LEAST_POINTS

    @property
    def is_nothing(self) -> bool:
        """Whether it would be a line at zero, and so is said in a word."""
        return self.is_long_enough and not any(point.value for point in self.rates)

    @property
    def is_drawn(self) -> bool:
        """Whether there is a picture of it."""
        return self.is_long_enough and not self.is_nothing


class ChartGroup(Struct, frozen=True, kw_only=True):
    """Charts over the same times, and when it was paused meanwhile.

    `times` are all of the axis, evenly apart as they are drawn; none where the points are enough.
    """

    times: Sequence[int] = ()
    pauses: Sequence[tuple[float, float]] = ()
    charts: Sequence[Chart] = ()


class Script(Struct, frozen=True):
    """A script as it is written into the report."""

    kind: str
    text: str

    @property
    def source(self) -> str:
        """The source expression that a Content-Security-Policy names it by."""
        return f"'sha256-{b64encode(sha256(self.text.encode()).digest()).decode()}'"


def charts_of(
    table: StoredTable,
    attempts: Sequence[AttemptRecord],
    events: Sequence[RunEvent] = (),
    paused: Sequence[tuple[float, float]] = (),
) -> ChartGroup:
    """The charts of a table, over the time in which it was copied."""
    samples, source = table.samples, resource_name(table.identity.source_arn)
    axis = axis_of(stretches_of(samples, attempts))
    items = rates(samples, axis, lambda sample: sample.items_written)
    throttles = rates(samples, axis, lambda sample: sample.throttled_requests)
    charts = [
        Chart(title="Items written a second", hue="--accent", rates=items),
        _with_limits(
            "Write units a second",
            "--accent",
            rates(samples, axis, lambda sample: sample.write_units),
            limits(samples, axis, lambda sample: sample.write_limit_units),
            caps(events, axis, lambda event: event.write_cap_units, source),
        ),
        _with_limits(
            "Read units a second",
            "--reads",
            rates(samples, axis, lambda sample: sample.read_units),
            limits(samples, axis, lambda sample: sample.read_limit_units),
            caps(events, axis, lambda event: event.read_cap_units, source),
        ),
        Chart(title="Throttled requests a second", hue="--bad", rates=throttles),
    ]
    return ChartGroup(times=axis.times, pauses=paused, charts=charts)


def chart_of_all(
    tables: Sequence[StoredTable],
    attempts: Sequence[AttemptRecord],
    paused: Sequence[tuple[float, float]] = (),
) -> ChartGroup:
    """The items of all tables together, over the whole run."""
    of_each = [stretches_of(table.samples, attempts) for table in tables]
    together = axis_of(of_all([stretch for stretches in of_each for stretch in stretches]))
    lines = [
        rates(table.samples, Axis(together.times, stretches), lambda sample: sample.items_written)
        for table, stretches in zip(tables, of_each, strict=True)
    ]
    chart = Chart(
        title="Items written a second, all tables", hue="--accent", rates=sum_of(lines, together)
    )
    return ChartGroup(times=together.times, pauses=paused, charts=[chart])


def _with_limits(
    title: str, hue: str, line: Sequence[ChartPoint], allowed: Line, asked: Line
) -> Chart:
    frame = _FRAME * max((point.value for point in line), default=0.0)
    shown, capped = within_frame(allowed, frame), within_frame(asked, frame)
    named = [name for name, drawn in (("limit (dashed)", shown), ("cap (thin)", capped)) if drawn]
    return Chart(title=", ".join((title, *named)), hue=hue, rates=line, limits=shown, caps=capped)


def scripts() -> list[Script]:
    """The scripts that draw, in the order in which they run. Blocks: it reads files."""
    own = (Path(__file__).parent / "draw.js").read_text(encoding="utf-8")
    drawing = Script("module", assets.drawing_module() + own)
    library = assets.reviewed_charts()
    return [drawing] if library is None else [Script("text/javascript", library.decode()), drawing]
