"""How a move stands, for people and for scripts: one value, from one look."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from dynaferry.follow.spool_records import SpoolCounts

MoveState = Literal["capturing", "copying", "replaying", "following", "re-syncing"]

# Where more comes in than goes out for so long, it is said that it will not catch up.
LOSING_SECONDS: Final = 60.0
# Fewer than this are on their way in any case.
LOSING_ROWS: Final = 1_000
READY_LAG_SECONDS: Final = 10.0


class MoveStatus(Struct, frozen=True, kw_only=True):
    """How one table of a move stands; a field a script reads keeps its name and unit.

    `lag_seconds`: what the stream showed before so long is in the target; None while it is copied.
    """

    source: str
    target: str
    state: MoveState
    direction: Literal["forward"] = "forward"
    lag_seconds: float | None
    oldest_waiting_seconds: float
    record_age_seconds: float | None
    changes_in_per_second: float
    changes_out_per_second: float
    spool_rows: int
    spool_bytes: int
    spool_read_again: int
    shards_open: int
    shards_waiting: int
    gaps: int
    doubts: int
    rejected: int
    ready: bool
    not_ready: tuple[str, ...]
    last_record_at: float | None
    will_catch_up: bool
    changes_captured: int
    changes_applied: int
    at: float


encode_status = msgspec.json.Encoder().encode
decode_status = msgspec.json.Decoder(MoveStatus).decode


def line_of(table: MoveStatus) -> str:
    """One line for people: `orders: following, 0.8 s behind (…)`."""
    rates = (
        f"{table.changes_in_per_second:,.0f} changes/s in, "
        f"{table.changes_out_per_second:,.0f} out; {table.spool_rows:,} waiting; "
        f"{table.shards_open:,} shards"
    )
    behind = "" if table.lag_seconds is None else f", {table.lag_seconds:,.1f} s behind"
    age = table.record_age_seconds
    newest = "" if age is None else f"; newest change was {age:,.1f} s old"
    return f"{table.source}: {table.state}{behind} ({rates}{newest})"


def reasons_against(
    *,
    state: MoveState,
    lag_seconds: float | None,
    childless: int,
    counts: SpoolCounts,
    trouble: str | None,
) -> tuple[str, ...]:
    """Why the application may not be switched over yet; empty where nothing speaks against it."""
    reasons: list[str] = []
    if state != "following":
        reasons.append(f"it is {state}")
    if lag_seconds is not None and lag_seconds > READY_LAG_SECONDS:
        reasons.append(f"the target is {lag_seconds:,.0f} s behind")
    if childless:
        reasons.append(f"{childless} shards have ended and show no children yet")
    if counts.open_gaps:
        reasons.append("records were lost, and not every key has been compared since")
    if counts.doubts:
        reasons.append(f"of {counts.doubts:,} writes nobody knows yet what became of them")
    if counts.letters:
        reasons.append(f"the target refuses {counts.letters:,} items as the source holds them")
    if trouble:
        reasons.append(trouble)
    return tuple(reasons)


def losing_line(table: MoveStatus) -> str:
    """Said once it is so: more comes in than goes out."""
    return (
        f"{table.source}: it will not catch up: in {table.changes_in_per_second:,.0f}/s, out "
        f"{table.changes_out_per_second:,.0f}/s; raise --max-write-units or the target's capacity,"
        " or lower what is written to the source"
    )


def catching_line(table: MoveStatus) -> str:
    """Said once it is so again."""
    return f"{table.source}: what waits grows no more"


class Rates:
    """Changes a second, in and out, over the last seconds, and whether what waits only grows.

    It is losing where, for a minute of applying, more has come in than gone out and at its end more
    waits than at its beginning.
    """

    def __init__(self, over_seconds: float = 10.0) -> None:
        self._over = over_seconds
        self._seen: list[tuple[float, int, int]] = []
        self._growing_since: float | None = None
        self._waited = 0
        self.is_losing = False

    def note(self, now: float, counts: SpoolCounts, *, applies: bool) -> tuple[float, float]:
        """Takes the totals at `now`, and whether anything is applied yet; returns the rates."""
        captured, applied = counts.captured, counts.applied + counts.compacted
        self._seen.append((now, captured, applied))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._over:
            self._seen.pop(0)
        then, captured_then, applied_then = self._seen[0]
        seconds = now - then
        if seconds <= 0:
            return 0.0, 0.0
        rate_in = (captured - captured_then) / seconds
        rate_out = (applied - applied_then) / seconds
        self._note_growth(now, counts.waiting, is_growing=applies and rate_in > rate_out)
        return rate_in, rate_out

    def _note_growth(self, now: float, waiting: int, *, is_growing: bool) -> None:
        if not is_growing or waiting < LOSING_ROWS:
            self._growing_since, self.is_losing = None, False
        elif self._growing_since is None:
            self._growing_since, self._waited = now, waiting
        elif now - self._growing_since >= LOSING_SECONDS:
            self.is_losing = waiting > self._waited


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
        state=min((table.state for table in tables), key=_ORDER.index),
        lag_seconds=None if None in lags else max(lag for lag in lags if lag is not None),
        oldest_waiting_seconds=max(table.oldest_waiting_seconds for table in tables),
        record_age_seconds=min(ages, default=None),
        last_record_at=max(last, default=None),
        ready=not against,
        not_ready=against,
        will_catch_up=all(table.will_catch_up for table in tables),
        at=min(table.at for table in tables),
        **{name: sum(getattr(table, name) for table in tables) for name in _SUMMED},
    )


_ORDER: Final[tuple[MoveState, ...]] = (
    "capturing",
    "copying",
    "replaying",
    "re-syncing",
    "following",
)
_SUMMED: Final = (
    "changes_in_per_second",
    "changes_out_per_second",
    "spool_rows",
    "spool_bytes",
    "spool_read_again",
    "shards_open",
    "shards_waiting",
    "gaps",
    "doubts",
    "rejected",
    "changes_captured",
    "changes_applied",
)
