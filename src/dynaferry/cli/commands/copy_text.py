"""The last lines of a copy, for people: a table, how it adds up, the next steps. Pure."""

from collections.abc import Iterator, Sequence

from dynaferry.observe import formatting
from dynaferry.observe.next_steps import step_lines
from dynaferry.observe.summary import RunStatus, RunSummary, TableSummary
from dynaferry.observe.text_table import Column, text_table

_HEADLINES: dict[RunStatus, str] = {
    "complete": "complete",
    "rejected": "complete",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
    "refused": "refused, nothing was copied",
}
_COPIED = ("complete", "rejected")
_COLUMNS = (
    Column(heading="table", is_words=True, shrinks=True),
    Column(heading="items"),
    Column(heading="size"),
    Column(heading="time"),
    Column(heading="items/s"),
    Column(heading="rejected"),
    Column(heading="state", is_words=True),
)


def summary_lines(summary: RunSummary, *, width: int | None = None) -> list[str]:
    """The lines that end a copy, in so many columns but for the commands, which are whole.

    Without a `width` nothing is cut or wrapped.
    """
    tables = summary.tables
    rows = [_row(name_of(t), t.status, [t], t.total_seconds or t.seconds) for t in tables]
    if len(tables) > 1:
        copied = sum(table.status in _COPIED for table in tables)
        # Tables are copied side by side: together they took less than the sum.
        rows.append(_row("total", f"{copied} of {len(tables)}", tables, summary.total_seconds))
    return [
        f"{summary.run}: {_headline(summary)}",
        *_sides(tables),
        *text_table(_COLUMNS, rows, width=width),
        *_errors(tables, width),
        *_figures(summary),
        *step_lines(summary.next_steps, width=width),
    ]


def name_of(table: TableSummary) -> str:
    """A table by the name of its source, and that of its target where it is another."""
    same = table.source == table.target
    return table.source if same else f"{table.source} → {table.target}"


def way_of(table: TableSummary) -> str:
    """Source and target, with accounts and Regions."""
    return formatting.way(table.source, table.target, table.source_arn, table.target_arn)


def equation(*tables: TableSummary) -> str:
    """The equation `read = written + rejected`, with the numbers, of these tables together.

    What a filter left out is named where there is any.
    """
    read, written, rejected, filtered = (
        sum(getattr(table, name) for table in tables)
        for name in ("items_read", "items_written", "items_rejected", "items_filtered")
    )
    left_out = f" + {formatting.count(filtered)} filtered" if filtered else ""
    return (
        f"{formatting.count(read)} read = {formatting.count(written)} written + "
        f"{formatting.count(rejected)} rejected{left_out}"
    )


def _headline(summary: RunSummary) -> str:
    words = _HEADLINES[summary.status]
    rejected = sum(table.items_rejected for table in summary.tables)
    if summary.status == "rejected":
        were = "was" if rejected == 1 else "were"
        return f"{words}, but {formatting.plural(rejected, 'item')} {were} rejected"
    failed = sum(table.status == "failed" for table in summary.tables)
    copied = sum(table.status in _COPIED for table in summary.tables)
    if summary.status == "failed" and copied:
        of_all = formatting.plural(len(summary.tables), "table")
        return f"{copied} of {of_all} copied, {failed} failed"
    return words


def _sides(tables: Sequence[TableSummary]) -> Iterator[str]:
    """Accounts and Regions, once where all tables share them."""
    ways = {_way(table) for table in tables if table.source_arn and table.target_arn}
    if len(ways) == 1:
        yield ways.pop()
    else:
        yield from (f"{way_of(table)}" for table in tables if table.source_arn)


def _way(table: TableSummary) -> str:
    return formatting.accounts(table.source_arn, table.target_arn)


def _row(name: str, state: str, tables: Sequence[TableSummary], seconds: float) -> list[str]:
    done = sum(t.items_written + t.items_rejected + t.items_filtered for t in tables)
    return [
        name,
        formatting.count(done),
        formatting.size(sum(table.bytes_read for table in tables)),
        _time(seconds),
        formatting.count(done / seconds) if seconds else formatting.UNKNOWN,
        formatting.count(sum(table.items_rejected for table in tables)),
        state,
    ]


def _time(seconds: float) -> str:
    if not seconds:
        return formatting.UNKNOWN
    return "<1s" if seconds < 0.5 else formatting.duration(seconds)


def _errors(tables: Sequence[TableSummary], width: int | None) -> Iterator[str]:
    """What ended each table that others went on without; of a single one it is said already."""
    for table in tables if len(tables) > 1 else ():
        if table.error is not None:
            hint = "" if table.error.hint is None else f"; {table.error.hint}"
            yield from formatting.wrapped(
                f"  {table.source} failed: {table.error.message}{hint}", width, indent=4
            )


def _figures(summary: RunSummary) -> Iterator[str]:
    """What all tables took together."""
    tables = summary.tables
    yield f"  items     {equation(*tables)}"
    yield (
        f"  units     {_sum(tables, 'read_units')} RCU read, "
        f"{_sum(tables, 'write_units')} WCU written"
    )
    yield (
        f"  throttled {_sum(tables, 'throttled_requests')} requests, retried "
        f"{_sum(tables, 'retried_requests')}, unprocessed items sent again "
        f"{_sum(tables, 'unprocessed_items')}"
    )
    if summary.status not in _COPIED:
        done, total = _sum(tables, "segments_complete"), _sum(tables, "segments_total")
        yield f"  segments  {done} of {total} complete"
    if summary.started_at is not None and summary.ended_at is not None:
        attempts = "" if summary.attempts < 2 else f", in {summary.attempts} attempts"
        yield f"  time      {formatting.span(summary.started_at, summary.ended_at)}{attempts}"


def _sum(tables: Sequence[TableSummary], name: str) -> str:
    return formatting.count(sum(getattr(table, name) for table in tables))
