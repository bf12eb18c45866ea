"""The summary of a run as `--json` prints it: names and values are a contract with scripts."""

from typing import Literal

from msgspec import Struct

VerifyStatus = Literal["equal", "different", "undecided", "interrupted", "failed", "refused"]
RunStatus = Literal["complete", "rejected", "interrupted", "failed", "refused"]


class ErrorSummary(Struct, frozen=True, kw_only=True):
    """The error that ended a run: its class, what happened, and what to do now."""

    type: str
    message: str
    hint: str | None


class TableSummary(Struct, frozen=True, kw_only=True):
    """The summary of one table.

    Counts are for the whole run, earlier attempts included, and cover what is acknowledged and
    checkpointed: `items_read = items_written + items_rejected + items_filtered` (invariant 2).
    `seconds` and `items_per_second` are for this attempt, `total_seconds` are those of all attempts
    together. Units are capacity units. The ARNs are None where the tables were not seen. `error` is
    what ended this table, be it that others went on.
    """

    source: str
    target: str
    status: RunStatus
    items_read: int = 0
    items_written: int = 0
    items_rejected: int = 0
    items_filtered: int = 0
    bytes_read: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    throttled_requests: int = 0
    retried_requests: int = 0
    unprocessed_items: int = 0
    segments_total: int = 0
    segments_complete: int = 0
    seconds: float = 0.0
    items_per_second: float = 0.0
    source_arn: str | None = None
    target_arn: str | None = None
    total_seconds: float = 0.0
    error: ErrorSummary | None = None


class NextStep(Struct, frozen=True, kw_only=True):
    """One thing that a run leaves to do: `step` is its kind, `text` says it to people.

    `tables` are those that it concerns; `commands` do it, each as it is typed in a shell.
    """

    step: str
    text: str
    tables: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class RunSummary(Struct, frozen=True, kw_only=True):
    """The summary of a run: the document that `--json` prints.

    `started_at` is when its first attempt began, `ended_at` when the last one ended, in UTC;
    `total_seconds` are those of all `attempts` together, 0 where that is not known.
    """

    run: str | None
    status: RunStatus
    error: ErrorSummary | None
    tables: tuple[TableSummary, ...]
    started_at: str | None = None
    ended_at: str | None = None
    attempts: int = 0
    total_seconds: float = 0.0
    next_steps: tuple[NextStep, ...] = ()


class ReplaySummary(Struct, frozen=True, kw_only=True):
    """The summary of a replay: what `dead-letters replay --json` prints.

    `status` is the replay's: complete when no letter is left. `run_status` is the run's, None
    where that could not be read. `written` and `refused` are this replay's, `left` and the tables'
    counts the run's.
    """

    run: str | None
    status: RunStatus
    run_status: str | None
    error: ErrorSummary | None
    written: int = 0
    refused: int = 0
    left: int = 0
    tables: tuple[TableSummary, ...] = ()
