"""The report as one HTML file: everything is in it, nothing is fetched. Pure.

The values stand here; the markup stands in `page.html.jinja`, which escapes every text of a table,
a service or a person where it enters the page. Only the scripts that draw the
charts may run: the page names each by its SHA-256.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Struct

from dynaferry._version import __version__
from dynaferry.observe import formatting
from dynaferry.observe.summary import NextStep
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.plan.schedule import Units
from dynaferry.report.certificate import StoredCertificate, circumstances, heading
from dynaferry.report.charts import Chart, ChartGroup, chart_of_all, charts_of, scripts
from dynaferry.report.clock import pauses
from dynaferry.report.move_section import move_section
from dynaferry.report.overview import (
    COLUMNS,
    Pill,
    attempt_rows,
    event_rows,
    moment,
    overview,
    pill_of,
    state_of,
    table_name,
)
from dynaferry.report.rates import ChartPoint
from dynaferry.report.stored_move import StoredMove
from dynaferry.report.stored_run import StoredRun, StoredTable
from dynaferry.shared.arn import resource_name
from dynaferry.shared.printable import printable, printable_json
from dynaferry.state.records import AttemptRecord

_HERE: Final = Path(__file__).parent
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src"
)
Pairs = Sequence[tuple[str, str]]
Rows = Sequence[Sequence[str]]


class _TableSection(Struct, frozen=True, kw_only=True):
    """The section of one table."""

    name: str
    pill: Pill
    error: str | None
    source: str
    target: str
    facts: Pairs
    drawn: ChartGroup
    throttles: Rows
    rejections: Rows


class _CertificateSection(Struct, frozen=True, kw_only=True):
    """The section of a certificate."""

    heading: str
    circumstances: str
    columns: Sequence[str]
    rows: Rows


def render(
    run: StoredRun,
    certificate: StoredCertificate | None,
    moved: Sequence[StoredMove] = (),
    steps: Sequence[NextStep] = (),
) -> str:
    """The whole HTML file; `moved` are the tables of a run that is a move, `steps` are left."""
    record = run.record
    paused = pauses(run.events, run.last_checkpoint or run.now)
    tables = [_table(run, table, paused) for table in run.tables]
    together = ChartGroup()
    if len(run.tables) > 1:
        together = chart_of_all(run.tables, run.attempts, paused)
    moves = [move_section(move) for move in moved]
    drawing = scripts()
    return _template().render(
        policy=" ".join((_POLICY, *(script.source for script in drawing))),
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704  # our own
        run=record.run,
        head=overview(run),
        columns=COLUMNS,
        steps=steps,
        stalled=_stalled(run),
        error=_error(run),
        totals=_totals(run),
        together=together,
        tables=tables,
        moves=moves,
        events=event_rows(run.events),
        attempts=list(attempt_rows(run)),
        settings=_settings(record.settings),
        certificate=None if certificate is None else _certificate(certificate, len(run.tables)),
        version=__version__,
        written=moment(run.now),
        series=_series([together, *(t.drawn for t in tables), *(m.drawn for m in moves)]),
        scripts=drawing,
    )


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _printable(value: object) -> str:
    """What enters the page: it steers nothing, and markup is only what this room made."""
    return value if isinstance(value, Markup) else printable(str(value))


def _series(groups: Sequence[ChartGroup]) -> Markup:
    """What the script draws: numbers, and names of colours. No markup can begin in it."""
    drawn = [
        {
            "times": group.times,
            "pauses": group.pauses,
            "charts": [_as_drawn(chart) for chart in group.charts if chart.is_drawn],
        }
        for group in groups
    ]
    document = msgspec.json.encode(drawn).decode().replace("<", "\\u003c")
    return Markup(printable_json(document))  # noqa: S704


def _as_drawn(chart: Chart) -> dict[str, Any]:
    """A chart in few bytes: no picture shows more than four digits of a number."""
    lines = {"rates": chart.rates, "limits": chart.limits, "caps": chart.caps}
    points = {name: [_as_point(point) for point in line] for name, line in lines.items()}
    return {"title": chart.title, "hue": chart.hue, "together": chart.together, **points}


def _as_point(point: ChartPoint) -> tuple[float, ...]:
    value = float(f"{point.value:.4g}")
    value = int(value) if value.is_integer() else value
    return (point.time, value, 1) if point.is_last else (point.time, value)


def _error(run: StoredRun) -> str | None:
    message = run.record.error_message
    return None if message is None else _with_hint(message, run.record.error_hint)


def _with_hint(message: str, hint: str | None) -> str:
    return message if hint is None else f"{message} ({hint})"


def _stalled(run: StoredRun) -> str | None:
    """For how long nothing was stored, where that is too long."""
    if run.state != "stalled":
        return None
    return f"nothing was stored for {formatting.duration(run.now - run.last_sign)}"


def _totals(run: StoredRun) -> Pairs:
    totals = [table.totals for table in run.tables]
    counters = [table.counters for table in run.tables]
    moments = [sample.time for table in run.tables for sample in table.samples]
    if run.record.checkpointed_at is not None:
        moments.append(run.record.checkpointed_at)
    seconds = seconds_at_work(run.attempts, moments)
    written = sum(total.items_written for total in totals)
    return (
        ("items read", formatting.count(sum(total.items_read for total in totals))),
        ("= written", formatting.count(written)),
        ("+ rejected", formatting.count(sum(total.items_rejected for total in totals))),
        *_filtered(sum(total.items_filtered for total in totals)),
        ("read", f"{formatting.megabytes(sum(total.bytes_read for total in totals))} MB"),
        ("active for", formatting.duration(seconds)),
        ("items written/s", formatting.count(written / seconds if seconds else None)),
        ("cost, on demand", f"${sum(each.dollars for each in counters):,.2f}"),
    )


def _filtered(items: int) -> Pairs:
    """Only where a filter left any out."""
    return (("+ filtered", formatting.count(items)),) if items else ()


def seconds_at_work(attempts: Sequence[AttemptRecord], moments: Sequence[float]) -> float:
    """The seconds of all attempts; one that ended without a word is taken to its last sign of life.

    `moments` are such signs: samples and checkpoints, of whichever attempt.
    """
    total, next_began = 0.0, math.inf
    for attempt in reversed(attempts):
        began, end = attempt.started_at, attempt.ended_at
        if end is None:
            end = max((each for each in moments if began <= each < next_began), default=began)
        total += max(0.0, end - began)
        next_began = began
    return total


# A table ---------------------------------------------------------------------------------------


def _table(
    run: StoredRun, table: StoredTable, paused: Sequence[tuple[float, float]]
) -> _TableSection:
    identity = table.identity
    return _TableSection(
        name=table_name(table),
        pill=pill_of(state_of(run, table)),
        error=None if table.error is None else _with_hint(table.error.message, table.error.hint),
        source=identity.source_arn,
        target=identity.target_arn,
        facts=_table_facts(table),
        drawn=charts_of(table, run.attempts, run.events, [*paused, *_own_pauses(run, table)]),
        throttles=_throttles(table),
        rejections=[
            (formatting.count(each.items), f"{each.error_code}: {each.error_message}")
            for each in table.reasons
        ],
    )


def _own_pauses(run: StoredRun, table: StoredTable) -> list[tuple[float, float]]:
    source = resource_name(table.identity.source_arn)
    return pauses(run.events, run.last_checkpoint or run.now, source)


def _table_facts(table: StoredTable) -> Pairs:
    totals, counters = table.totals, table.counters
    return (
        ("segments", f"{totals.segments_complete:,} of {table.identity.total_segments:,}"),
        ("items written", formatting.count(totals.items_written)),
        ("items rejected", formatting.count(totals.items_rejected)),
        ("read units", formatting.count(counters.read_units)),
        ("write units", formatting.count(counters.write_units)),
        ("throttled requests", formatting.count(counters.throttled_requests)),
        ("retried requests", formatting.count(counters.retried_requests)),
        ("unprocessed items, retried", formatting.count(counters.unprocessed_items)),
        ("last bottleneck", counters.bottleneck or formatting.UNKNOWN),
        ("cost, on demand", f"${counters.dollars:,.2f}"),
    )


def _throttles(table: StoredTable) -> Rows:
    most_first = sorted(table.counters.throttles, key=lambda each: -each.times)
    return [
        (formatting.count(each.times), f"{each.operation}: {each.reason or 'no reason given'}")
        for each in most_first
    ]


# The run ---------------------------------------------------------------------------------------


def _settings(settings: RecordedSettings) -> Rows:
    given = [(name, getattr(settings, name)) for name in settings.__struct_fields__]
    rows = [
        (name.replace("_", " "), _in_words(value))
        for name, value in given
        if isinstance(value, bool | int | float | str)
    ]
    for table in settings.tables:
        own = _caps(table.max_read_units, table.max_write_units)
        rows += [(f"caps of {table.source_name} alone", own)] if own else []
    for entry in settings.limits.schedule:
        hours, days = entry.hours or "at all hours", " ".join(entry.weekdays) or "every day"
        when = f"caps {hours}, {days} ({settings.limits.time_zone})"
        rows.append((when, _caps(entry.max_read_units, entry.max_write_units)))
    return rows


def _caps(reads: Units | None, writes: Units | None) -> str:
    caps = (("read", reads), ("write", writes))
    return ", ".join(f"{side} {_in_words(cap)} units/s" for side, cap in caps if cap is not None)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _certificate(certificate: StoredCertificate, tables_copied: int) -> _CertificateSection:
    counts = ("matching", "missing", "extra", "different", "rejected", "in flux")
    columns = ("table", "found", "source", "target", *counts)
    rows = [
        (
            f"{table.source} → {table.target}",
            table.verdict,
            *(
                formatting.count(number)
                for number in (
                    table.source_items,
                    table.target_items,
                    table.matching,
                    table.missing,
                    table.extra,
                    table.different,
                    table.rejected,
                    table.in_flux,
                )
            ),
        )
        for table in certificate.tables
    ]
    return _CertificateSection(
        heading=heading(certificate, tables_copied),
        circumstances=circumstances(certificate),
        columns=columns,
        rows=rows,
    )
