"""What an open page is told of what happened to a run. Pure."""

from collections.abc import Sequence
from typing import Final

from dynaferry.observe.events import EventKind, RunEvent, line_of, shown
from dynaferry.web.news import EventNews

# What is older is in the report.
_MOST_EVENTS: Final = 200
_MOST_CHARACTERS: Final = 300
_MARKS: Final[dict[EventKind, str]] = {
    "paused": "paused",
    "resumed": "resumed",
    "set": "limit",
    "limits": "limit",
}


def events_of(events: Sequence[RunEvent]) -> dict[int, EventNews]:
    """The newest events by their place in the list of all."""
    lines = shown(events)
    first = max(0, len(lines) - _MOST_EVENTS)
    return {
        index: EventNews(
            index, round(event.time, 1), line_of(event)[:_MOST_CHARACTERS], _MARKS.get(event.kind)
        )
        for index, event in enumerate(lines[first:], first)
    }
