"""The records of a verification, as they are stored.

A verification is of a moment: one that has ended is never gone on with, and the next one takes its
place. What an unfinished one has done is kept segment by segment.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from dynaferry.state.records import (
    Amount,
    Count,
    EpochSeconds,
    RunIdentity,
)

VerificationStatus = Literal["running", "equal", "different", "undecided", "interrupted", "failed"]
DifferenceKind = Literal["missing", "extra", "different", "rejected", "in_flux"]

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]

ENDED: frozenset[VerificationStatus] = frozenset({"equal", "different", "undecided"})


class Verification(Struct, frozen=True, kw_only=True):
    """A verification as its state file has it. Times are seconds since the epoch.

    `sample_percent` of the segments are compared, chosen by `seed`; all where it is None.
    """

    run: str
    identity: RunIdentity
    sample_percent: Annotated[float, Meta(gt=0, le=100)] | None
    seed: int
    version: str
    status: VerificationStatus
    attempts: Count
    created_at: EpochSeconds
    started_at: EpochSeconds
    ended_at: EpochSeconds | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_hint: str | None = None


class ComparedSegment(Struct, frozen=True, kw_only=True):
    """The result of comparing one segment of both tables.

    `matching` are the items of the source that were found equal on the target by then, and
    `settled_by_key` the keys that the scans left open and a read of both sides settled. The digests
    are sums over the segment's items as the scans showed them, 32 hexadecimal digits each.
    `compared_at` is when it was done, None in a file of an older dynaferry; `consistent_read` says
    that both scans read consistently.
    """

    segment: Count
    source_items: Count
    target_items: Count
    matching: Count
    source_digest: Digest
    target_digest: Digest
    settled_by_key: Count = 0
    compared_at: EpochSeconds | None = None
    consistent_read: bool = False


class Suspect(Struct, frozen=True):
    """An item that differed when both sides were first asked for it, still to be asked for again.

    `in_source` says that the scan of the source has shown it. The digests are of what was there,
    None where nothing was.
    """

    segment: Count
    key: bytes
    in_source: bool
    source_digest: bytes | None
    target_digest: bytes | None
    seen_at: EpochSeconds


class Difference(Struct, frozen=True, kw_only=True):
    """An item that differs, or of which that could not be decided (`in_flux`).

    `attributes` are the names of those that differ, where both sides have the item; values are
    never kept. `target_digest` is of what was seen on the target, None where nothing was.
    """

    key: bytes
    kind: DifferenceKind
    attributes: tuple[str, ...] = ()
    target_digest: bytes | None = None


class ComparisonTotals(Struct, frozen=True, kw_only=True):
    """The sums of what is stored of one table. Repaired differences are not counted by kind.

    `settled_by_key` are the keys that the scans left open and reads of both sides settled, as equal
    or gone. `overwritten` items of the target were newer than what a repair had seen, and are kept;
    of `unseen` ones it is not known what the repair replaced. Neither counts as written or deleted.
    `consistent_read` says that every segment was scanned so on both sides.
    """

    segments_compared: Count = 0
    source_items: Count = 0
    target_items: Count = 0
    matching: Count = 0
    missing: Count = 0
    extra: Count = 0
    different: Count = 0
    rejected: Count = 0
    in_flux: Count = 0
    unconfirmed: Count = 0
    written: Count = 0
    deleted: Count = 0
    agreed: Count = 0
    overwritten: Count = 0
    unseen: Count = 0
    settled_by_key: Count = 0
    oldest_at: EpochSeconds | None = None
    consistent_read: bool = False


class ComparisonCounters(Struct, frozen=True, kw_only=True):
    """The cost of a table over all attempts, on both sides. Units are capacity units."""

    read_units: Amount = 0.0
    write_units: Amount = 0.0
    throttled_requests: Count = 0
    retried_requests: Count = 0
