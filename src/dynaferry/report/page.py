"""The report as one HTML file: everything is in it, nothing is fetched, no script runs. Pure.

Whatever comes from a table, a service or a person is escaped where it enters the page: the
functions here take text and return markup.
"""

import math
import time
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from dynaferry._version import __version__
from dynaferry.observe import formatting
from dynaferry.observe.health import is_stalled
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.plan.schedule import Units
from dynaferry.report.certificate import StoredCertificate, circumstances, heading
from dynaferry.report.plot import PlotLine, plot
from dynaferry.report.rates import limits, rates
from dynaferry.report.stored_run import StoredRun, StoredTable
from dynaferry.shared.arn import resource_name
from dynaferry.shared.printable import printable
from dynaferry.state.store import AttemptRecord

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STATUS: Final = {
    "running": "running, or stopped without a word",
    "complete": "complete",
    "rejected": "complete, but the target rejected items",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
}


def render(run: StoredRun, certificate: StoredCertificate | None) -> str:
    """The whole file."""
    record = run.record
    body = "".join(
        (
            _head(run),
            _totals(run),
            "".join(_table(table, run.attempts) for table in run.tables),
            _attempts(run.attempts),
            _settings(record.settings),
            "" if certificate is None else _certificate(certificate, len(run.tables)),
            f'<p class="quiet">Written by dynaferry {__version__} on {_moment(run.now)}.</p>',
        )
    )
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(record.run)}: report</title><style>{style}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def _head(run: StoredRun) -> str:
    record, attempts = run.record, run.attempts
    first = attempts[0].started_at if attempts else record.created_at
    ended = "not yet" if record.ended_at is None else _moment(record.ended_at)
    error = ""
    if record.error_message is not None:
        hint = "" if record.error_hint is None else f" ({record.error_hint})"
        error = f'<p class="bad">{_text(record.error_message + hint)}</p>'
    return (
        f"<h1>{_text(record.run)}</h1><p>{_text(_state(run))}</p>{error}"
        f'<p class="quiet">begun {_moment(first)}, ended {ended}</p>'
    )


def _state(run: StoredRun) -> str:
    """How the run is. The file alone does not tell whether a process works on it."""
    record = run.record
    last_sign, is_paused = run.last_sign, run.controls.paused_at is not None
    if record.status == "running" and is_stalled(last_sign, run.now, paused=is_paused):
        since = formatting.duration(run.now - last_sign)
        return f"stalled, or stopped without a word: nothing was stored for {since}"
    return _STATUS[record.status]


def _totals(run: StoredRun) -> str:
    totals = [table.totals for table in run.tables]
    counters = [table.counters for table in run.tables]
    moments = [sample.time for table in run.tables for sample in table.samples]
    if run.record.checkpointed_at is not None:
        moments.append(run.record.checkpointed_at)
    seconds = seconds_at_work(run.attempts, moments)
    written = sum(total.items_written for total in totals)
    return _facts(
        (
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
    )


def seconds_at_work(attempts: Sequence[AttemptRecord], moments: Sequence[float]) -> float:
    """The time of all attempts; one that ended without a word is taken to its last sign of life.

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


def _table(table: StoredTable, attempts: Sequence[AttemptRecord]) -> str:
    identity, totals, counters = table.identity, table.totals, table.counters
    facts = _facts(
        (
            ("segments", f"{totals.segments_complete:,} of {identity.total_segments:,}"),
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
    )
    name = f"{resource_name(identity.source_arn)} → {resource_name(identity.target_arn)}"
    return (
        f'<section><h2>{_text(name)}</h2><p class="quiet">from {_text(identity.source_arn)}'
        f"<br>to {_text(identity.target_arn)}</p>{facts}"
        f"{_plots(table, attempts)}{_throttles(table)}{_reasons(table)}</section>"
    )


def _plots(table: StoredTable, attempts: Sequence[AttemptRecord]) -> str:
    samples = table.samples
    items = rates(samples, attempts, lambda sample: sample.items_written)
    writes = rates(samples, attempts, lambda sample: sample.write_units)
    reads = rates(samples, attempts, lambda sample: sample.read_units)
    throttles = rates(samples, attempts, lambda sample: sample.throttled_requests)
    write_limits = limits(samples, attempts, lambda sample: sample.write_limit_units)
    read_limits = limits(samples, attempts, lambda sample: sample.read_limit_units)
    pictures = (
        ("Items written a second", [PlotLine("items", items)]),
        (
            "Write units a second, and the limit (dashed)",
            [PlotLine("limit", write_limits), PlotLine("writes", writes)],
        ),
        (
            "Read units a second, and the limit (dashed)",
            [PlotLine("limit", read_limits), PlotLine("reads", reads)],
        ),
        ("Throttled requests a second", [PlotLine("throttles", throttles)]),
    )
    return "".join(f"<h3>{_text(title)}</h3>{plot(title, lines)}" for title, lines in pictures)


def _throttles(table: StoredTable) -> str:
    if not table.counters.throttles:
        return ""
    most_first = sorted(table.counters.throttles, key=lambda each: -each.times)
    rows = [
        (formatting.count(each.times), f"{each.operation}: {each.reason or 'no reason given'}")
        for each in most_first
    ]
    return "<h3>Throttles by the service's reason</h3>" + _rows(("times", "reason"), rows)


def _reasons(table: StoredTable) -> str:
    if not table.reasons:
        return ""
    rows = [
        (formatting.count(each.items), f"{each.error_code}: {each.error_message}")
        for each in table.reasons
    ]
    return "<h3>Rejected items by the target's reason</h3>" + _rows(("items", "reason"), rows)


# The run ---------------------------------------------------------------------------------------


def _attempts(attempts: Sequence[AttemptRecord]) -> str:
    rows = []
    for attempt in attempts:
        ended, took, status = "-", "-", _STATUS[attempt.status]
        if attempt.ended_at is not None:
            ended = _moment(attempt.ended_at)
            took = formatting.duration(attempt.ended_at - attempt.started_at)
        if attempt.error_message is not None:
            status = f"{status}: {attempt.error_message}"
        number = str(attempt.attempt)
        rows.append((number, _moment(attempt.started_at), ended, took, attempt.version, status))
    heading = ("", "started", "ended", "took", "version", "how it ended")
    return "<section><h2>Attempts</h2>" + _rows(heading, rows) + "</section>"


def _settings(settings: RecordedSettings) -> str:
    told = [name for name in settings.__struct_fields__ if name not in ("tables", "limits")]
    given = [(name, getattr(settings, name)) for name in told]
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
    return "<section><h2>Settings</h2>" + _rows(("setting", "value"), rows) + "</section>"


def _caps(reads: Units | None, writes: Units | None) -> str:
    caps = (("read", reads), ("write", writes))
    return ", ".join(f"{side} {_in_words(cap)} units/s" for side, cap in caps if cap is not None)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _certificate(certificate: StoredCertificate, tables_copied: int) -> str:
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
    return (
        f"<section><h2>{_text(heading(certificate, tables_copied))}</h2>"
        f'<p class="quiet">{_text(circumstances(certificate))}</p>{_rows(columns, rows)}</section>'
    )


# Markup ----------------------------------------------------------------------------------------


def _text(words: str) -> str:
    return escape(printable(words))


def _facts(pairs: Iterable[tuple[str, str]]) -> str:
    shown = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in pairs
    )
    return f'<dl class="facts">{shown}</dl>'


def _rows(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in heading)
    body = "".join(
        "<tr>" + "".join(f'<td class="words">{_text(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _moment(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
