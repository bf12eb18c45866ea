"""The outcome of a verification, summed up from what is stored."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dynaferry.errors import DynaferryError
from dynaferry.observe.summary import VerifyStatus
from dynaferry.run.lifecycle import error_summary
from dynaferry.shared.fields import named_fields
from dynaferry.state.directory import overwritten_path
from dynaferry.verify.certificate import iso_time
from dynaferry.verify.compare.multiset import Multiset
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import (
    ComparedSegment,
    ComparisonTotals,
    Difference,
    Verification,
)
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.stats import ComparisonRunStats, ComparisonStats
from dynaferry.verify.summary import (
    BothValues,
    ComparisonSummary,
    DifferenceSummary,
    Undecided,
    VerifyOutcome,
    VerifySummary,
)

_decode_attributes = msgspec.json.Decoder(dict[str, Raw]).decode

Items = Mapping[bytes, bytes]


async def summarize(
    plan: VerifyPlan,
    record: Verification,
    stats: ComparisonRunStats,
    store: VerificationStore,
    error: DynaferryError | None,
    values: Mapping[int, tuple[Items, Items]],
) -> VerifySummary:
    """Sums up what is stored. `values` has the items of both sides by table, where asked for."""
    tables = [
        await _table_summary(plan, record, index, table, store, values.get(index))
        for index, table in enumerate(stats.tables)
    ]
    scanned = [await store.read_totals(index) for index in range(len(tables))]
    return VerifySummary(
        run=record.run,
        status=_worst(tables, error),
        error=error_summary(error),
        sample_percent=record.sample_percent,
        tables=tuple(tables),
        consistent_read=all(totals.consistent_read for totals in scanned),
        attempts=record.attempts,
    )


async def _table_summary(
    plan: VerifyPlan,
    record: Verification,
    index: int,
    stats: ComparisonStats,
    store: VerificationStore,
    values: tuple[Items, Items] | None,
) -> ComparisonSummary:
    totals, counters = await store.read_totals(index), await store.read_counters(index)
    source, target = digests(await store.read_segments(index))
    in_flux = await store.read_in_flux(index, plan.limit)
    differences = await store.read_differences(index, plan.limit)
    undecided = why_undecided(totals, source, target, is_sample=record.sample_percent is not None)
    identity = record.identity.tables[index]
    return ComparisonSummary(
        source=stats.source,
        target=stats.target,
        status=table_status(stats, totals, undecided),
        differences=tuple(_difference_summary(one, values) for one in differences),
        in_flux_keys=tuple(Raw(one.key) for one in in_flux),
        digest=source.hexdigest,
        target_digest=target.hexdigest,
        read_units=round(counters.read_units, 1),
        write_units=round(counters.write_units, 1),
        throttled_requests=counters.throttled_requests,
        segments_total=stats.segments_total,
        seconds=round((stats.ended_at or 0.0) - (stats.started_at or 0.0), 3),
        undecided=undecided,
        oldest_segment_at=_oldest(record, totals),
        kept_in=_kept_in(plan, totals),
        source_arn=identity.source_arn,
        target_arn=identity.target_arn,
        **named_fields(totals, ComparisonSummary.__struct_fields__),
    )


def _kept_in(plan: VerifyPlan, totals: ComparisonTotals) -> str | None:
    path = overwritten_path(plan.copy.state_dir, plan.copy.run_name)
    return str(path) if totals.overwritten else None


def _oldest(record: Verification, totals: ComparisonTotals) -> str | None:
    """When the first segment was compared: not before the verification began, at least."""
    if not totals.segments_compared:
        return None
    return iso_time(record.created_at if totals.oldest_at is None else totals.oldest_at)


def digests(segments: Sequence[ComparedSegment]) -> tuple[Multiset, Multiset]:
    """The multisets of the source and of the target, from those of their segments. Pure."""
    source, target = Multiset(), Multiset()
    for segment in segments:
        source += Multiset.from_hex(segment.source_items, segment.source_digest)
        target += Multiset.from_hex(segment.target_items, segment.target_digest)
    return source, target


def why_undecided(
    totals: ComparisonTotals, source: Multiset, target: Multiset, *, is_sample: bool
) -> tuple[Undecided, ...]:
    """The reasons that keep a table without a difference from being equal (invariant 12). Pure.

    `source` and `target` are what the scans showed. Where they show different items, each of these
    has been read by its key; where none had to be, and nothing was repaired, both must be the same.
    """
    reasons: list[Undecided] = []
    if totals.in_flux:
        reasons.append("in_flux")
    # Tables that are read to their end and hold nothing are equal; a sample of nothing is no proof.
    if not totals.segments_compared or (is_sample and source.count == target.count == 0):
        reasons.append("nothing_compared")
    if totals.overwritten:
        reasons.append("overwritten")
    if totals.unseen:
        reasons.append("unseen")
    repaired = totals.written + totals.deleted + totals.agreed + totals.overwritten + totals.unseen
    if not (totals.settled_by_key or repaired or _differing(totals) or totals.in_flux) and (
        source != target or totals.matching != source.count
    ):
        reasons.append("digests_differ")
    return tuple(reasons)


def _differing(totals: ComparisonTotals) -> int:
    return totals.missing + totals.extra + totals.different + totals.rejected


def table_status(
    stats: ComparisonStats, totals: ComparisonTotals, undecided: Sequence[Undecided]
) -> VerifyStatus:
    """The status of a table that stands like this. Pure."""
    if stats.state == "failed":
        return "failed"
    if stats.state != "complete":
        return "interrupted"
    if _differing(totals):
        return "different"
    return "undecided" if undecided else "equal"


def _worst(tables: Sequence[ComparisonSummary], error: DynaferryError | None) -> VerifyStatus:
    if error is not None:
        return "failed"
    found = {table.status for table in tables}
    order: tuple[VerifyStatus, ...] = ("failed", "interrupted", "different", "undecided")
    return next((status for status in order if status in found), "equal")


def _difference_summary(
    difference: Difference, values: tuple[Items, Items] | None
) -> DifferenceSummary:
    shown_values: dict[str, BothValues] | UnsetType = UNSET
    if values is not None:
        source, target = (items.get(difference.key) for items in values)
        shown_values = _values(difference, source, target)
    return DifferenceSummary(
        kind=difference.kind,
        key=Raw(difference.key),
        attributes=difference.attributes,
        values=shown_values,
    )


def _values(
    difference: Difference, source: bytes | None, target: bytes | None
) -> dict[str, BothValues]:
    """The values of the attributes that differ; of all, where one side has no such item."""
    here, there = ({} if item is None else _decode_attributes(item) for item in (source, target))
    names = difference.attributes or sorted(here.keys() | there.keys())
    return {
        name: BothValues(source=here.get(name, UNSET), target=there.get(name, UNSET))
        for name in names
    }


def without_summary(
    plan: VerifyPlan, error: DynaferryError | None, *, begun: bool
) -> VerifyOutcome:
    """The outcome of a verification without a summary: as a rule one that has not begun."""
    status: VerifyStatus = "refused"
    if error is None:
        status = "interrupted"
    elif begun:
        status = "failed"
    tables = tuple(
        ComparisonSummary(source=table.source_name, target=table.target_name, status=status)
        for table in plan.copy.tables
    )
    run = plan.copy.run_name if plan.copy.tables else plan.copy.run
    summary = VerifySummary(run=run, status=status, error=error_summary(error), tables=tables)
    return VerifyOutcome(summary, error)
