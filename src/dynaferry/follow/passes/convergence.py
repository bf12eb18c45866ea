"""When passes have converged, how long to rest between them, and how long an outage would be. Pure.

The outage is told as it was measured: the time in which the newest pass read both tables, and the
time that writing takes of as many keys as will differ by now. What changes is known by what each
pass has found since the one before; what a write takes, by the pass that wrote the most.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dynaferry.observe import formatting
from dynaferry.state.move_records import PassRecord, TablePass

# Fewer than these are few, whatever the table: they are written in a second.
FEW_KEYS: Final = 100
FEW_SHARE: Final = 0.001
# A pass that finds more than this of what the one before has found shrinks no more.
SHRINKS_TO: Final = 0.8
# A rest costs what changes meanwhile, a pass costs reads of production: so it reads a fifth of the
# time at most.
REST_TIMES: Final = 4.0
LEAST_REST_SECONDS: Final = 30.0
MOST_REST_SECONDS: Final = 1_800.0
# Between the two reads that confirm a difference. Nothing moves in the last pass.
SETTLE_SECONDS: Final = 5.0
LAST_SETTLE_SECONDS: Final = 1.0
# The keys that changed of late are watched for so long, before the last pass and behind it.
WATCH_SECONDS: Final = 2.0
# What is reckoned with until a pass has repaired enough to tell.
REPAIR_SECONDS_A_KEY: Final = 1 / 300
ENOUGH_REPAIRED: Final = 20
LEAST_REPAIR_SECONDS_A_KEY: Final = 1 / 2_000


class Outage(Struct, frozen=True, kw_only=True):
    """For how long nobody might write if it were switched now.

    `reading_seconds` of it are one pass of both tables, `writing_seconds` the repair of `keys`,
    `replication_seconds` the wait for what was written in other Regions.
    """

    reading_seconds: float
    writing_seconds: float
    keys: int
    replication_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.reading_seconds + self.writing_seconds + self.replication_seconds


def complete(passes: Sequence[PassRecord]) -> list[PassRecord]:
    """The passes that came to their end."""
    return [made for made in passes if made.is_complete]


def has_converged(passes: Sequence[PassRecord]) -> bool:
    """Whether another pass would find no fewer keys, or few enough are found."""
    done = complete(passes)
    if not done:
        return False
    found = done[-1].found
    if found <= max(FEW_KEYS, FEW_SHARE * done[-1].items):
        return True
    return len(done) > 1 and found > SHRINKS_TO * done[-2].found


def rest_seconds(made: PassRecord) -> float:
    """How long nothing is read behind a pass, once they have converged."""
    return min(max(REST_TIMES * made.seconds, LEAST_REST_SECONDS), MOST_REST_SECONDS)


def outage(passes: Sequence[PassRecord], now: float, copied_since: float) -> Outage | None:
    """The outage of a switch at `now`; None before a pass has come to its end.

    `copied_since` is when the copy began: what the first pass finds was changed since.
    """
    done = complete(passes)
    if not done:
        return None
    newest = done[-1]
    before = done[-2].began_at if len(done) > 1 else copied_since
    a_second = newest.found / max(newest.began_at - before, 1.0)
    keys = min(a_second * max(0.0, now - newest.began_at), max(newest.items, newest.found))
    reading = newest.opening_seconds + newest.reading_seconds
    return Outage(
        reading_seconds=reading + LAST_SETTLE_SECONDS + WATCH_SECONDS,
        writing_seconds=keys * _seconds_a_key(done),
        keys=round(keys),
    )


def _seconds_a_key(done: Sequence[PassRecord]) -> float:
    """What a key that differs takes: it is read once more on both sides, and written."""
    most = max(reversed(done), key=lambda made: made.repaired)
    if most.repaired < ENOUGH_REPAIRED:
        return REPAIR_SECONDS_A_KEY
    reading = max(most.settling_seconds - SETTLE_SECONDS, 0.0)
    return max((reading + most.repairing_seconds) / most.repaired, LEAST_REPAIR_SECONDS_A_KEY)


def lag_seconds(passes: Sequence[PassRecord], now: float) -> float | None:
    """What was written before so long is in the target, or changed since; None without a pass."""
    done = complete(passes)
    return max(0.0, now - done[-1].began_at) if done else None


def outage_line(told: Outage) -> str:
    """How long a switch would take, and how to make it shorter."""
    parts = f"one pass of both tables at these rates, {formatting.duration(told.reading_seconds)}"
    if told.writing_seconds >= 1:
        writing = formatting.duration(told.writing_seconds)
        parts += f", and about {told.keys:,} keys to write, {writing}"
    if told.replication_seconds:
        waits = formatting.duration(told.replication_seconds)
        parts += f", and {waits} for what other Regions may replicate"
    return (
        f"a switch now takes an outage of about {formatting.duration(told.seconds)}: {parts};"
        " warm both tables to make it shorter"
    )


def pass_lines(made: PassRecord) -> list[str]:
    """What a pass has found and how long it took: a line for each table."""
    which = "the last pass" if made.is_last else f"pass {made.number}"
    if made.error is not None:
        return [f"{which} did not come to its end: {made.error}"]
    if not made.is_complete:
        return [f"{which} was ended"]
    took = formatting.duration(made.seconds)
    if made.seconds >= 1:
        took += f" ({formatting.duration(made.reading_seconds)} of it reading)"
    return [f"{table.source}: {which}: {table_words(table)}; {took}" for table in made.tables]


def table_words(table: TablePass) -> str:
    """What a pass has found in one table."""
    if not table.found:
        return f"all of {table.items:,} items are equal"
    words = f"{table.found:,} of {table.items:,} items differed, {table.repaired:,} were repaired"
    if table.in_flux:
        words += f", {table.in_flux:,} changed while they were looked at"
    if table.refused or table.rejected:
        words += f", the target refuses {table.refused + table.rejected:,}"
    return words


def refusals(passes: Sequence[PassRecord]) -> tuple[str, ...]:
    """What the targets refused in the newest pass: no switch comes of it while that is so."""
    newest = complete(passes)[-1:]
    return tuple(
        f"{table.source}: the target refuses {table.refused + table.rejected:,} items as the source"
        " holds them"
        for made in newest
        for table in made.tables
        if table.refused or table.rejected
    )


def reasons_against_go(made: PassRecord, changed: int) -> tuple[str, ...]:
    """Why the tables are not equal behind the last pass; empty where they are.

    `changed` keys of the source, of those that were watched, are not what they were before it.
    """
    if made.error is not None:
        return (f"the last pass did not come to its end: {made.error}",)
    if not made.is_complete:
        return ("the last pass did not come to its end",)
    reasons = []
    moving = changed + sum(table.in_flux for table in made.tables)
    if moving:
        reasons.append(f"somebody writes still: {moving:,} items changed while all were compared")
    for table in made.tables:
        if table.refused or table.rejected:
            refused = table.refused + table.rejected
            reasons.append(f"{table.source}: the target refuses {refused:,} items")
        elif not (table.is_equal or moving):
            left = f"{table.left:,} items differ still" if table.left else "it is not certain"
            reasons.append(f"{table.source}: {left} (dynaferry verify says more)")
    return tuple(reasons)


def shown_by(made: PassRecord, watched: int, seconds: float) -> tuple[str, ...]:
    """What a go rests on."""
    shown = [
        f"all keys of both tables are equal ({made.items:,} items; {made.repaired:,} were put"
        f" right), {seconds:,.1f} s after it was asked for"
    ]
    if watched:
        shown.append(f"of {watched:,} keys that changed of late none has changed since")
    return tuple(shown)
