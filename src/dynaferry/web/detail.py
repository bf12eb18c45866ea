"""What a page asks of one table, while somebody looks at it: its history, and what holds it back.

It is asked for by the page and not sent, so that an update stays small.
"""

import msgspec
from aiohttp import web
from msgspec import Struct

from dynaferry.observe.history import Point
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.stats import TableStats
from dynaferry.observe.summary import ErrorSummary


class TableDetail(Struct, frozen=True, kw_only=True):
    """One table. `points` are those behind the moment that was asked for, in its seconds.

    `error` is what ended it, where it ended alone.
    """

    source_arn: str | None
    target_arn: str | None
    bytes_per_second: float | None
    read_units_per_second: float | None
    write_units_per_second: float | None
    dollars: float
    unprocessed_items: int
    throttles: list[tuple[str, str, int]]
    rejections: list[tuple[str, int]]
    error: ErrorSummary | None
    points: list[Point]


def respond(request: web.Request, monitor: RunMonitor) -> web.Response:
    """The table that `index` names, with its history since `since` seconds."""
    try:
        index = int(request.query["index"])
        since = float(request.query.get("since", "-inf"))
    except (KeyError, ValueError):
        return web.Response(status=400, text="which table?\n")
    if not 0 <= index < len(monitor.stats.tables):
        return web.Response(status=404, text="there is no such table\n")
    body = msgspec.json.encode(detail_of(monitor, index, since))
    return web.Response(body=body, content_type="application/json")


def detail_of(monitor: RunMonitor, index: int, since: float = float("-inf")) -> TableDetail:
    """A table of the run, by its index in the plan."""
    table = monitor.stats.tables[index]
    view = monitor.views[index] if index < len(monitor.views) else None
    history = monitor.table_histories.get(index, ())
    return TableDetail(
        source_arn=table.source_arn,
        target_arn=table.target_arn,
        bytes_per_second=None if view is None else view.bytes_per_second,
        read_units_per_second=None if view is None else view.read_units_per_second,
        write_units_per_second=None if view is None else view.write_units_per_second,
        dollars=table.dollars,
        unprocessed_items=table.unprocessed_items,
        throttles=_throttles(table),
        rejections=sorted(table.rejections.items(), key=lambda entry: -entry[1]),
        error=table.error,
        points=[point for point in history if point.seconds > since],
    )


def _throttles(table: TableStats) -> list[tuple[str, str, int]]:
    most_first = sorted(table.throttles.items(), key=lambda entry: -entry[1])
    return [(operation, reason, times) for (operation, reason), times in most_first]
