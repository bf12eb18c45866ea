"""What a verification keeps: the records.

A verification is of a moment: one that has ended is never gone on with, and the next one takes its
place. What an unfinished one has done is kept segment by segment.
"""

from typing import Literal

from msgspec import Struct

from dynaferry.state.store import RunIdentity

VerificationStatus = Literal["running", "equal", "different", "undecided", "interrupted", "failed"]
DifferenceKind = Literal["missing", "extra", "different", "rejected", "in_flux"]

ENDED: frozenset[VerificationStatus] = frozenset({"equal", "different", "undecided"})


class Verification(Struct, frozen=True, kw_only=True):
    """A verification as its state file tells it. Times are seconds since the epoch.

    `sample_percent` of the segments are compared, chosen by `seed`; all where it is None.
    """

    run: str
    identity: RunIdentity
    sample_percent: float | None
    seed: int
    version: str
    status: VerificationStatus
    attempts: int
    created_at: float
    started_at: float
    ended_at: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_hint: str | None = None


class ComparedSegment(Struct, frozen=True, kw_only=True):
    """What one segment of both tables came to.

    `matching` are the items of the source that were found equal on the target by then, and
    `settled_by_key` the keys that the scans left open and a look at both sides settled. The digests
    are sums over the segment's items as the scans showed them, 32 hexadecimal digits each.
    `compared_at` is when it was done, None in a file of an older dynaferry; `consistent_read` says
    that both scans read consistently.
    """

    segment: int
    source_items: int
    target_items: int
    matching: int
    source_digest: str
    target_digest: str
    settled_by_key: int = 0
    compared_at: float | None = None
    consistent_read: bool = False


class Suspect(Struct, frozen=True):
    """An item that differed when both sides were first asked for it, still to be asked for again.

    `in_source` says that the scan of the source has shown it. The digests are of what was there,
    None where nothing was.
    """

    segment: int
    key: bytes
    in_source: bool
    source_digest: bytes | None
    target_digest: bytes | None
    seen_at: float


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
    """The sums of what is stored of one table. `mended` differences are not counted by kind.

    `settled_by_key` are the keys that the scans left open and looks at both sides settled, as equal
    or gone. `overwritten` items of the target were newer than what a repair had seen, and are kept;
    of `unseen` ones it is not known what the repair replaced. Neither counts as written or deleted.
    `consistent_read` says that every segment was scanned so on both sides.
    """

    segments_compared: int = 0
    source_items: int = 0
    target_items: int = 0
    matching: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    rejected: int = 0
    in_flux: int = 0
    unconfirmed: int = 0
    written: int = 0
    deleted: int = 0
    agreed: int = 0
    overwritten: int = 0
    unseen: int = 0
    settled_by_key: int = 0
    oldest_at: float | None = None
    consistent_read: bool = False


class ComparisonCounters(Struct, frozen=True, kw_only=True):
    """What a table cost over all attempts, on both sides. Units are capacity units."""

    read_units: float = 0.0
    write_units: float = 0.0
    throttled_requests: int = 0
    retried_requests: int = 0
