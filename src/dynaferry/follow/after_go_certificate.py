"""The certificate of the comparison behind a go: what was compared, when, and with which result.

It holds no key and no value of any item. It stands in the state directory as `RUN.after-go.json`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from dynaferry._version import __version__
from dynaferry.errors import StateWriteError
from dynaferry.shared.files import read_bounded, refusals_raised, write_whole
from dynaferry.state.directory import after_go_path
from dynaferry.verify.certificate import iso_time
from dynaferry.verify.summary import ComparisonSummary, VerifySummary

AfterGoStatus = Literal["equal", "different", "undecided"]
_MOST_BYTES: Final = 16 * 1024 * 1024


class LeftKeys(Struct, frozen=True, kw_only=True):
    """The keys of one table that differ and were not written behind the go, by how they differ."""

    missing: int = 0
    extra: int = 0
    different: int = 0
    rejected: int = 0
    in_flux: int = 0

    @property
    def total(self) -> int:
        """All of them but those that changed between two reads."""
        return self.missing + self.extra + self.different + self.rejected


class AfterGoTable(Struct, frozen=True, kw_only=True):
    """One table. `written_to_target` are the keys that the target's stream has shown since the go,
    None where nobody looked; `written_to_source` those of the source's, late writes and what
    expired. Neither are compared: what they hold is their writers'. `unknown` is why it is not
    known in full which those are. `undecided` is as a verification has it.
    """

    source: str
    target: str
    source_arn: str | None
    target_arn: str | None
    status: AfterGoStatus
    source_items: int
    target_items: int
    matching: int
    missing: int
    extra: int
    different: int
    rejected: int
    in_flux: int
    written_to_target: int | None
    written_to_source: int
    unknown: str | None
    undecided: tuple[str, ...]
    source_digest: str | None
    target_digest: str | None
    segments_total: int
    segments_compared: int
    oldest_segment_at: str | None


class AfterGoCertificate(Struct, frozen=True, kw_only=True):
    """The whole document. Times are UTC, `go` in seconds since the epoch."""

    what: str = "dynaferry verification behind the go"
    version: str = __version__
    run: str
    status: AfterGoStatus
    go: float
    switched_at: str
    began_at: str
    ended_at: str
    attempts: int
    consistent_read: bool
    settle_seconds: float
    digest: str = "sum modulo 2^128 of the BLAKE2b-128 digests of the canonical items"
    tables: tuple[AfterGoTable, ...]


def table_of(
    compared: ComparisonSummary,
    left: LeftKeys,
    written: tuple[int, int | None],
    unknown: str | None,
) -> AfterGoTable:
    """What is said of a table that was compared to its end. Pure.

    `written` counts the keys that were written to the source and to the target.
    """
    to_source, to_target = written
    undecided = tuple(reason for reason in compared.undecided if reason != "in_flux")
    return AfterGoTable(
        source=compared.source,
        target=compared.target,
        source_arn=compared.source_arn,
        target_arn=compared.target_arn,
        status=_status(left, unknown, undecided),
        source_items=compared.source_items,
        target_items=compared.target_items,
        matching=compared.matching,
        missing=left.missing,
        extra=left.extra,
        different=left.different,
        rejected=left.rejected,
        in_flux=left.in_flux,
        written_to_target=to_target,
        written_to_source=to_source,
        unknown=unknown,
        undecided=undecided,
        source_digest=compared.digest,
        target_digest=compared.target_digest,
        segments_total=compared.segments_total,
        segments_compared=compared.segments_compared,
        oldest_segment_at=compared.oldest_segment_at,
    )


def _status(left: LeftKeys, unknown: str | None, undecided: Sequence[str]) -> AfterGoStatus:
    """Different only where it is known that nobody has written what differs."""
    if left.total and unknown is None:
        return "different"
    return "undecided" if left.total or left.in_flux or undecided else "equal"


def certificate_of(
    summary: VerifySummary,
    tables: Sequence[AfterGoTable],
    *,
    run: str,
    go: float,
    began_at: float,
    ended_at: float,
    settle_seconds: float,
) -> AfterGoCertificate:
    """The document. Pure."""
    found = {table.status for table in tables}
    order: tuple[AfterGoStatus, ...] = ("different", "undecided")
    return AfterGoCertificate(
        run=run,
        status=next((status for status in order if status in found), "equal"),
        go=go,
        switched_at=iso_time(go),
        began_at=iso_time(began_at),
        ended_at=iso_time(ended_at),
        attempts=summary.attempts,
        consistent_read=summary.consistent_read,
        settle_seconds=settle_seconds,
        tables=tuple(tables),
    )


def write_after_go(state_dir: Path, certificate: AfterGoCertificate) -> Path:
    """Puts it into its place, whole or not at all. It blocks.

    :raises StateWriteError: it cannot be written
    """
    path = after_go_path(state_dir, certificate.run)
    text = msgspec.json.format(msgspec.json.encode(certificate), indent=2) + b"\n"
    hint = "make room, or remove what is in the way; every key is compared again then"
    with refusals_raised(f"the certificate {path}", hint=hint, error=StateWriteError):
        write_whole(path, text, private=False)
    return path


def read_after_go(state_dir: Path, run: str) -> AfterGoCertificate | None:
    """The certificate of a run; None where there is none, or it is not understood. It blocks."""
    try:
        content = read_bounded(after_go_path(state_dir, run), _MOST_BYTES)
        return msgspec.json.decode(content, type=AfterGoCertificate)
    except (OSError, msgspec.MsgspecError):
        return None


def lines_of(certificate: AfterGoCertificate, path: Path) -> list[str]:
    """What it says, for people. Pure."""
    return [*(_line(table) for table in certificate.tables), f"certificate: {path}"]


def _line(table: AfterGoTable) -> str:
    words = {
        "equal": "nothing differs",
        "different": "IT DIFFERS",
        "undecided": "undecided",
    }[table.status]
    counted = [f"{table.source_items:,} items of the source compared"]
    for number, what in (
        (table.missing, "missing"),
        (table.extra, "extra"),
        (table.different, "different"),
        (table.rejected, "refused by the target"),
        (table.in_flux, "in flux"),
    ):
        if number:
            counted.append(f"{number:,} {what}")
    if table.written_to_target is not None:
        counted.append(f"{table.written_to_target:,} written to the target since")
    if table.written_to_source:
        counted.append(f"{table.written_to_source:,} written to the source since")
    if table.unknown is not None and table.status != "equal":
        counted.append(f"who wrote what differs is not known: {table.unknown}")
    return f"{table.source} behind the go: {words}; {', '.join(counted)}"
