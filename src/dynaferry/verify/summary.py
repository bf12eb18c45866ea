"""The summary of a verification, as `--json` prints it: a contract with scripts."""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from dynaferry.errors import DynaferryError
from dynaferry.observe.summary import ErrorSummary, VerifyStatus
from dynaferry.verify.state.records import DifferenceKind

Undecided = Literal["in_flux", "nothing_compared", "digests_differ", "overwritten", "unseen"]


class BothValues(Struct, frozen=True, omit_defaults=True):
    """An attribute's value on each side that has it."""

    source: Raw | UnsetType = UNSET
    target: Raw | UnsetType = UNSET


class DifferenceSummary(Struct, frozen=True, kw_only=True):
    """One item that differs. `values`, where they were asked for, are those of the attributes."""

    kind: DifferenceKind
    key: Raw
    attributes: tuple[str, ...]
    values: dict[str, BothValues] | UnsetType = UNSET


class ComparisonSummary(Struct, frozen=True, kw_only=True):
    """The summary of one table.

    `undecided` says what keeps tables without a difference from being equal: `in_flux` (items that
    differed in one way at the first read and in another at the second), `nothing_compared` (a
    sample without an item), `digests_differ` (though the scans settled every item), and of a repair
    `overwritten` and `unseen`. `overwritten` items of the target were newer than what the repair
    had seen when it replaced them; they are kept in the file `kept_in`. Of `unseen` ones it is not
    known what the repair replaced: the target did not respond, or did not say. Neither is counted
    as `written` or `deleted`.

    Without writes meanwhile, `source_items = matching + missing + different + rejected` and
    `target_items = matching + extra + different`, and those of the rejected that are there, before
    anything was `written` or `deleted` by a repair. `rejected` are differences that the copy's
    dead letters explain. `digest` is the source's, equal to `target_digest` if the scans showed the
    same items; `settled_by_key` of those that they did not show alike were found equal, or gone, by
    reading them by their keys. `oldest_segment_at` is when the first segment was compared, in UTC.
    Counts and units are of the whole verification, `seconds` of this attempt. The ARNs are None
    where the tables were not seen.
    """

    source: str
    target: str
    status: VerifyStatus
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
    differences: tuple[DifferenceSummary, ...] = ()
    in_flux_keys: tuple[Raw, ...] = ()
    digest: str | None = None
    target_digest: str | None = None
    read_units: float = 0.0
    write_units: float = 0.0
    throttled_requests: int = 0
    segments_total: int = 0
    segments_compared: int = 0
    seconds: float = 0.0
    undecided: tuple[Undecided, ...] = ()
    settled_by_key: int = 0
    oldest_segment_at: str | None = None
    overwritten: int = 0
    unseen: int = 0
    kept_in: str | None = None
    source_arn: str | None = None
    target_arn: str | None = None


class VerifySummary(Struct, frozen=True, kw_only=True):
    """The summary of a verification: the document that `--json` prints.

    `sample_percent` is null where all is compared. `consistent_read` says that all
    segments were scanned with consistent reads; `attempts` is more than 1 where an earlier
    comparison was resumed.
    """

    run: str | None
    status: VerifyStatus
    error: ErrorSummary | None
    sample_percent: float | None = None
    tables: tuple[ComparisonSummary, ...] = ()
    consistent_read: bool = False
    attempts: int = 0


class VerifyOutcome(Struct, frozen=True):
    """The summary of an attempt, and its error as it was raised."""

    summary: VerifySummary
    error: DynaferryError | None = None
