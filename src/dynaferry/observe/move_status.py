"""How a move stands, for people and for scripts: one value for each table, from one look."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

MoveState = Literal[
    "capturing",
    "copying",
    "replaying",
    "following",
    "re-syncing",
    "switched",
    "going-back",
    "returned",
]

# From the least to the most that is done.
MOVE_STATES: Final[tuple[MoveState, ...]] = (
    "capturing",
    "copying",
    "replaying",
    "re-syncing",
    "following",
    "switched",
    "going-back",
    "returned",
)
_NOT_APPLYING: Final = ("capturing", "copying", "switched", "going-back", "returned")
NOBODY_FOLLOWS: Final = "no process follows it: the same move command resumes it"


class PassesStatus(Struct, frozen=True, kw_only=True):
    """How the passes of a move without a stream stand, all of its tables together.

    So many are `done`. The newest of them has `found` so many items that differed, in `seconds`.
    `compared` is how much of the one under way is compared, of 1; None while none is. `next_at` is
    when another one begins, in seconds since the epoch. `outage_seconds` is for how long nobody
    might write if it were switched now; None before a pass has come to its end.
    """

    done: int
    compared: float | None = None
    found: int | None = None
    seconds: float | None = None
    next_at: float | None = None
    outage_seconds: float | None = None


class MoveStatus(Struct, frozen=True, kw_only=True):
    """How one table of a move stands; a field a script reads keeps its name and unit.

    `lag_seconds`: what the stream showed before so long is in the target; None while it is copied.
    `position_age_seconds`: what it showed before so long is in the spool; a stream keeps 24 hours.
    `capture_silent_seconds` is since the shard was polled that was not polled for the longest.
    `limited_by` is what holds the writes back, in words for people, `remedy` what to do about it.
    `late_writes` are keys that were written after the switch to the side that was left, the source
    or behind a way back the target, `expired_after_switch`
    deletes of what had expired, which are none; 0 before there is one.
    `is_running` is whether a process moves it now; without one the ages go on from what it said
    last, and the rates are 0. `error` is what ended the last one, where it was an error.
    """

    source: str
    target: str
    state: MoveState
    direction: Literal["forward"] = "forward"
    is_running: bool = True
    paused: bool = False
    lag_seconds: float | None
    position_age_seconds: float = 0.0
    capture_silent_seconds: float = 0.0
    oldest_waiting_seconds: float
    record_age_seconds: float | None
    changes_in_per_second: float
    changes_out_per_second: float
    spool_rows: int
    spool_bytes: int
    spool_read_again: int
    shards_open: int
    shards_waiting: int
    shards_childless: int = 0
    gaps: int
    gaps_ever: int = 0
    doubts: int
    rejected: int
    late_writes: int = 0
    expired_after_switch: int = 0
    ready: bool
    not_ready: tuple[str, ...]
    last_record_at: float | None
    will_catch_up: bool
    limited_by: str | None = None
    remedy: str | None = None
    trouble: str | None = None
    error: str | None = None
    changes_captured: int
    changes_applied: int
    changes_compacted: int = 0
    changes_rejected: int = 0
    passes: PassesStatus | None = None
    at: float

    @property
    def changes_out(self) -> int:
        """Changes that wait no more: applied, replaced by a newer one of their key, or refused."""
        return self.changes_applied + self.changes_compacted + self.changes_rejected

    @property
    def is_applying(self) -> bool:
        """Whether what waits is to be applied by now."""
        return self.state not in _NOT_APPLYING


encode_status = msgspec.json.Encoder().encode
decode_status = msgspec.json.Decoder(MoveStatus).decode


def left_alone(table: MoveStatus, now: float) -> MoveStatus:
    """How a table stands whose process said this last and is gone: it falls behind ever more."""
    since, last = max(0.0, now - table.at), table.last_record_at
    return replace(
        table,
        is_running=False,
        lag_seconds=None if table.lag_seconds is None else round(table.lag_seconds + since, 3),
        position_age_seconds=round(table.position_age_seconds + since, 3),
        capture_silent_seconds=round(table.capture_silent_seconds + since, 3),
        oldest_waiting_seconds=round(table.oldest_waiting_seconds + since, 3)
        if table.spool_rows
        else 0.0,
        record_age_seconds=None if last is None else round(max(0.0, now - last), 3),
        changes_in_per_second=0.0,
        changes_out_per_second=0.0,
        ready=False,
        not_ready=(NOBODY_FOLLOWS, *table.not_ready),
        will_catch_up=True,
        limited_by=None,
        remedy=None,
    )


def overall(tables: Sequence[MoveStatus]) -> MoveStatus:
    """A move of several tables as one: sums, and of the rest what is worst."""
    if len(tables) == 1:
        return tables[0]
    lags = [table.lag_seconds for table in tables]
    ages = [table.record_age_seconds for table in tables if table.record_age_seconds is not None]
    last = [table.last_record_at for table in tables if table.last_record_at is not None]
    against = tuple(f"{table.source}: {why}" for table in tables for why in table.not_ready)
    return MoveStatus(
        source=", ".join(table.source for table in tables),
        target=", ".join(table.target for table in tables),
        state=min((table.state for table in tables), key=MOVE_STATES.index),
        is_running=all(table.is_running for table in tables),
        paused=any(table.paused for table in tables),
        lag_seconds=None if None in lags else max(lag for lag in lags if lag is not None),
        position_age_seconds=max(table.position_age_seconds for table in tables),
        capture_silent_seconds=max(table.capture_silent_seconds for table in tables),
        oldest_waiting_seconds=max(table.oldest_waiting_seconds for table in tables),
        record_age_seconds=min(ages, default=None),
        last_record_at=max(last, default=None),
        ready=not against,
        not_ready=against,
        will_catch_up=all(table.will_catch_up for table in tables),
        passes=tables[0].passes,
        at=min(table.at for table in tables),
        **{name: _first(tables, name) for name in _FIRST},
        **{name: sum(getattr(table, name) for table in tables) for name in _SUMMED},
    )


def _first(tables: Sequence[MoveStatus], name: str) -> Any:
    """Of the tables that it is said of, the first one's words, a table that loses before others."""
    losing_first = sorted(tables, key=lambda table: table.will_catch_up)
    said = ((table, getattr(table, name)) for table in losing_first)
    return next((f"{table.source}: {words}" for table, words in said if words is not None), None)


_FIRST: Final = ("limited_by", "remedy", "trouble", "error")
_SUMMED: Final = (
    "changes_in_per_second",
    "changes_out_per_second",
    "spool_rows",
    "spool_bytes",
    "spool_read_again",
    "shards_open",
    "shards_waiting",
    "shards_childless",
    "gaps",
    "gaps_ever",
    "doubts",
    "rejected",
    "late_writes",
    "expired_after_switch",
    "changes_captured",
    "changes_applied",
    "changes_compacted",
    "changes_rejected",
)
