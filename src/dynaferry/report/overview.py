"""The head of a report: what it is, how it stands, a row for each table and one for all. Pure."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dynaferry.observe import formatting
from dynaferry.observe.events import RunEvent, line_of, shown
from dynaferry.report.clock import Stretch, of_all, stretches_of
from dynaferry.report.stored_run import StoredRun, StoredTable
from dynaferry.shared.arn import arn_account, arn_region, resource_name
from dynaferry.state.records import AttemptRecord

MOST_EVENTS_SHOWN: Final = 300
COLUMNS: Final = (
    "table", "state", "items", "MB", "took", "items/s", "rejected", "throttled", "cost"
)  # fmt: skip

# In words, and whether it is fine, in need of somebody, or neither.
_STATES: Final = {
    "running": ("running", "under-way"),
    "stalled": ("stalled", "bad"),
    "complete": ("complete", "fine"),
    "rejected": ("complete, with rejected items", "warning"),
    "interrupted": ("interrupted", "warning"),
    "failed": ("failed", "bad"),
    "killed": ("killed or crashed", "bad"),
    "waiting": ("waiting", "under-way"),
}
_ATTEMPTS: Final = {
    "running": "running",
    "complete": "complete",
    "rejected": "complete, with rejected items",
    "interrupted": "interrupted",
    "failed": "failed",
}

Cells = Sequence[str]


class Pill(Struct, frozen=True):
    """A state in words, and the colour that it is shown in."""

    words: str
    kind: str


class Overview(Struct, frozen=True, kw_only=True):
    """What stands above everything else."""

    what: str
    pill: Pill
    way: str
    when: str
    rows: Sequence[tuple[Pill, Cells]]
    total: Cells | None


def overview(run: StoredRun) -> Overview:
    """The overview of a run as it is stored."""
    record, count = run.record, len(run.tables)
    kind = "copy" if record.identity.move is None else "move"
    return Overview(
        what=f"{kind} of {'one table' if count == 1 else f'{count:,} tables'}",
        pill=pill_of(run.state),
        way=_way(run.tables),
        when=_when(run),
        rows=[(pill_of(state_of(run, table)), _row(run, table)) for table in run.tables],
        total=_total(run) if count > 1 else None,
    )


def pill_of(state: str) -> Pill:
    """The state of a run or a table as it is shown."""
    return Pill(*_STATES.get(state, (state, "under-way")))


def state_of(run: StoredRun, table: StoredTable) -> str:
    """The state of a table: one that is not complete is what its run is, if it was begun."""
    if table.totals.segments_complete == table.identity.total_segments:
        return "rejected" if table.totals.items_rejected else "complete"
    if run.state in ("running", "stalled"):
        began = any(sample.time >= run.record.started_at for sample in table.samples)
        return run.state if began else "waiting"
    if table.error is not None:
        return "failed"
    return "interrupted" if table.attempts or table.samples else "waiting"


def seconds_of(table: StoredTable, attempts: Sequence[AttemptRecord]) -> float:
    """The seconds in which a table was copied, over all attempts."""
    return sum(each.ended - each.began for each in worked(table, attempts))


def worked(table: StoredTable, attempts: Sequence[AttemptRecord]) -> list[Stretch]:
    """When a table was copied: as it is stored, or by its samples where nothing else says so."""
    by_samples = stretches_of(table.samples, attempts)
    if not table.attempts:
        return by_samples
    last = max((each.ended for each in by_samples), default=0.0)
    return [
        Stretch(
            each.started_at, max(each.started_at, last if each.ended_at is None else each.ended_at)
        )
        for each in table.attempts
    ]


def _row(run: StoredRun, table: StoredTable) -> Cells:
    totals, counters = table.totals, table.counters
    seconds = seconds_of(table, run.attempts)
    return _cells(
        table_name(table),
        items=totals.items_written,
        size=totals.bytes_read,
        seconds=seconds,
        rejected=totals.items_rejected,
        throttled=counters.throttled_requests,
        dollars=counters.dollars,
    )


def _total(run: StoredRun) -> Cells:
    totals = [table.totals for table in run.tables]
    counters = [table.counters for table in run.tables]
    stretches = [each for table in run.tables for each in worked(table, run.attempts)]
    return _cells(
        "total",
        items=sum(each.items_written for each in totals),
        size=sum(each.bytes_read for each in totals),
        # Side by side: the time in which any of them was copied.
        seconds=sum(each.ended - each.began for each in of_all(stretches)),
        rejected=sum(each.items_rejected for each in totals),
        throttled=sum(each.throttled_requests for each in counters),
        dollars=sum(each.dollars for each in counters),
    )


def _cells(
    name: str,
    *,
    items: int,
    size: int,
    seconds: float,
    rejected: int,
    throttled: int,
    dollars: float,
) -> Cells:
    return (
        name,
        formatting.count(items),
        formatting.megabytes(size),
        formatting.duration(seconds),
        formatting.count(items / seconds if seconds else None),
        formatting.count(rejected),
        formatting.count(throttled),
        f"${dollars:,.2f}",
    )


def table_name(table: StoredTable) -> str:
    """The tables by name; one name where it is the same on both sides."""
    source, target = (
        resource_name(arn) for arn in (table.identity.source_arn, table.identity.target_arn)
    )
    return source if source == target else f"{source} → {target}"


def _way(tables: Sequence[StoredTable]) -> str:
    """From which account and Region to which; each once, where tables differ."""
    ways = dict.fromkeys(
        f"{_side(table.identity.source_arn)} → {_side(table.identity.target_arn)}"
        for table in tables
    )
    return ", ".join(ways)


def _side(arn: str) -> str:
    return f"account {arn_account(arn) or '?'}, {arn_region(arn) or '?'}"


def _when(run: StoredRun) -> str:
    attempts, record = run.attempts, run.record
    began = attempts[0].started_at if attempts else record.created_at
    line = f"from {moment(began)}"
    if record.ended_at is not None:
        line += f" to {moment(record.ended_at)} ({formatting.duration(record.ended_at - began)})"
    elif run.last_checkpoint is not None:
        line += f", last checkpoint {moment(run.last_checkpoint)}"
    return line if len(attempts) < 2 else f"{line}, {len(attempts)} attempts"


# Events and attempts --------------------------------------------------------------------------


def event_rows(events: Sequence[RunEvent]) -> list[Cells]:
    """The events, the oldest first; of very many the newest."""
    worth = shown(events)
    rows: list[Cells] = [(moment(event.time), line_of(event)) for event in worth]
    if len(rows) <= MOST_EVENTS_SHOWN:
        return rows
    left_out = f"{len(rows) - MOST_EVENTS_SHOWN:,} earlier events are left out"
    return [("", left_out), *rows[-MOST_EVENTS_SHOWN:]]


def attempt_rows(run: StoredRun) -> Iterator[Cells]:
    """The attempts: one that has no end and is not under way was killed, or has crashed."""
    last = run.attempts[-1:]
    for attempt in run.attempts:
        ended = took = formatting.UNKNOWN
        status = _ATTEMPTS[attempt.status]
        if attempt.status == "running" and not ([attempt] == last and run.is_under_way):
            status = "killed or crashed"
        if attempt.ended_at is not None:
            ended = moment(attempt.ended_at)
            took = formatting.duration(attempt.ended_at - attempt.started_at)
        if attempt.error_message is not None:
            status = f"{status}: {attempt.error_message}"
        yield str(attempt.attempt), moment(attempt.started_at), ended, took, attempt.version, status


def moment(seconds: float) -> str:
    """A time in seconds since the epoch, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
