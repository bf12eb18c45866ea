"""The report as one HTML file: everything is in it, nothing is fetched. Pure.

The values stand here; the markup stands in `page.html.jinja`, which escapes every text of a table,
a service or a person where it enters the page. Only the scripts that draw the
charts may run: the page names each by its SHA-256.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Struct

from dynaferry._version import __version__
from dynaferry.observe import formatting
from dynaferry.observe.health import is_stalled
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.plan.schedule import Units
from dynaferry.report.certificate import StoredCertificate, circumstances, heading
from dynaferry.report.charts import Chart, charts_of, scripts
from dynaferry.report.move_section import MoveSection, move_section
from dynaferry.report.stored_move import StoredMove
from dynaferry.report.stored_run import StoredRun, StoredTable
from dynaferry.shared.printable import printable, printable_json
from dynaferry.state.records import AttemptRecord

_HERE: Final = Path(__file__).parent
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src"
)
_STATUS: Final = {
    "running": "running, or stopped without a word",
    "complete": "complete",
    "rejected": "complete, but the target rejected items",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
}

Pairs = Sequence[tuple[str, str]]
Rows = Sequence[Sequence[str]]


class _TableSection(Struct, frozen=True, kw_only=True):
    """The section of one table."""

    name: str
    source: str
    target: str
    facts: Pairs
    charts: list[Chart]
    throttles: Rows
    rejections: Rows


class _CertificateSection(Struct, frozen=True, kw_only=True):
    """The section of a certificate."""

    heading: str
    circumstances: str
    columns: Sequence[str]
    rows: Rows


def render(
    run: StoredRun, certificate: StoredCertificate | None, moved: Sequence[StoredMove] = ()
) -> str:
    """The whole HTML file; `moved` are the tables of a run that is a move."""
    record, attempts = run.record, run.attempts
    tables = [_table(table, attempts) for table in run.tables]
    moves = [move_section(move) for move in moved]
    drawing = scripts()
    return _template().render(
        policy=" ".join((_POLICY, *(script.source for script in drawing))),
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704  # our own
        run=record.run,
        state=_state(run),
        error=_error(run),
        begun=_moment(attempts[0].started_at if attempts else record.created_at),
        ended="not yet" if record.ended_at is None else _moment(record.ended_at),
        totals=_totals(run),
        tables=tables,
        moves=moves,
        attempts=[_attempt(attempt) for attempt in attempts],
        settings=_settings(record.settings),
        certificate=None if certificate is None else _certificate(certificate, len(run.tables)),
        version=__version__,
        written=_moment(run.now),
        series=_series([*tables, *moves]),
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


def _series(sections: Sequence[_TableSection | MoveSection]) -> Markup:
    """What the script draws: numbers, and names of colours. No markup can begin in it."""
    charts = [chart for each in sections for chart in each.charts if chart.is_long_enough]
    document = msgspec.json.encode(charts).decode().replace("<", "\\u003c")
    return Markup(printable_json(document))  # noqa: S704


def _error(run: StoredRun) -> str | None:
    message, hint = run.record.error_message, run.record.error_hint
    return message if message is None or hint is None else f"{message} ({hint})"


def _state(run: StoredRun) -> str:
    """The state of the run. The file alone does not say whether a process works on it."""
    record = run.record
    last_sign, is_paused = run.last_sign, run.controls.paused_at is not None
    if record.status == "running" and is_stalled(last_sign, run.now, paused=is_paused):
        since = formatting.duration(run.now - last_sign)
        return f"stalled, or stopped without a word: nothing was stored for {since}"
    return _STATUS[record.status]


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
        ("+ filtered", formatting.count(sum(total.items_filtered for total in totals))),
        ("read", f"{formatting.megabytes(sum(total.bytes_read for total in totals))} MB"),
        ("at work for", formatting.duration(seconds)),
        ("items written/s", formatting.count(written / seconds if seconds else None)),
        ("cost, on demand", f"${sum(each.dollars for each in counters):,.2f}"),
        ("attempts", str(len(run.attempts))),
    )


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


def _table(table: StoredTable, attempts: Sequence[AttemptRecord]) -> _TableSection:
    identity = table.identity
    return _TableSection(
        name=f"{_name(identity.source_arn)} → {_name(identity.target_arn)}",
        source=identity.source_arn,
        target=identity.target_arn,
        facts=_table_facts(table),
        charts=charts_of(table, attempts),
        throttles=_throttles(table),
        rejections=[
            (formatting.count(each.items), f"{each.error_code}: {each.error_message}")
            for each in table.reasons
        ],
    )


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
        ("unprocessed, sent again", formatting.count(counters.unprocessed_items)),
        ("held back last by", counters.bottleneck or formatting.UNKNOWN),
        ("cost, on demand", f"${counters.dollars:,.2f}"),
    )


def _throttles(table: StoredTable) -> Rows:
    most_first = sorted(table.counters.throttles, key=lambda each: -each.times)
    return [
        (formatting.count(each.times), f"{each.operation}: {each.reason or 'no reason given'}")
        for each in most_first
    ]


# The run ---------------------------------------------------------------------------------------


def _attempt(attempt: AttemptRecord) -> Sequence[str]:
    ended, took, status = "-", "-", _STATUS[attempt.status]
    if attempt.ended_at is not None:
        ended = _moment(attempt.ended_at)
        took = formatting.duration(attempt.ended_at - attempt.started_at)
    if attempt.error_message is not None:
        status = f"{status}: {attempt.error_message}"
    number = str(attempt.attempt)
    return number, _moment(attempt.started_at), ended, took, attempt.version, status


def _settings(settings: RecordedSettings) -> Rows:
    shown = [name for name in settings.__struct_fields__ if name not in ("tables", "limits")]
    given = [(name, getattr(settings, name)) for name in shown]
    rows = [
        (name.replace("_", " "), _in_words(value)) for name, value in given if value is not None
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


def _moment(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
