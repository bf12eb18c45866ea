"""The three seams between one worker and the rest of a run, as messages.

A copy in one process needs none of this: its ledger, its store and its paces stand side by side.
Where an existing distributed engine runs the workers, in several processes or on several
machines, a worker is a `Pipeline` of its own, with its own connections and credentials, and
exactly three questions cross the line:

1. which segments next: `SegmentSource.next_grant` gives a `SegmentGrant`, from which the worker
   makes its `Ledger`;
2. what is acknowledged: the worker's store turns each checkpoint into an `Acknowledgement` for
   `AcknowledgementSink.acknowledged`, and only what that call has returned from is durable
   (invariant 1 holds across the line, since a grant goes on from nothing else);
3. how fast may I go: `RateSource.share` gives a `RateShare` for a while, in return for a
   `RateDemand` that says what was used of the last one and how it went.

The messages are small (a checkpoint holds only the segments that moved), typed and encodable by
msgspec, carry no secret and no item, and may be sent again: a grant is for one worker until it
lapses, an acknowledgement replaces the earlier ones of its segments, a share replaces the share
before. Nothing on the path is global or bound to one process, so any number of workers may live
in one.
"""

from typing import Protocol

from msgspec import Struct

from dynaferry.state.records import (
    SegmentRecord,
    TableCounters,
)


class SegmentGrant(Struct, frozen=True, kw_only=True):
    """Segments of one table that one worker, and nobody else, copies for `lease_seconds`.

    Each goes on from its record. A worker reports well before the lease ends, which renews it; one
    that could not stops writing then, since another may have been handed the same.
    """

    table: int
    total_segments: int
    segments: tuple[SegmentRecord, ...]
    lease_seconds: float


class Acknowledgement(Struct, frozen=True, kw_only=True):
    """What a worker has made durable: the records that moved, and its counters so far."""

    worker: str
    table: int
    records: tuple[SegmentRecord, ...]
    counters: TableCounters


class RateDemand(Struct, frozen=True, kw_only=True):
    """What a worker used of its share of one side, and what it would use.

    `throttled_requests` are those since the last demand; `index` names the index that was short.
    """

    worker: str
    table: int
    side: str
    units_per_second: float
    wanted_units_per_second: float
    throttled_requests: int = 0
    index: str | None = None


class RateShare(Struct, frozen=True, kw_only=True):
    """How fast a worker may go on one side; None is no cap.

    Good for `seconds`: a worker that hears nothing more goes on at half of it, so that a
    coordinator that is gone neither stops a run nor lets it exceed its caps.
    """

    units_per_second: float | None
    seconds: float


class SegmentSource(Protocol):
    """Hands out segments, each to one worker at a time."""

    async def next_grant(self, worker: str) -> SegmentGrant | None:
        """The next segments for this worker; None where nothing is left for it to do."""
        ...


class AcknowledgementSink(Protocol):
    """Keeps what workers have acknowledged."""

    async def acknowledged(self, acknowledgement: Acknowledgement) -> None:
        """Returns when it is durable.

        :raises StateWriteError: it is not, and the worker must stop
        """
        ...


class RateSource(Protocol):
    """Divides each side's rate among the workers."""

    async def share(self, demand: RateDemand) -> RateShare:
        """The worker's share from now on."""
        ...
