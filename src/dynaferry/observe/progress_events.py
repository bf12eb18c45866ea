"""The progress of a run as events for a log in JSON: each line for people, and its facts as fields.

It is what `progress` writes as lines, at the same times. What is not known is not among the fields.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import anyio

from dynaferry.observe import formatting
from dynaferry.observe.display import Sleep, write_lines
from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.progress import PlainLog, items_per_second, plain_line, total_line
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.shared.arn import resource_name

Fields: TypeAlias = Mapping[str, object]
Event: TypeAlias = tuple[str, Fields]


async def watch_events(
    stats: RunStats,
    *,
    readers: int,
    write: Callable[[str, Fields], None],
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Writes events every ten seconds, and once more when it is cancelled because the copy ended.

    `write` must not raise.
    """
    meter, log = RunMeter(readers), PlainLog(stats.limits_in_words)

    def events(views: Sequence[TableView]) -> list[Event]:
        now = wall_clock()
        found: list[Event] = [
            (plain_line(view, now), fields_of(view, stats.tables[index]))
            for index, view in log.worth(views)
        ]
        if len(views) > 1:
            line = total_line(views, meter.total, now)
            found.append((line, fields_of_total(views, meter.total)))
        return found

    def news() -> list[Event]:
        return [(line, {"event": "limits"}) for line in log.news(stats)]

    await write_lines(
        lambda: meter.view(stats, clock()),
        events,
        last_lines=events,
        news=news,
        write=lambda event: write(*event),
        sleep=sleep,
    )


def fields_of(view: TableView, table: TableStats) -> Fields:
    """The progress of a table as fields."""
    return {
        "event": "progress",
        "table": resource_name(table.source),
        "source": table.source,
        "target": table.target,
        "state": view.shown_state,
        "items": view.items_done,
        "items_rejected": table.items_rejected,
        "expected_items": view.expected_items,
        "percent": percent(view.share_done),
        "items_per_second": rounded(view.items_per_second),
        "eta_seconds": rounded(formatting.seconds_left(view.seconds_left)),
        "bytes_per_second": rounded(view.bytes_per_second),
        "rcu_per_second": rounded(view.read_units_per_second),
        "wcu_per_second": rounded(view.write_units_per_second),
        "rcu": rounded(table.read_units),
        "wcu": rounded(table.write_units),
        "throttled_percent": percent(view.throttled_share),
        "segments_complete": view.segments_complete,
        "segments_total": view.segments_total,
        "reason": view.limited_by,
    }


def fields_of_total(views: Sequence[TableView], total: TableProgress) -> Fields:
    """The progress of all tables together as fields."""
    return {
        "event": "run-progress",
        "items": total.items_done,
        "expected_items": total.expected_items,
        "percent": percent(total.progress_ratio),
        "items_per_second": rounded(items_per_second(views)),
        "eta_seconds": rounded(formatting.seconds_left(total.eta_seconds)),
        "tables_complete": sum(view.state in ("complete", "rejected") for view in views),
        "tables_total": len(views),
    }


def fields_of_move(status: MoveStatus) -> Fields:
    """How a table of a move stands, as fields."""
    return {
        "event": "move-progress",
        "table": resource_name(status.source),
        "source": status.source,
        "target": status.target,
        "state": status.state,
        "lag_seconds": rounded(status.lag_seconds),
        "changes_in_per_second": rounded(status.changes_in_per_second),
        "changes_out_per_second": rounded(status.changes_out_per_second),
        "spool_rows": status.spool_rows,
        "gaps": status.gaps,
        "doubts": status.doubts,
        "items_rejected": status.rejected,
        "late_writes": status.late_writes,
        "ready": status.ready,
        "reason": status.trouble or status.limited_by,
        "error": status.error,
    }


def percent(share: float | None) -> float | None:
    """A share in percent, rounded down, so that 100 is said of nothing less."""
    return None if share is None else int(share * 1000 + 1e-9) / 10


def rounded(value: float | None) -> float | None:
    """A number with one digit behind the point: a log is no place for more."""
    return None if value is None else round(value, 1)
