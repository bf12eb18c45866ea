"""Lines over time as SVG: no script, so that a report looks the same in mail and on paper."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from msgspec import Struct

from dynaferry.observe import formatting
from dynaferry.report.rates import Rate

WIDTH, HEIGHT = 860, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 10, 26
GRID_LINES = 4
# A limit that is far above what is used would press it flat: it leaves the picture instead.
LIMIT = "limit"
LIMIT_TO_RATE = 4


class PlotLine(Struct, frozen=True):
    """A line, and the class that gives it its colour."""

    kind: str
    rates: Sequence[Rate]


def plot(title: str, lines: Sequence[PlotLine]) -> str:
    """The picture, or words where there is nothing to draw."""
    known = [
        rate
        for line in lines
        for rate in line.rates
        if rate.per_second is not None and line.kind != LIMIT
    ]
    if len(known) < 2:
        return '<p class="quiet">too short to be drawn</p>'
    seconds = max(rate.seconds for rate in known) or 1.0
    top = _round_up(_highest(lines))
    drawn = "".join(
        f'<polyline class="{escape(line.kind)}" points="{points}"/>'
        for line in lines
        for points in _points(line.rates, seconds, top)
    )
    return (
        f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>{_grid(top)}{_axis(seconds)}{drawn}</svg></div>"
    )


def _highest(lines: Sequence[PlotLine]) -> float:
    limit = _most(line for line in lines if line.kind == LIMIT)
    used = _most(line for line in lines if line.kind != LIMIT)
    return max(used, min(limit, LIMIT_TO_RATE * used) if used else limit)


def _most(lines: Iterable[PlotLine]) -> float:
    return max((rate.per_second or 0.0 for line in lines for rate in line.rates), default=0.0)


def _points(rates: Sequence[Rate], seconds: float, top: float) -> Iterator[str]:
    """The points of each stretch without a gap, and within the picture."""
    stretch: list[str] = []
    for rate in (*rates, Rate(0.0, None)):
        if rate.per_second is not None and rate.per_second <= top:
            x, y = _x(rate.seconds / seconds), _y(rate.per_second / top)
            stretch.append(f"{x:.1f},{y:.1f}")
            continue
        if len(stretch) > 1:
            yield " ".join(stretch)
        stretch = []


def _grid(top: float) -> str:
    parts = []
    for line in range(GRID_LINES + 1):
        y = _y(line / GRID_LINES)
        value = top * line / GRID_LINES
        text = f"{value:g}" if top < 10 else formatting.short(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return "".join(parts)


def _axis(seconds: float) -> str:
    parts = []
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        text = formatting.duration(seconds * share)
        x, y = _x(share), HEIGHT - 6
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{text}</text>')
    return "".join(parts)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _round_up(value: float) -> float:
    """The next number that begins with 1, 2, 4 or 8: its quarters are easy to read."""
    step = 1.0
    while step * 8 < value:
        step *= 10
    return next(step * factor for factor in (1, 2, 4, 8) if step * factor >= value)
