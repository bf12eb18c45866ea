"""The certificate in a report: it must be of the run's tables, and later than its last write.

A certificate is a file that anybody may hand over. It is shown with a run only if each of its
tables is one of the run's, by ARNs and ids, and if the comparison began when the run had written;
and its heading says equal only of what is, by its own counts.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from dynaferry.errors import PlanError
from dynaferry.report.stored_run import StoredRun
from dynaferry.shared.files import read_bounded
from dynaferry.state.records import TableIdentity

MOST_CERTIFICATE_BYTES = 64 * 1024 * 1024

Verdict = Literal["equal", "different", "undecided"]


class VerifiedTable(Struct, frozen=True, kw_only=True):
    """The result of verify for one table."""

    source: str
    target: str
    source_arn: str
    target_arn: str
    source_table_id: str | None = None
    target_table_id: str | None = None
    source_created_at: float | None = None
    target_created_at: float | None = None
    status: Verdict
    source_items: int
    target_items: int
    matching: int
    missing: int
    extra: int
    different: int
    in_flux: int
    rejected: int = 0
    segments_total: int
    segments_compared: int

    @property
    def verdict(self) -> Verdict:
        """The verdict by its counts; never better than its status."""
        if self.missing or self.extra or self.different or self.rejected:
            return "different"
        if self.in_flux or self.segments_compared < max(self.segments_total, 1):
            return "undecided"
        return self.status


class StoredCertificate(Struct, frozen=True, kw_only=True):
    """A certificate as it was read: those of its fields that a report needs."""

    what: Literal["dynaferry verification"]
    status: Verdict
    tables: list[VerifiedTable]
    began_at: datetime
    ended_at: datetime
    sample_percent: float | None = None
    consistent_read: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst of its own verdict and its tables'."""
        found = {self.status, *(table.verdict for table in self.tables)}
        order: tuple[Verdict, ...] = ("different", "undecided")
        return next((each for each in order if each in found), "equal")


def read_certificate(path: Path) -> StoredCertificate:
    """Reads what verify wrote.

    :raises PlanError: it cannot be read, or is no certificate
    """
    try:
        certificate = msgspec.json.decode(
            read_bounded(path, MOST_CERTIFICATE_BYTES), type=StoredCertificate
        )
    except OSError as error:
        raise PlanError(f"the certificate {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(
            f"the certificate {path} is not understood: {error}",
            hint="it is what dynaferry verify wrote with --certificate",
        ) from error
    if not certificate.tables or None in (
        certificate.began_at.tzinfo,
        certificate.ended_at.tzinfo,
    ):
        raise PlanError(
            f"the certificate {path} does not say which tables were compared, and when",
            hint="it is what dynaferry verify wrote with --certificate",
        )
    return certificate


def check_belongs(
    certificate: StoredCertificate, run: StoredRun, path: Path, applied_at: float = 0.0
) -> None:
    """Returns if the certificate is about this run, which a move has last changed `applied_at`,
    in seconds since the epoch. Pure.

    :raises PlanError: it is of other tables, or older than what the run wrote
    """
    identities = [table.identity for table in run.tables]
    for table in certificate.tables:
        _check_table(table, identities, run.record.run, path)
    written_at = max(run.record.checkpointed_at or run.record.created_at, applied_at)
    # A certificate has whole seconds.
    if certificate.began_at.timestamp() < int(written_at):
        raise PlanError(
            f"the certificate {path} is of a comparison that began at {certificate.began_at}, "
            f"before the run {run.record.run} last wrote, at "
            f"{datetime.fromtimestamp(int(written_at), UTC)}",
            hint="run dynaferry verify with --certificate again, and report what it writes",
        )


def _check_table(
    table: VerifiedTable, identities: Sequence[TableIdentity], run: str, path: Path
) -> None:
    way = (table.source_arn, table.target_arn)
    found = [each for each in identities if (each.source_arn, each.target_arn) == way]
    if not found:
        copied = ", ".join(f"{each.source_arn} to {each.target_arn}" for each in identities)
        raise PlanError(
            f"the certificate {path} is of {table.source_arn} and {table.target_arn}, "
            f"but the run {run} copied {copied}",
            hint="name the certificate that dynaferry verify wrote for this run's tables",
        )
    for side in ("source", "target"):
        _check_not_made_anew(table, found[0], side, run, path)


def _check_not_made_anew(
    table: VerifiedTable, copied: TableIdentity, side: str, run: str, path: Path
) -> None:
    """Ids distinguish tables of one name; where there is none, the times of their creation."""
    for field, words in (("table_id", "id"), ("created_at", "created at")):
        then, now = (getattr(each, f"{side}_{field}") for each in (copied, table))
        if None in (then, now):
            continue
        if then == now:
            return
        raise PlanError(
            f"the certificate {path} is of another {side} table of the name "
            f"{getattr(table, side)} ({words} {now}) than the run {run} copied "
            f"({words} {then})",
            hint="the table was created again in between: copy and verify it again",
        )


def heading(certificate: StoredCertificate, tables_copied: int) -> str:
    """The heading of a certificate, for a run that copied `tables_copied` tables. Pure.

    It says `Verified: equal` only of all that the run copied, compared as a whole.
    """
    verdict = certificate.verdict
    if verdict == "different":
        return "Verified: different"
    if verdict == "undecided":
        return "Compared: undecided, not proven equal"
    if certificate.sample_percent is not None:
        return f"Compared: a sample of {certificate.sample_percent:g} % of the segments is equal"
    if len(certificate.tables) < tables_copied:
        return f"Verified in part: {len(certificate.tables)} of {tables_copied} tables are equal"
    return "Verified: equal"


def circumstances(certificate: StoredCertificate) -> str:
    """The line below the heading: when and how it was compared. Pure."""
    reads = "consistent reads" if certificate.consistent_read else "eventually consistent scans"
    return (
        f"compared from {_moment(certificate.began_at)} to {_moment(certificate.ended_at)} "
        f"by {reads}"
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
