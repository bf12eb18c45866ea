"""How a move stands in words for people: its line, and what is said when it loses."""

from dynaferry.observe import formatting
from dynaferry.observe.move_status import NOBODY_FOLLOWS, MoveStatus, PassesStatus

LOWER = "lower what is written to the source"


def line_of(table: MoveStatus) -> str:
    """One line for people: `orders: following, 0.8 s behind (…)`."""
    if table.passes is not None:
        return _line_of_passes(table, table.passes)
    paused = ", paused" if table.paused else ""
    lag = table.lag_seconds
    behind = "" if lag is None else f", {_seconds(lag)} behind"
    age = table.record_age_seconds
    newest = "" if age is None else f"; newest change was {_seconds(age)} old"
    waiting = f"{table.spool_rows:,} waiting; {table.shards_open:,} shards"
    if table.late_writes:
        waiting = f"{waiting}; {table.late_writes:,} late writes"
    if table.rejected:
        waiting = f"{waiting}; {table.rejected:,} items refused"
    if not table.is_running:
        newest = "" if age is None else f"; newest change seen is {_seconds(age)} old"
        state = f"{table.state}{paused}{behind}, but {NOBODY_FOLLOWS}"
        return f"{table.source}: {state} ({waiting}{newest})"
    rates = (
        f"{table.changes_in_per_second:,.0f} changes/s in, {table.changes_out_per_second:,.0f} out"
    )
    return f"{table.source}: {table.state}{paused}{behind} ({rates}; {waiting}{newest})"


def _line_of_passes(table: MoveStatus, passes: PassesStatus) -> str:
    """`orders: following by passes, 2m 05s behind (pass 3 found 12 items in 41s; …)`."""
    parts = []
    if passes.found is not None:
        took = formatting.duration(passes.seconds)
        parts.append(f"pass {passes.done} found {passes.found:,} items in {took}")
    if passes.compared is not None:
        parts.append(f"the next is at {formatting.percent(passes.compared)}")
    elif passes.next_at is not None:
        parts.append(f"the next in {formatting.duration(max(0.0, passes.next_at - table.at))}")
    if passes.outage_seconds is not None and table.state != "switched":
        told = formatting.duration(passes.outage_seconds)
        parts.append(f"a switch takes an outage of about {told}")
    lag = table.lag_seconds
    behind = "" if lag is None else f", {_seconds(lag)} behind"
    gone = "" if table.is_running or table.state == "switched" else f", but {NOBODY_FOLLOWS}"
    paused = ", paused" if table.paused else ""
    more = f" ({'; '.join(parts)})" if parts else ""
    return f"{table.source}: {table.state} by passes{paused}{behind}{gone}{more}"


def ending_line(table: MoveStatus) -> str | None:
    """Said of a table that no process follows: the error that ended the last one; None without."""
    if table.is_running or table.error is None:
        return None
    return f"{table.source}: the last process ended by an error: {table.error}"


def losing_line(table: MoveStatus) -> str:
    """Said once it is so: more comes in than goes out, what limits it, and what to do."""
    limited = "" if table.limited_by is None else f"; limited by {table.limited_by}"
    return (
        f"{table.source}: it will not catch up: in {table.changes_in_per_second:,.0f}/s, out "
        f"{table.changes_out_per_second:,.0f}/s{limited}; "
        f"{table.remedy or 'raise --writers or the capacity of the target'}, or {LOWER}"
    )


def late_line(table: MoveStatus) -> str | None:
    """Said of the side that was left and is written all the same; None where it is not."""
    if not table.late_writes:
        return None
    keys = "1 key was" if table.late_writes == 1 else f"{table.late_writes:,} keys were"
    left = f"the source {table.source} behind the switch"
    if table.state == "returned":
        left = f"the target {table.target} behind the way back"
    return (
        f"LATE WRITES: {keys} written to {left}, and nothing applies that; dynaferry late-writes"
        " list says which"
    )


def catching_line(table: MoveStatus) -> str:
    """Said once it is so again."""
    return f"{table.source}: what waits grows no more"


def _seconds(seconds: float) -> str:
    """Tenths where they matter."""
    return f"{seconds:,.1f} s" if seconds < 120 else formatting.duration(seconds)
