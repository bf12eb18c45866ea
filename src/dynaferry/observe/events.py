"""The events of a run: what happened to it, when, and who asked for it. Pure.

`event_watch` finds what is new in the counters of a run under way. The state file keeps the events,
beside those that another process asks for; the live page and the report show them by `line_of`.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

EventKind = Literal[
    "started",
    "ended",
    "paused",
    "resumed",
    "set",
    "limits",
    "table-started",
    "table-ended",
    "throttled",
    "unthrottled",
    "rejected",
]

# What was asked holds within half a second; its effect is then nothing new.
_EFFECT_SECONDS: Final = 3.0
_ASKED: Final = frozenset({"paused", "resumed", "set"})


class RunEvent(Struct, frozen=True, kw_only=True):
    """What happened at `time`, in seconds since the epoch.

    `source` is the name of the source table where it is about one, `by` who asked for it. `detail`
    is in words for people: a state, a reason, the limits. Of `limits` all that hold from then on
    are here as well: the pause, and the caps in units a second, None where there is none. Those of
    a table are its own, and hold beside those of the run.
    """

    time: float
    kind: EventKind
    source: str | None = None
    by: str | None = None
    detail: str | None = None
    paused: bool = False
    read_cap_units: float | None = None
    write_cap_units: float | None = None


def line_of(event: RunEvent) -> str:
    """An event in words for people, without its time."""
    words = _WORDS[event.kind]
    by = f" by {event.by}" if event.by else ""
    detail = f": {event.detail}" if event.detail else ""
    if event.kind == "throttled":
        detail = f" by {event.detail}" if event.detail else ""
    if event.kind == "table-ended" and event.detail:
        words, detail = event.detail, ""
    name = f"{event.source}: " if event.source else ""
    return f"{name}{words}{by}{detail}"


_WORDS: Final[dict[EventKind, str]] = {
    "started": "started",
    "ended": "ended",
    "paused": "paused",
    "resumed": "resumed",
    "set": "limits set",
    "limits": "limits now",
    "table-started": "started",
    "table-ended": "ended",
    "throttled": "throttled",
    "unthrottled": "no longer throttled",
    "rejected": "the target rejected an item",
}


def shown(events: Sequence[RunEvent]) -> list[RunEvent]:
    """The events worth a line, in their order: the effect of what was asked a moment ago is not."""
    worth: list[RunEvent] = []
    asked_at = float("-inf")
    for event in events:
        if event.kind in _ASKED:
            asked_at = event.time
        elif event.kind == "limits" and event.time - asked_at <= _EFFECT_SECONDS:
            continue
        worth.append(event)
    return worth
