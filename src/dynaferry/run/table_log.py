"""The log of one table: when it starts and ends, with its facts in the message and as fields."""

import logging

from dynaferry.observe.stats import TableStats
from dynaferry.shared.arn import resource_name

_log = logging.getLogger(__name__)


def log_segment(stats: TableStats, segment: int) -> None:
    """Logs that a segment is acknowledged to its end."""
    event = _table_event(stats, "segment-done") | {"segment": segment}
    _log.debug("%s: segment %d is done", event["table"], segment, extra=event)


def log_start(stats: TableStats) -> None:
    """Logs that a table is copied from here on."""
    event = _table_event(stats, "table-started") | {
        "segments_total": stats.segments_total,
        "segments_complete": stats.segments_complete,
        "items": stats.items_done,
        "expected_items": stats.expected_items,
    }
    facts = (event["table"], resource_name(stats.target), stats.segments_total)
    done = (stats.segments_complete, stats.items_done)
    text = "%s to %s: started, %d segments, of which %d are done, with %d items"
    _log.info(text, *facts, *done, extra=event)


def log_end(stats: TableStats) -> None:
    """Logs how the copy of a table ended."""
    seconds = round((stats.ended_at or 0.0) - (stats.started_at or 0.0), 3)
    event = _table_event(stats, "table-ended") | {
        "status": stats.state,
        "items": stats.items_done,
        "items_rejected": stats.items_rejected,
        "segments_complete": stats.segments_complete,
        "seconds": seconds,
    }
    text = "%s to %s: %s after %.1f s of this attempt, %d items are done"
    target = resource_name(stats.target)
    _log.info(text, event["table"], target, stats.state, seconds, stats.items_done, extra=event)


def log_failure(stats: TableStats) -> None:
    """Logs what ended a table, be it that others continue."""
    error = stats.error
    if error is None:
        return
    event = _table_event(stats, "table-failed")
    event |= {"error": error.type, "reason": error.message, "hint": error.hint}
    _log.info("%s failed: %s", event["table"], error.message, extra=event)


def _table_event(stats: TableStats, event: str) -> dict[str, object]:
    name = resource_name(stats.source)
    return {"event": event, "table": name, "source": stats.source, "target": stats.target}
