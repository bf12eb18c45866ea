"""What an update of the live page is made of. Field names are a contract with web/static.

What is sent for each table or each segment is an array, and its numbers are rounded to what people
see: a hundred tables may run at once.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from dynaferry.observe.history import Point
from dynaferry.observe.monitor import Phase
from dynaferry.observe.move_history import MovePoint
from dynaferry.observe.move_status import MoveState
from dynaferry.observe.summary import ErrorSummary, RunStatus
from dynaferry.web.switch import SwitchNews


class Side(Struct, frozen=True, kw_only=True):
    """The account and the Region of a side, None where they are not known or several."""

    account: str | None
    region: str | None


class Head(Struct, frozen=True, kw_only=True):
    """What does not change while the tables are the same. With it a page begins anew.

    `tables` has the source's and the target's name of each table and its number of segments, `arns`
    the two ARNs where there is but one table. `resume_command` resumes the run after it
    has stopped, `dead_letters_command` lists its rejected items; None where they are not shown.
    """

    settings: Sequence[tuple[str, str]]
    can_control: bool
    began_epoch: float
    source: Side
    target: Side
    arns: tuple[str, str] | None
    tables: list[tuple[str, str, int]]
    resume_command: str | None
    resume_note: str | None
    dead_letters_command: str | None


class TotalNews(Struct, frozen=True, kw_only=True):
    """All tables of the run together. Rates are of the last seconds; of a run that has ended, they
    are the mean over its last attempt. `states` counts tables by state. `ends_at` is in
    seconds since the epoch.
    """

    share_done: float
    items_done: int
    items_rejected: int
    items_per_second: float | None
    bytes_per_second: float | None
    read_units_per_second: float | None
    write_units_per_second: float | None
    throttled_share: float | None
    eta_seconds: int | None
    ends_at: float | None
    dollars: float
    unprocessed_items: int
    states: dict[str, int]
    limited_by: str | None


class TableRow(Struct, frozen=True, array_like=True):
    """The row of one table; `words` says what limits it, or why it ended.

    `paused` and the caps, in units a second, are its own, beside those of its run.
    """

    index: int
    state: str
    share_done: float
    items_done: int
    items_rejected: int
    items_per_second: float | None
    eta_seconds: int | None
    throttled_share: float | None
    segments_complete: int
    words: str | None
    paused: bool
    read_cap: float | None
    write_cap: float | None


class SegmentNews(Struct, frozen=True, array_like=True):
    """One segment: `filled` is its share that is read, in steps of 0.05, and 1 where it is done.

    `seconds` is how long it took, None if an earlier attempt did it; of one that is under way,
    when it began, in seconds since the run was begun.
    """

    table: int
    segment: int
    filled: float
    seconds: float | None


class EventNews(Struct, frozen=True, array_like=True):
    """What happened at `time`, in seconds since the epoch; `words` are for people.

    `mark` is a word for the charts, of what somebody asked of the run; None for what is not.
    """

    index: int
    time: float
    words: str
    mark: str | None = None


class StepNews(Struct, frozen=True, array_like=True):
    """A part of a next step: its text, or one of its commands, which stand behind the text."""

    step: int
    position: int
    words: str


class Reason(Struct, frozen=True, array_like=True):
    """How often requests were throttled, or items rejected, for a reason."""

    kind: Literal["throttled", "rejected"]
    operation: str
    reason: str
    times: int


class MoveNews(Struct, frozen=True, kw_only=True):
    """How one table of a move stands; `line` and `losing` are for people, as the terminal says it;
    `late` is said of late writes.

    Changes are of the last seconds, each second.
    """

    index: int
    line: str
    losing: str | None
    state: MoveState
    lag: float | None
    changes_in: float
    changes_out: float
    rows: int
    bytes: int
    read_again: int
    shards_open: int
    shards_waiting: int
    gaps: int
    doubts: int
    rejected: int
    late_writes: int
    late: str | None


class LatencyView(Struct, frozen=True, kw_only=True):
    """The latency of an operation's requests in the last minute; percentiles in seconds."""

    operation: str
    requests: int
    p50: float | None
    p95: float | None
    p99: float | None


class FeedUpdate(Struct, frozen=True, kw_only=True):
    """The update of a run at one moment. Lists hold what was not sent yet, as far as there is room.

    `limits_in_words` says its pause and its caps for people. `more` is said of the last update but
    for those that follow at once. `switch` is None where it is what it was in the update before.
    """

    run: str
    phase: Phase
    more: bool
    paused: bool
    limits_in_words: str | None
    read_cap: float | None
    write_cap: float | None
    status: RunStatus | None
    error: ErrorSummary | None
    healthy: bool
    health: str
    seconds: float
    total: TotalNews
    rows: list[TableRow]
    segments: list[SegmentNews]
    points: list[Point]
    move: list[MoveNews]
    move_points: list[MovePoint]
    reasons: list[Reason]
    events: list[EventNews]
    next_steps: list[StepNews]
    latency: list[LatencyView]
    switch: SwitchNews | None = None
    head: Head | None = None
