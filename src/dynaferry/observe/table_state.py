"""The state of a table: as the counters have it, and the word for it that everybody is shown."""

from typing import Final, Literal, get_args

TableState = Literal["waiting", "running", "complete", "rejected", "interrupted", "failed"]
# These words mean the same on the terminal, on the page, in `status`, in `--json` and in metrics.
ShownState = Literal[
    "waiting", "running", "stalled", "paused", "complete", "rejected", "failed", "interrupted"
]
SHOWN_STATES: Final[tuple[ShownState, ...]] = get_args(ShownState)


def shown_state(state: TableState, *, paused: bool, stalled: bool) -> ShownState:
    """The word for a table in this state, of a run that is `paused` or `stalled` or neither."""
    if state != "running":
        return state
    if stalled:
        return "stalled"
    return "paused" if paused else "running"
