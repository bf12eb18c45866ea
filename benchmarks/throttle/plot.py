"""Rate against capacity over time, case by case: one HTML file that asks no other for anything."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

from matplotlib.axes import Axes

from benchmarks.report import STYLE, figure
from benchmarks.throttle import table
from benchmarks.throttle.cases import CASES
from benchmarks.throttle.peer import NAME
from benchmarks.throttle.tried import Tried

# A rate that nothing holds to may be far above: the picture is about the capacity.
_HEADROOM = 1.6


def page(ours: Sequence[Tried], peer: Mapping[str, Tried]) -> str:
    """The table, and a plot for each case."""
    titles = {case.name: case.title for case in CASES}
    figures = [
        figure(titles[each.case], _draw(each, peer.get(each.case)), height=2.8) for each in ours
    ]
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows(ours, peer)
    )
    headings = "".join(f"<th>{escape(heading)}</th>" for heading in table.HEADINGS)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>dynaferry: the pace</title><style>{STYLE}</style></head><body>"
        "<h1>The pace, found by itself</h1><p>Whole copies against a simulated table, at default"
        " settings, as the service saw them. The grey area is what was offered.</p>"
        f"<table><tr>{headings}</tr>{rows}</table>{''.join(figures)}</body></html>\n"
    )


def _draw(ours: Tried, peer: Tried | None) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        seconds = [moment.second for moment in ours.moments]
        offered = [moment.offered for moment in ours.moments]
        axes.fill_between(seconds, offered, color="#d0d7de", step="post", label="capacity")
        allowed = [(m.second, m.allowed) for m in ours.moments if m.allowed is not None]
        if allowed:
            times, rates = zip(*allowed, strict=True)
            axes.plot(times, rates, color="#8c959f", linewidth=1, label="rate allowed")
        axes.plot(seconds, [m.used for m in ours.moments], color="#0969da", label="dynaferry")
        if peer is not None:
            times = tuple(m.second for m in peer.moments)
            axes.plot(times, [m.used for m in peer.moments], color="#bc4c00", label=NAME)
        axes.set_ylim(0, _HEADROOM * max([*offered, 1.0]))
        axes.set_xlabel("seconds")
        axes.set_ylabel("units a second")
        axes.legend(fontsize="small", loc="upper right", ncols=4)

    return draw
