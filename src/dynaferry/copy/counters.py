"""A table's counters, from one shape to another: running, stored, sampled, summed up.

They have the same names in all of them, so a field that is added to two shapes passes between them
by itself. What a shape has under another name, or rounded, stands here and nowhere else.
"""

from dynaferry.observe.stats import TableStats
from dynaferry.observe.summary import ErrorSummary, RunStatus, TableSummary
from dynaferry.shared.fields import named_fields
from dynaferry.state.records import (
    Sample,
    TableCounters,
    TableIdentity,
    TableTotals,
    ThrottleCount,
)


def stats_of(
    totals: TableTotals,
    counters: TableCounters,
    *,
    source: str,
    target: str,
    segments_total: int,
    expected_items: int = 0,
    dollars_per_read_unit: float = 0.0,
    dollars_per_write_unit: float = 0.0,
) -> TableStats:
    """Running counters that go on from where the stored ones stand."""
    stats = TableStats(
        source=source,
        target=target,
        segments_total=segments_total,
        expected_items=expected_items,
        throttles={(each.operation, each.reason): each.times for each in counters.throttles},
        dollars_per_read_unit=dollars_per_read_unit,
        dollars_per_write_unit=dollars_per_write_unit,
        **named_fields(totals, TableStats.__slots__),
        **named_fields(counters, TableStats.__slots__, but=("throttles", "dollars")),
    )
    stats.items_at_start = stats.items_done
    return stats


def counters_of(stats: TableStats) -> TableCounters:
    """What a checkpoint stores of the counters."""
    throttles = tuple(
        ThrottleCount(operation=operation, reason=reason, times=times)
        for (operation, reason), times in stats.throttles.items()
    )
    fields = {name: getattr(stats, name) for name in TableCounters.__struct_fields__}
    return TableCounters(**(fields | {"throttles": throttles}))


def sample_of(stats: TableStats, table: int, time: float) -> Sample:
    """The totals of the table number `table` at this moment, in seconds since the epoch."""
    return Sample(
        table=table,
        time=time,
        read_limit_units=stats.read_rate_limit_units,
        write_limit_units=stats.write_rate_limit_units,
        items_written=stats.items_written,
        bytes_read=stats.bytes_read,
        read_units=stats.read_units,
        write_units=stats.write_units,
        throttled_requests=stats.throttled_requests,
    )


def summary_of(
    totals: TableTotals,
    counters: TableCounters,
    seen: TableIdentity,
    *,
    source: str,
    target: str,
    status: RunStatus,
    segments_total: int,
    seconds: float,
    items_per_second: float,
    total_seconds: float = 0.0,
    error: ErrorSummary | None = None,
) -> TableSummary:
    """The summary of a table of which this is stored; `seconds` and the rate are an attempt's, and
    `error` is what ended the table in it.
    """
    names = TableSummary.__struct_fields__
    units = ("read_units", "write_units")
    return TableSummary(
        source=source,
        target=target,
        status=status,
        segments_total=segments_total,
        seconds=round(seconds, 3),
        items_per_second=round(items_per_second, 1),
        total_seconds=round(total_seconds, 3),
        error=error,
        source_arn=seen.source_arn,
        target_arn=seen.target_arn,
        read_units=round(counters.read_units, 1),
        write_units=round(counters.write_units, 1),
        **named_fields(totals, names),
        **named_fields(counters, names, but=units),
    )
