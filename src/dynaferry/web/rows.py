"""The tables of a run as a live page shows them: a row each, segments, all in one. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.move_words import late_line, line_of, losing_line
from dynaferry.observe.run_meter import TableView
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.shared.arn import arn_account, arn_region
from dynaferry.web.news import MoveNews, Reason, SegmentNews, Side, TableRow, TotalNews

# A square fills in this many steps; each is sent once.
_STEPS: Final = 20
# A service's words may be long, and one row is not to fill an update.
_MOST_CHARACTERS: Final = 300


def side(arns: Iterable[str | None]) -> Side:
    """The account and the Region that all of these tables have in common."""
    known = [arn for arn in arns if arn is not None]
    return Side(
        account=_common(arn_account(arn) for arn in known),
        region=_common(arn_region(arn) for arn in known),
    )


def _common(values: Iterable[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def only_arns(tables: Sequence[TableStats]) -> tuple[str, str] | None:
    """The ARNs of a run's only table; None where it has several."""
    if len(tables) != 1 or tables[0].source_arn is None or tables[0].target_arn is None:
        return None
    return tables[0].source_arn, tables[0].target_arn


def of_tables(monitor: RunMonitor) -> dict[int, TableRow]:
    """The rows of all tables, by their index."""
    pairs = zip(monitor.stats.tables, monitor.views, strict=False)
    paused = monitor.stats.paused
    return {
        index: _row(index, table, view, run_paused=paused)
        for index, (table, view) in enumerate(pairs)
    }


def _row(index: int, table: TableStats, view: TableView, *, run_paused: bool) -> TableRow:
    is_moving = view.shown_state == "running"
    left = view.seconds_left
    return TableRow(
        index=index,
        state=view.shown_state,
        share_done=_cut(view.share_done),
        items_done=view.items_done,
        items_rejected=table.items_rejected,
        items_per_second=rounded(view.items_per_second) if is_moving else None,
        eta_seconds=_whole(left) if is_moving else None,
        throttled_share=rounded(view.throttled_share, 2) if is_moving else None,
        segments_complete=table.segments_complete,
        words=_short(view.limited_by if table.error is None else table.error.message),
        paused=table.paused and not run_paused,
        read_cap=table.read_cap_units,
        write_cap=table.write_cap_units,
    )


def total(monitor: RunMonitor, now: float) -> TotalNews:
    """All tables together; `now` is in seconds since the epoch."""
    tables, views = monitor.stats.tables, monitor.views
    is_over = monitor.phase == "ended"
    states = [view.shown_state for view in views]
    moving = [view for view in views if view.shown_state == "running"]
    kept = monitor.total
    left = None if is_over else kept.eta_seconds
    return TotalNews(
        share_done=_cut(kept.progress_ratio),
        items_done=sum(table.items_done for table in tables),
        items_rejected=sum(table.items_rejected for table in tables),
        items_per_second=_mean_rate(monitor)
        if is_over
        else _sum(view.items_per_second for view in moving),
        bytes_per_second=_sum(view.bytes_per_second for view in moving),
        read_units_per_second=_sum(view.read_units_per_second for view in moving),
        write_units_per_second=_sum(view.write_units_per_second for view in moving),
        throttled_share=rounded(max((v.throttled_share or 0.0 for v in moving), default=None), 2),
        eta_seconds=_whole(left),
        ends_at=None if left is None else round(now + left),
        dollars=round(sum(table.dollars for table in tables), 4),
        unprocessed_items=sum(table.unprocessed_items for table in tables),
        states={state: states.count(state) for state in dict.fromkeys(states)},
        limited_by=_short(next((view.limited_by for view in moving if view.limited_by), None)),
    )


def _mean_rate(monitor: RunMonitor) -> float | None:
    """The items a second over the whole attempt that has ended."""
    seconds = (monitor.ended_at or monitor.began_at) - monitor.began_at
    items = sum(table.items_done - table.items_at_start for table in monitor.stats.tables)
    return rounded(items / seconds) if seconds > 0 else None


def finished_segments(stats: RunStats, sent: Mapping[int, int]) -> Iterator[SegmentNews]:
    """The segments that are done, behind those that were `sent` by table."""
    for index, table in enumerate(stats.tables):
        finished = table.segments.finished
        for at in range(sent.get(index, 0), len(finished)):
            segment, seconds = finished[at]
            took = None if seconds is None else round(seconds, 1)
            yield SegmentNews(index, segment, 1, took)


def segments_under_way(stats: RunStats, began_at: float) -> dict[tuple[int, int], SegmentNews]:
    """The segments under way of the tables that run, each as full as can be told."""
    found = {}
    for index, table in enumerate(stats.tables):
        if table.state != "running":
            continue
        for segment, share in table.segments.filled(table.expected_items).items():
            step = math.floor(share * _STEPS) / _STEPS
            began = round(table.segments.running[segment] - began_at, 1)
            found[index, segment] = SegmentNews(index, segment, step, began)
    return found


def reasons(stats: RunStats) -> dict[tuple[str, str, str], Reason]:
    """How often what was throttled or rejected, over all tables, by the service's reason."""
    found: dict[tuple[str, str, str], Reason] = {}
    for table in stats.tables:
        for (operation, reason), times in table.throttles.items():
            _add(found, Reason("throttled", operation, _short(reason) or "", times))
        for reason, times in table.rejections.items():
            _add(found, Reason("rejected", "", _short(reason) or "", times))
    return found


def _add(found: dict[tuple[str, str, str], Reason], reason: Reason) -> None:
    key = (reason.kind, reason.operation, reason.reason)
    before = found.get(key)
    found[key] = reason if before is None else replace(before, times=before.times + reason.times)


def of_moves(tables: Sequence[MoveStatus]) -> dict[int, MoveNews]:
    """How the tables of a move stand, by their index; a copy has none."""
    return {index: _of_move(index, table) for index, table in enumerate(tables)}


def _of_move(index: int, table: MoveStatus) -> MoveNews:
    return MoveNews(
        index=index,
        line=line_of(table),
        losing=None if table.will_catch_up else losing_line(table),
        state=table.state,
        lag=rounded(table.lag_seconds),
        changes_in=rounded(table.changes_in_per_second) or 0.0,
        changes_out=rounded(table.changes_out_per_second) or 0.0,
        rows=table.spool_rows,
        bytes=table.spool_bytes,
        read_again=table.spool_read_again,
        shards_open=table.shards_open,
        shards_waiting=table.shards_waiting,
        gaps=table.gaps,
        doubts=table.doubts,
        rejected=table.rejected,
        late_writes=table.late_writes,
        late=late_line(table),
    )


def _sum(rates: Iterable[float | None]) -> float | None:
    """A rate of all tables; unknown where no table has one."""
    known = [rate for rate in rates if rate is not None]
    return rounded(sum(known)) if known else None


def rounded(value: float | None, digits: int = 4) -> float | None:
    """With so many digits that count: more are not seen, and each would be sent."""
    return None if value is None else float(f"{value:.{digits}g}")


def _whole(seconds: float | None) -> int | None:
    """Never 0: as long as something is left, it takes time."""
    return None if seconds is None else max(1, round(seconds))


def _cut(share: float) -> float:
    """Never more than is done: 1 is the end and nothing else."""
    return math.floor(share * 1000) / 1000


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
