"""The certificate: a file that says what was compared, when, and with which result.

It holds no key and no value of any item, and nothing of how the accounts were reached.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from dynaferry._version import __version__
from dynaferry.errors import StateWriteError
from dynaferry.observe.summary import VerifyStatus
from dynaferry.shared.files import check_replaceable, refusals_raised, write_whole
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import Verification
from dynaferry.verify.summary import ComparisonSummary, VerifySummary


class TableCertificate(Struct, frozen=True, kw_only=True):
    """One table: what was compared with what, and the counts.

    Times of creation are seconds since the epoch; they distinguish tables where there are no ids.
    """

    source: str
    target: str
    source_arn: str
    source_table_id: str | None
    target_arn: str
    target_table_id: str | None
    source_created_at: float | None
    target_created_at: float | None
    status: VerifyStatus
    source_items: int
    target_items: int
    matching: int
    missing: int
    extra: int
    different: int
    rejected: int
    in_flux: int
    written: int
    deleted: int
    source_digest: str | None
    target_digest: str | None
    segments_total: int
    segments_compared: int
    undecided: tuple[str, ...]
    settled_by_key: int
    oldest_segment_at: str | None
    overwritten: int
    unseen: int


class Certificate(Struct, frozen=True, kw_only=True):
    """The whole document. Times are UTC."""

    what: str = "dynaferry verification"
    version: str
    run: str
    status: VerifyStatus
    began_at: str
    ended_at: str
    attempts: int
    sample_percent: float | None
    settle_seconds: float
    consistent_read: bool
    digest: str = "sum modulo 2^128 of the BLAKE2b-128 digests of the canonical items"
    tables: tuple[TableCertificate, ...]


def certificate_of(
    plan: VerifyPlan, record: Verification, summary: VerifySummary, ended_at: float
) -> Certificate:
    """The certificate of a verification that came to its end. Pure."""
    pairs = zip(record.identity.tables, summary.tables, strict=True)
    return Certificate(
        version=__version__,
        run=record.run,
        status=summary.status,
        began_at=iso_time(record.created_at),
        ended_at=iso_time(ended_at),
        attempts=record.attempts,
        sample_percent=record.sample_percent,
        settle_seconds=plan.settle_seconds,
        consistent_read=summary.consistent_read,
        tables=tuple(
            TableCertificate(
                source_arn=identity.source_arn,
                source_table_id=identity.source_table_id,
                target_arn=identity.target_arn,
                target_table_id=identity.target_table_id,
                source_created_at=identity.source_created_at,
                target_created_at=identity.target_created_at,
                **_counts(table),
            )
            for identity, table in pairs
        ),
    )


def check_place(path: Path) -> None:
    """Returns if a file may be there: to be known before hours of reading. It blocks.

    :raises PlanError: the path is a directory, in none, or in one that may not be written to
    """
    hint = "name a file in a directory that is there, and writable"
    with refusals_raised(f"the certificate {path}", hint=hint):
        check_replaceable(path)


def write_certificate(path: Path, certificate: Certificate) -> None:
    """Writes the file, whole or not at all; one that is there is replaced. It blocks.

    :raises StateWriteError: it cannot be written
    """
    text = msgspec.json.format(msgspec.json.encode(certificate), indent=2) + b"\n"
    hint = "make room or name another file, and run the same command again"
    with refusals_raised(f"the certificate {path}", hint=hint, error=StateWriteError):
        write_whole(path, text, private=False)


def _counts(table: ComparisonSummary) -> dict[str, Any]:
    return {
        "source": table.source,
        "target": table.target,
        "status": table.status,
        "source_items": table.source_items,
        "target_items": table.target_items,
        "matching": table.matching,
        "missing": table.missing,
        "extra": table.extra,
        "different": table.different,
        "rejected": table.rejected,
        "in_flux": table.in_flux,
        "written": table.written,
        "deleted": table.deleted,
        "source_digest": table.digest,
        "target_digest": table.target_digest,
        "segments_total": table.segments_total,
        "segments_compared": table.segments_compared,
        "undecided": table.undecided,
        "settled_by_key": table.settled_by_key,
        "oldest_segment_at": table.oldest_segment_at,
        "overwritten": table.overwritten,
        "unseen": table.unseen,
    }


def iso_time(seconds: float) -> str:
    """The time in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
