"""One table of a move as its spool keeps it: how it stands, and how it came to."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dynaferry.observe.move_history import MovePoint
from dynaferry.observe.move_status import MoveState, MoveStatus


class StoredGap(Struct, frozen=True):
    """A loss of records: when it was seen, why, and when every key had been compared since.

    Times are seconds since the epoch; None where that is still to come.
    """

    at: float
    why: str
    mended_at: float | None


class StoredMove(Struct, frozen=True, kw_only=True):
    """A table of a move.

    `states` are each with when it began; `samples` oldest first, their seconds since the epoch;
    `shards` counts those of the stream by how far they are read. Gaps are in order.
    """

    status: MoveStatus
    states: Sequence[tuple[float, MoveState]] = ()
    samples: Sequence[MovePoint] = ()
    shards: Mapping[str, int] = {}
    gaps: Sequence[StoredGap] = ()
