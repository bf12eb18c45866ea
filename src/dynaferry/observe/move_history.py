"""The history of a move: how far behind it was and what waited, over time. See `history`."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.observe.move_status import MoveStatus, overall


class MovePoint(Struct, frozen=True, array_like=True):
    """A move at one moment, all tables together: counts are totals since it was begun.

    `seconds` counts from when the process began; in a state file it is a moment since the epoch.
    `lag_seconds` is the highest since the point before; None while the tables are copied.
    """

    seconds: float
    lag_seconds: float | None
    captured: int
    out: int
    spool_rows: int
    spool_bytes: int


def move_point(tables: Sequence[MoveStatus], seconds: float) -> MovePoint:
    """The point of a move at this moment."""
    table = overall(tables)
    return MovePoint(
        seconds=seconds,
        lag_seconds=table.lag_seconds,
        captured=table.changes_captured,
        out=table.changes_out,
        spool_rows=table.spool_rows,
        spool_bytes=table.spool_bytes,
    )


def with_worst_lag(earlier: MovePoint, later: MovePoint) -> MovePoint:
    """The later of two points, with the higher lag: what is dropped hides no spike."""
    if earlier.lag_seconds is None:
        return later
    return replace(later, lag_seconds=max(earlier.lag_seconds, later.lag_seconds or 0.0))
