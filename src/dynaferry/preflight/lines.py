"""The lines of a dry run for people: a table of all tables, what to know by weight, the total."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from dynaferry.observe.formatting import accounts, count, duration, plural, size, wrapped
from dynaferry.observe.text_table import Column, text_table
from dynaferry.preflight.bottleneck import per_second, short_bottleneck
from dynaferry.preflight.estimate import Estimate, ExpectedRate
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.item_cost import IndexCost
from dynaferry.preflight.notice import Notice, Weight, by_table, texts
from dynaferry.preflight.notices import WRITES_DURING_COPY
from dynaferry.preflight.totals import Totals

_COLUMNS: Final = (
    Column(heading="table", is_words=True, shrinks=True),
    Column(heading="items"),
    Column(heading="size"),
    Column(heading="time"),
    Column(heading="cost"),
    Column(heading="bottleneck", is_words=True, shrinks=True),
    Column(heading="verdict", is_words=True),
)
_SECTIONS: Final[tuple[tuple[Weight, str], ...]] = (
    ("warning", "warnings"),
    ("speed", "to go faster"),
    ("note", "notes"),
    ("after", "after the copy (its summary prints the commands)"),
)


class SeenTable(Struct, frozen=True, kw_only=True):
    """One table of a dry run: what was found, the notices on it, and what following it takes."""

    preflight: TablePreflight
    notices: tuple[Notice, ...]
    following: str | None = None

    @property
    def name(self) -> str:
        """By the name of its source, and that of its target where it is another."""
        source, target = self.preflight.table.source_name, self.preflight.table.target_name
        return source if source == target else f"{source} → {target}"


def seen_tables(preflights: Sequence[TablePreflight]) -> list[SeenTable]:
    """The tables of a dry run of a copy."""
    return [SeenTable(preflight=each, notices=each.notices) for each in preflights]


def dry_run_lines(
    tables: Sequence[SeenTable], totals: Totals, *, width: int | None = None
) -> list[str]:
    """The lines of a dry run that found nothing to refuse.

    Without a `width` nothing is cut or wrapped.
    """
    shared = _shared(tables)
    rows = [_row(table, shared) for table in tables]
    if len(tables) > 1:
        rows.append(_total_row(totals))
    lines = [*_sides(tables), *text_table(_COLUMNS, rows, width=width)]
    if len(tables) == 1:
        lines += _wrapped(_units(tables[0].preflight.estimate), width, indent=12)
    lines += _wrapped(_followed(tables), width)
    for weight, heading in _SECTIONS:
        said = by_table([(table.name, table.notices) for table in tables], weight)
        lines += [heading] if said else []
        lines += _wrapped([f"  - {text}" for text in said], width)
    return [*lines, *_wrapped(_end(tables, totals), width, indent=2)]


def opening_lines(tables: Sequence[tuple[str, Sequence[Notice]]]) -> list[str]:
    """What a copy says before it begins: the warnings, and where the rest is to be read."""
    rest = len(by_table(tables, "speed", "note", "after"))
    more = [f"{plural(rest, 'more notice')}: --dry-run shows all"] if rest else []
    return by_table(tables, "warning") + more


def _followed(tables: Sequence[SeenTable]) -> Iterator[str]:
    for table in tables:
        if table.following is not None:
            of_one = "" if len(tables) == 1 else f"{table.name}: "
            yield f"  {of_one}following: {table.following}"


def _sides(tables: Sequence[SeenTable]) -> Iterator[str]:
    """Accounts and Regions of both sides, once where all tables share them."""
    ways = dict.fromkeys(_way(table.preflight) for table in tables)
    if len(ways) == 1:
        yield from ways
    else:
        yield from (f"{table.name}: {_way(table.preflight)}" for table in tables)


def _way(seen: TablePreflight) -> str:
    return accounts(seen.source.arn, None if seen.target is None else seen.target.arn)


def _shared(tables: Sequence[SeenTable]) -> set[str]:
    """The texts that speak of no table in particular: all tables have them."""
    of_each = [set(texts(table.notices)) for table in tables]
    return set.intersection(*of_each) if len(tables) > 1 else {WRITES_DURING_COPY}


def _row(table: SeenTable, shared: Collection[str]) -> list[str]:
    estimate = table.preflight.estimate
    warnings = sum(
        notice.weight == "warning" and notice.text not in shared for notice in table.notices
    )
    return [
        table.name,
        count(estimate.items),
        size(estimate.bytes),
        _time(estimate.seconds),
        _dollars(estimate.read_cost + estimate.write_cost),
        short_bottleneck(estimate),
        plural(warnings, "warning") if warnings else "ready",
    ]


def _total_row(totals: Totals) -> list[str]:
    return [
        "total",
        count(totals.items),
        size(totals.bytes),
        _time(totals.seconds),
        _dollars(totals.cost),
        "",
        plural(totals.tables, "table"),
    ]


def _wrapped(lines: Iterable[str], width: int | None, *, indent: int = 4) -> list[str]:
    """The lines in so many columns. One with a command is left whole, to be copied."""
    return [part for line in lines for part in wrapped(line, width, indent=indent)]


def _units(estimate: Estimate) -> list[str]:
    """What one table takes of both sides."""
    return [
        f"  segments  {count(estimate.segments)}, of items of "
        f"{count(estimate.average_item_bytes)} bytes on average",
        f"  reads     {_side_line(estimate.read_pace, estimate.read_units, 'RCU')}",
        f"  writes    {_side_line(estimate.write_pace, estimate.write_units, 'WCU')}",
        *(_index_line(cost) for cost in estimate.index_costs),
        *_replica_lines(estimate),
    ]


def _side_line(pace: ExpectedRate, units: int, unit: str) -> str:
    return f"about {count(units)} {unit} at {per_second(pace)} {unit}/s: {pace.reason}"


def _index_line(cost: IndexCost) -> str:
    index = cost.index
    return (
        f"            of them {index.kind} {index.name} ({index.projection}): "
        f"{plural(cost.units_per_item, 'unit')} a write; less where items lack its key"
    )


def _replica_lines(estimate: Estimate) -> list[str]:
    units = estimate.replicated_write_units
    if not units:
        return []
    return [f"            and {count(units)} in the Regions of the target's replicas"]


def _end(tables: Sequence[SeenTable], totals: Totals) -> Iterator[str]:
    estimates = [table.preflight.estimate for table in tables]
    yield f"prices: {estimates[0].prices}"
    yield f"cost: {_cost(estimates)}"
    yield f"time: {_total_time(totals)}"
    endless = [t.name for t in tables if math.isinf(t.preflight.estimate.seconds)]
    if endless:
        yield f"not ready: {', '.join(endless)} would never be done"
    else:
        what = "ready" if totals.tables == 1 else f"ready: {plural(totals.tables, 'table')}"
        yield f"{what}; the same command without --dry-run begins"


def _total_time(totals: Totals) -> str:
    if math.isinf(totals.seconds):
        return "no end: a table takes 0 units a second"
    together = f" for all, {totals.at_once} at once" if totals.tables > 1 else ""
    return f"about {duration(totals.seconds)}{together}, at these rates"


def _cost(estimates: Sequence[Estimate]) -> str:
    cost = sum(estimate.read_cost + estimate.write_cost for estimate in estimates)
    sides = [e.source_provisioned for e in estimates] + [e.target_provisioned for e in estimates]
    hourly = "provisioned capacity is paid by the hour"
    if all(sides):
        return f"nothing extra ({hourly})"
    return f"about ${cost:,.2f}{f' ({hourly})' if any(sides) else ''}"


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "no end"
    return "<1s" if 0 < seconds < 0.5 else duration(seconds)


def _dollars(cost: float) -> str:
    return f"${cost:,.2f}"
