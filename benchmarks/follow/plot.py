"""The lag over time: one HTML file that asks no other for anything."""

from collections.abc import Callable
from html import escape

from matplotlib.axes import Axes

from benchmarks.follow.results import FollowResults, lines
from benchmarks.report import STYLE, figure

Draw = Callable[[Axes], None]


def page(results: FollowResults) -> str:
    """The table, the lag over time, and what the process took."""
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in line.strip("| ").split(" | "))
        + "</tr>"
        for line in lines(results.figures)
        if not line.startswith("| ---")
    )
    load = ", ".join(f"{part} {load:.1f}" for part, load in results.load.items())
    figures = [
        figure("Seconds from the write on the source to the arrival on the target.", _lags(results))
    ]
    if results.moments:
        figures.append(figure("What the process took meanwhile.", _cost(results), height=2.8))
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>dynaferry: a table that is followed</title><style>{STYLE}</style></head><body>"
        "<h1>A table that is followed</h1><p>Real processes over HTTP on loopback, against an"
        " endpoint of its own that sees when each change was written and when it arrives. Records"
        " may be seen 200 to 800 ms after their write, in order. Python"
        f" {escape(results.python)}, {results.cores} cores ({escape(results.machine)}); load of the"
        f" machine before each part: {escape(load)}.</p>"
        f"<table>{rows}</table>{''.join(figures)}</body></html>\n"
    )


def _lags(results: FollowResults) -> Draw:
    def draw(axes: Axes) -> None:
        seconds = [lag.second for lag in results.lags]
        axes.plot(seconds, [lag.most for lag in results.lags], color="#8c959f", label="longest")
        axes.plot(seconds, [lag.p99 for lag in results.lags], color="#bc4c00", label="99%")
        axes.plot(seconds, [lag.median for lag in results.lags], color="#0969da", label="median")
        axes.axhline(2.0, linestyle="--", color="#bc4c00", linewidth=1)
        axes.axhline(1.2, linestyle="--", color="#0969da", linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("seconds")
        axes.set_ylabel("seconds behind")
        axes.legend(fontsize="small", loc="upper right", ncols=3)

    return draw


def _cost(results: FollowResults) -> Draw:
    def draw(axes: Axes) -> None:
        seconds = [moment.second for moment in results.moments]
        axes.plot(seconds, [100 * moment.cpu_share for moment in results.moments])
        axes.axhline(15, linestyle="--", color="#57606a", linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("seconds")
        axes.set_ylabel("% of a core")

    return draw
