"""The report: one HTML file that asks no other for anything, with plots drawn by matplotlib."""

import io
import re
from collections.abc import Callable
from html import escape
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt  # after the choice of what draws
from matplotlib.axes import Axes

from benchmarks import table
from benchmarks.contestants import DYNAFERRY, FLOOR, PEERS
from benchmarks.results import Results, Run, middle

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
table { border-collapse: collapse; width: 100%; } td, th { border-bottom: 1px solid #d0d7de;
  padding: .3rem .6rem; text-align: right; } td:first-child, th:first-child { text-align: left; }
svg { width: 100%; height: auto; } figure { margin: 2rem 0; } figcaption { color: #57606a; }
"""
_PARAMETERS: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "dynaferry",  # the same result makes the same file
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
MEGABYTE = 1024**2


def page(results: Results) -> str:
    """The whole report."""
    figures = [drawn for draw in _FIGURES if (drawn := draw(results))]
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>dynaferry: measured</title><style>{STYLE}</style></head><body>"
        f"<h1>dynaferry {escape(results.version)}: measured</h1>"
        f"<p>Python {escape(results.python)}, {results.cores} cores ({escape(results.machine)})."
        " Everything against an endpoint on the same machine that answers at once, so the client"
        " is what is measured; whole processes, start-up included; CPU seconds and peak memory"
        " are the kernel's figures. Bars are medians, lines on them the least and the most.</p>"
        f"{_table(results)}{''.join(figures)}</body></html>\n"
    )


def _table(results: Results) -> str:
    html: list[str] = []
    sentences: list[str] = []
    for line in table.lines(results):
        if line.startswith("| ---") or not line:
            continue
        if line.startswith("|"):
            tag = "td" if html else "th"
            cells = "".join(f"<{tag}>{escape(c)}</{tag}>" for c in line.strip("| ").split(" | "))
            html.append(f"<tr>{cells}</tr>")
        else:
            sentences.append(f"<li>{escape(line.removeprefix('- '))}</li>")
    return f"<table>{''.join(html)}</table><ul>{''.join(sentences)}</ul>"


def figure(caption: str, draw: Callable[[Axes], None], height: float = 3.4) -> str:
    """A plot as SVG, with its caption."""
    with mpl.rc_context(_PARAMETERS):
        drawing, axes = plt.subplots(figsize=(9, height), layout="constrained")
        draw(axes)
        drawn = io.StringIO()
        drawing.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(drawing)
    svg = drawn.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _bars(results: Results) -> str | None:
    """Everybody's items per CPU second, by item size."""
    sizes = sorted({run.item_bytes for run in results.of("speed")})
    if not sizes:
        return None

    def draw(axes: Axes) -> None:
        contestants = [
            c for c in (DYNAFERRY, *PEERS, FLOOR) if results.of("speed", contestant=c.name)
        ]
        width = 0.8 / len(contestants)
        for index, contestant in enumerate(contestants):
            found = [
                middle(
                    table.rate(run)
                    for run in results.of("speed", contestant=contestant.name, item_bytes=size)
                )
                for size in sizes
            ]
            places = [place + index * width for place in range(len(sizes))]
            medians = [each.median for each in found]
            spread = [
                [each.median - each.least for each in found],
                [each.most - each.median for each in found],
            ]
            axes.bar(places, medians, width, yerr=spread, label=contestant.title)
        axes.set_yscale("log")
        axes.set_ylabel("items per CPU second")
        middles = [place + 0.4 - width / 2 for place in range(len(sizes))]
        axes.set_xticks(middles, [table.readable_bytes(size) for size in sizes])
        axes.legend(fontsize="small")

    return figure("Items per second of CPU time, by item size (logarithmic).", draw, 4.2)


def _over_time(results: Results) -> str | None:
    """Items written in each tick, as the endpoint saw it."""
    runs = [run for run in results.of("speed", item_bytes=1024, round=0) if run.items_per_tick]
    if not runs:
        return None

    def draw(axes: Axes) -> None:
        for run in runs:
            rates = [count / run.tick_seconds for count in run.items_per_tick]
            axes.plot(
                [i * run.tick_seconds for i in range(len(rates))], rates, label=run.contestant
            )
        axes.set_yscale("log")
        axes.set_xlabel("seconds since the first item")
        axes.set_ylabel("items a second")
        axes.legend(fontsize="small")

    return figure("Items of 1 KB written over time, as the endpoint saw it.", draw)


def _lines(part: str, label: str, caption: str, value: Callable[[Run], float], unit: str) -> "Draw":
    def drawn_from(results: Results) -> str | None:
        runs = results.of(part)
        if not runs:
            return None
        settings = sorted({run.setting for run in runs})

        def draw(axes: Axes) -> None:
            medians = [
                middle(value(run) for run in runs if run.setting == setting).median
                for setting in settings
            ]
            axes.plot(settings, medians, marker="o")
            axes.set_xscale("log")
            axes.set_xticks(settings, [f"{setting:,}" for setting in settings])
            axes.minorticks_off()
            axes.set_ylim(bottom=0)
            axes.set_xlabel(label)
            axes.set_ylabel(unit)

        return figure(caption, draw)

    return drawn_from


def _memory(results: Results) -> str | None:
    """Peak memory by item size."""
    runs = results.of("speed", contestant=DYNAFERRY.name)
    sizes = sorted({run.item_bytes for run in runs})
    if not sizes:
        return None

    def draw(axes: Axes) -> None:
        peaks = [
            max(run.peak_bytes for run in runs if run.item_bytes == size) / MEGABYTE
            for size in sizes
        ]
        axes.bar([table.readable_bytes(size) for size in sizes], peaks)
        axes.axhline(150, linestyle="--", color="#57606a")
        axes.set_ylabel("MB")

    return figure("Peak memory by item size; the line is the bound of 150 MB.", draw)


Draw = Callable[[Results], str | None]

_FIGURES: tuple[Draw, ...] = (
    _bars,
    _over_time,
    _lines(
        "writers",
        "most write requests in flight (--writers)",
        "Items a second against an endpoint that takes 5 ms to answer.",
        lambda run: run.items / run.wall_seconds,
        "items a second, start-up included",
    ),
    _memory,
    _lines(
        "segments",
        "segments",
        "Peak memory by the number of segments.",
        lambda run: run.peak_bytes / MEGABYTE,
        "MB",
    ),
)
