"""What survives a crash, record by record. A store keeps them: see `store`."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from dynaferry.limits import SCAN_MAX_TOTAL_SEGMENTS
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.plan.schedule import Units

SCHEMA_VERSION = 1

MOST_EPOCH_SECONDS: Final = 253_402_300_799  # the end of the year 9999: no date lies beyond

# What is read from a file is held against these.
Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0, le=1e18)]
EpochSeconds = Annotated[float, Meta(ge=0, le=MOST_EPOCH_SECONDS)]

RunStatus = Literal["running", "complete", "rejected", "interrupted", "failed"]


class TableIdentity(Struct, frozen=True, kw_only=True):
    """What makes a table's part of a run this one and no other (invariant 7).

    The table ids are the service's own (None where it gives none): a table that was dropped and
    created again under its old name has another. Where there is none the time of its creation
    tells, in seconds since the epoch; None in the files of earlier versions as well, which named
    only the endpoints that a plan named. `left_at` is since when the run's plan does not name it.
    """

    source_arn: str
    source_table_id: str | None
    source_endpoint: str
    target_arn: str
    target_table_id: str | None
    target_endpoint: str
    total_segments: Annotated[int, Meta(ge=1, le=SCAN_MAX_TOTAL_SEGMENTS)]
    filter: str | None = None
    source_created_at: EpochSeconds | None = None
    target_created_at: EpochSeconds | None = None
    left_at: EpochSeconds | None = None


class RunIdentity(Struct, frozen=True, kw_only=True):
    """The identity of a run: its tables, each at its number for good, those that left included.

    `move` is the random id that its spools carry as well, where it is a move: what changed since
    its scan began is captured. None where it is a copy.
    """

    tables: Annotated[tuple[TableIdentity, ...], Meta(min_length=1)]
    schema_version: int = SCHEMA_VERSION
    move: str | None = None


class SegmentRecord(Struct, frozen=True, kw_only=True):
    """How far one segment is acknowledged.

    Everything in `pages` pages, up to and with `last_evaluated_key`, is written or durably in
    the dead letters; the counts are of exactly those pages, so that they stay true after a crash.
    """

    segment: Count
    pages: Count
    last_evaluated_key: bytes | None
    complete: bool
    items_read: Count
    items_written: Count
    items_rejected: Count
    items_filtered: Count
    bytes_read: Count


class ThrottleCount(Struct, frozen=True, kw_only=True):
    """How often an operation was throttled for a reason, "" where the service gave none."""

    operation: str
    reason: str
    times: Count


class TableCounters(Struct, frozen=True, kw_only=True):
    """What a table cost over all attempts so far. After a kill, up to a second of it is missing.

    `dollars` is what the units cost at the prices that the plan gave. `throttles` counts reasons:
    a request may have several, and one that was partly refused has the reason "" too.
    `bottleneck` is the resource that held the writes back last, in people's words, where the
    service named one; `throttled_at` is when a write was last throttled, named or not.
    """

    read_units: Amount = 0.0
    write_units: Amount = 0.0
    throttled_requests: Count = 0
    retried_requests: Count = 0
    unprocessed_items: Count = 0
    dollars: Amount = 0.0
    throttles: tuple[ThrottleCount, ...] = ()
    bottleneck: str | None = None
    throttled_at: EpochSeconds | None = None


class TableTotals(Struct, frozen=True, kw_only=True):
    """The sums of a table's segment records."""

    segments_complete: Count = 0
    items_read: Count = 0
    items_written: Count = 0
    items_rejected: Count = 0
    items_filtered: Count = 0
    bytes_read: Count = 0


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An item that the target refused, and why.

    `table` is the table's index in the plan, `key` and `item` are wire form (JSON), `time` is
    seconds since the epoch. `page` is the number of the page in its segment: letters of a page
    beyond the watermark are dropped on resume, since that page is read again.
    """

    table: Count
    segment: Count
    page: Count
    key: bytes
    item: bytes
    error_code: str
    error_message: str
    time: EpochSeconds


class LetterCount(Struct, frozen=True, kw_only=True):
    """How many dead letters of a table have this reason."""

    error_code: str
    error_message: str
    items: Count


class Sample(Struct, frozen=True, kw_only=True):
    """A table's totals at one moment of one attempt, for rates and the report.

    The limits are the units a second that were allowed then; None where nothing limited.
    """

    table: Count
    time: EpochSeconds
    items_written: Count
    bytes_read: Count
    read_units: Amount
    write_units: Amount
    throttled_requests: Count
    read_limit_units: Amount | None = None
    write_limit_units: Amount | None = None


# All tables together have a progress as well, the one with this number.
TOTAL_PROGRESS: Final = -1


class ProgressRecord(Struct, frozen=True, kw_only=True):
    """The progress of a table, or of the total, as it was last shown, at this time.

    The ETA is in seconds from then on; None stands for what was not known.
    """

    table: Annotated[int, Meta(ge=TOTAL_PROGRESS)]
    time: EpochSeconds
    items_done: Count
    expected_items: Count | None
    progress_ratio: Annotated[float, Meta(ge=0, le=1)]
    eta_seconds: Amount | None


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One attempt at a run; attempts are counted from 1.

    One that ended without a word, killed or crashed, is still `running` in the file.
    """

    attempt: Count
    version: str
    started_at: EpochSeconds
    ended_at: EpochSeconds | None
    status: RunStatus
    error_message: str | None


class TableAttempt(Struct, frozen=True, kw_only=True):
    """How the table number `table` fared in one attempt, whether or not others went on.

    It is `running` without an end while it is copied; a table that waits has none. The error is
    what ended this table alone.
    """

    attempt: Count
    table: Count
    status: RunStatus
    started_at: EpochSeconds
    ended_at: EpochSeconds | None
    error_type: str | None = None
    error_message: str | None = None
    error_hint: str | None = None


class RunRecord(Struct, frozen=True, kw_only=True):
    """A run as its state file tells it. Times are seconds since the epoch.

    `checkpointed_at` is the time of the last checkpoint of any table, in whichever attempt.
    """

    run: str
    identity: RunIdentity
    settings: RecordedSettings
    version: str
    status: RunStatus
    attempts: Count
    created_at: EpochSeconds
    started_at: EpochSeconds
    ended_at: EpochSeconds | None
    error_type: str | None = None
    error_message: str | None = None
    error_hint: str | None = None
    checkpointed_at: EpochSeconds | None = None


class TableControls(Struct, frozen=True, kw_only=True):
    """What people asked of one table, or of a whole run; it holds until they ask otherwise.

    `paused_at` is None while it is not paused. A cap is in units a second, "none" where it was
    lifted, None where nothing was set. `changed_at` is when anything was asked last.
    """

    paused_at: EpochSeconds | None = None
    max_read_units: Units | None = None
    max_write_units: Units | None = None
    changed_at: EpochSeconds | None = None


class Controls(TableControls, frozen=True, kw_only=True):
    """What people asked of a run while it was under way, and of its tables by their target's name.

    What was asked of a table holds beside what was asked of the run.
    """

    tables: dict[str, TableControls] = {}


class ControlsChange(Struct, frozen=True, kw_only=True):
    """What is asked for now; None leaves as it is, "plan" takes back what was set.

    `table` is the name of a target where it is asked of that table alone.
    """

    paused: bool | None = None
    max_read_units: Units | Literal["plan"] | None = None
    max_write_units: Units | Literal["plan"] | None = None
    table: str | None = None


def changed(controls: Controls, change: ControlsChange, now: float) -> Controls:
    """The controls after the change. What is paused again is paused since the first time."""
    if change.table is None:
        return replace(controls, **_changed(controls, change, now))
    before = controls.tables.get(change.table, TableControls())
    after = replace(before, **_changed(before, change, now))
    return replace(controls, tables=controls.tables | {change.table: after})


def _changed(controls: TableControls, change: ControlsChange, now: float) -> dict[str, Any]:
    paused_at = controls.paused_at
    if change.paused is not None:
        paused_at = (paused_at or now) if change.paused else None
    return {
        "paused_at": paused_at,
        "max_read_units": _changed_cap(controls.max_read_units, change.max_read_units),
        "max_write_units": _changed_cap(controls.max_write_units, change.max_write_units),
        "changed_at": now,
    }


def _changed_cap(before: Units | None, change: Units | Literal["plan"] | None) -> Units | None:
    if change is None:
        return before
    return None if change == "plan" else change
