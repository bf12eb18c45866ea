"""What an open page is told of what happened to a run, and of what it leaves to do. Pure."""

from collections.abc import Sequence
from typing import Final

from dynaferry.observe.events import EventKind, RunEvent, line_of, shown
from dynaferry.observe.summary import NextStep, RunSummary
from dynaferry.web.news import EventNews, StepNews

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
            index, round(event.time, 1), line_of(event)[:_MOST_CHARACTERS], _mark(event)
        )
        for index, event in enumerate(lines[first:], first)
    }


def _mark(event: RunEvent) -> str | None:
    """The charts are of the whole run: what was asked of one table is not marked on them."""
    return _MARKS.get(event.kind) if event.source is None else None


def steps_of(
    summary: RunSummary | None, *, shows_commands: bool
) -> dict[tuple[int, int], StepNews]:
    """The next steps of a run that has ended, each with its commands behind its text.

    What was typed on this machine is shown only where `shows_commands` is said.
    """
    steps = () if summary is None else summary.next_steps
    return {
        (number, position): StepNews(number, position, words)
        for number, step in enumerate(steps)
        for position, words in enumerate((step.text, *_commands(step, shows_commands)))
    }


def _commands(step: NextStep, shows_commands: bool) -> tuple[str, ...]:
    """Calls of the service name tables and Regions, and nothing else."""
    return tuple(each for each in step.commands if shows_commands or each.startswith("aws "))
