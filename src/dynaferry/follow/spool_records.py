"""What a spool keeps: changes that wait, dead letters, and what it tells of itself."""

from collections.abc import Iterable

from msgspec import Struct

from dynaferry.ports import ChangeKind


class Waiting(Struct, frozen=True, gc=False):
    """The newest change of a key that is not applied yet.

    `arrival` tells it from a later one of the same key. `first_at` is when the oldest change of
    the key that is not applied arrived, in seconds since the epoch.
    """

    number: int
    digest: bytes
    key: bytes
    arrival: int
    first_at: float
    kind: ChangeKind
    image: bytes | None


# Changes without what they say: the arrival of each, by the number of its row.
Arrivals = dict[int, int]


def arrivals_of(changes: Iterable[Waiting]) -> Arrivals:
    """Which changes these are."""
    return {change.number: change.arrival for change in changes}


class Letter(Struct, frozen=True):
    """An item that the target refused, in wire form, why, and when (seconds since the epoch)."""

    item: bytes
    error_code: str
    error_message: str
    time: float


class SpoolCounts(Struct, frozen=True):
    """What a spool holds and has held: `captured = applied + compacted + waiting + rejected`.

    `compacted` changes were replaced by a newer one of their key while they waited or were on
    their way. `oldest_at` is when the oldest waiting change arrived, to within one request's time,
    and `doubts_due_at` when the youngest doubt can be settled.
    `late_writes` are keys that were written behind a switch, `expired` deletes of what had expired
    since, which are none.
    """

    captured: int
    compacted: int
    applied: int
    rejected: int
    waiting: int
    read_again: int
    oldest_at: float | None
    used_bytes: int
    doubts: int
    letters: int
    open_gaps: int
    gaps: int = 0
    late_writes: int = 0
    expired: int = 0
    doubts_due_at: float | None = None


class SpoolOrigin(Struct, frozen=True):
    """Whose changes a spool holds: of which move and which stream, when its capture began, and
    until when everything is captured that the stream showed.
    """

    id: str
    stream: str | None
    begun_at: float | None
    alive_at: float | None
