"""The last lines of a verification, for people: counts, differences, next steps. Pure."""

from collections.abc import Iterator

import msgspec

from dynaferry.observe import formatting
from dynaferry.observe.summary import VerifyStatus
from dynaferry.verify.compare.repair import RepairPlan
from dynaferry.verify.summary import (
    ComparisonSummary,
    DifferenceSummary,
    Undecided,
    VerifySummary,
)

_HEADLINES: dict[VerifyStatus, str] = {
    "equal": "equal",
    "different": "different",
    "undecided": "undecided, not proven equal",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
    "refused": "refused, nothing was compared",
}


_REASONS: dict[Undecided, str] = {
    "in_flux": "items in flux differed in one way at the first read and in another at the second",
    "nothing_compared": "no segment that was compared holds an item: nothing is proven",
    "overwritten": "the repair replaced items of the target that were newer than what it had seen",
    "unseen": "of some items the target did not say what the repair replaced",
    "digests_differ": "the scans settled every item, yet their digests or counts do not agree",
}


def verify_lines(summary: VerifySummary, *, limit: int, begins_anew: bool = False) -> list[str]:
    """The lines that end a verification; at most `limit` differences of each table are shown.

    `begins_anew` says that the same command would drop what is unfinished.
    """
    lines = [
        f"{summary.run}: {_HEADLINES[summary.status]}{_sampled(summary)}{_how_scanned(summary)}"
    ]
    lines += _how_old(summary)
    for table in summary.tables:
        lines += _table_lines(table, limit)
    return lines + list(_next_steps(summary, begins_anew=begins_anew))


def _how_scanned(summary: VerifySummary) -> str:
    if summary.status not in ("equal", "different", "undecided"):
        return ""
    if summary.consistent_read:
        return ", by consistent reads"
    return ", by eventually consistent scans (--consistent-read proves more, for twice the units)"


def _how_old(summary: VerifySummary) -> Iterator[str]:
    oldest = min((t.oldest_segment_at for t in summary.tables if t.oldest_segment_at), default=None)
    if summary.attempts > 1 and oldest is not None:
        yield (
            f"  resumed: its oldest segment was compared at {oldest}, and what was written to it "
            "since is not seen"
        )


def _sampled(summary: VerifySummary) -> str:
    if summary.sample_percent is None:
        return ""
    return f" (a sample of {summary.sample_percent:g} % of the segments)"


def _table_lines(table: ComparisonSummary, limit: int) -> Iterator[str]:
    way = formatting.way(table.source, table.target, table.source_arn, table.target_arn)
    yield (f"{way}: {table.status}, segments {table.segments_compared}/{table.segments_total}")
    yield (
        f"  items     {formatting.count(table.source_items)} in the source, "
        f"{formatting.count(table.target_items)} in the target, "
        f"{formatting.count(table.matching)} matching"
    )
    yield (
        f"  differ    {formatting.count(table.missing)} missing, "
        f"{formatting.count(table.extra)} extra, {formatting.count(table.different)} different, "
        f"{formatting.count(table.rejected)} rejected by the copy, "
        f"{formatting.count(table.in_flux)} in flux"
    )
    if table.settled_by_key:
        yield (
            f"  by key    {formatting.count(table.settled_by_key)} items that the scans did not "
            "show alike were equal, or gone, when they were read by their keys"
        )
    yield from (f"  undecided {_REASONS[reason]}" for reason in table.undecided)
    if table.written or table.deleted:
        yield (
            f"  repaired  {formatting.count(table.written)} written, "
            f"{formatting.count(table.deleted)} deleted"
        )
    if table.overwritten or table.unseen:
        yield (
            f"  replaced  {formatting.count(table.overwritten)} newer items, which are kept, and "
            f"{formatting.count(table.unseen)} of which it is not known what they were"
        )
    yield (
        f"  cost      {formatting.count(table.read_units)} RCU, "
        f"{formatting.count(table.write_units)} WCU, {formatting.duration(table.seconds)}"
    )
    for difference in table.differences:
        yield f"  {_difference_line(difference)}"
    shown = len(table.differences)
    found = table.missing + table.extra + table.different + table.rejected
    if found > shown:
        yield f"  … and {formatting.count(found - shown)} more; --limit says how many are shown"


def _difference_line(difference: DifferenceSummary) -> str:
    line = f"{difference.kind:9} {_text(bytes(difference.key))}"
    if difference.attributes:
        line += f": {', '.join(difference.attributes)}"
    if difference.values:
        line += f" {_text(msgspec.json.encode(difference.values))}"
    return line


def _text(wire: bytes) -> str:
    return wire.decode("utf-8", "replace")


def _next_steps(summary: VerifySummary, *, begins_anew: bool) -> Iterator[str]:
    if summary.status in ("interrupted", "failed"):
        yield (
            "the same command with --resume, and without --restart, continues where it stopped; as "
            "it was typed it starts over"
            if begins_anew
            else "the same command again resumes where it stopped"
        )
        return
    tables = summary.tables
    if any(table.in_flux for table in tables):
        yield (
            "items in flux were changed while they were compared, which is not equal: "
            "compare again once nothing is written any more, or with a longer --settle"
        )
    for path in sorted({table.kept_in for table in tables if table.kept_in}):
        yield f"what was replaced is kept in {path}: decide which is right, then compare again"
    if any(table.unseen for table in tables):
        yield "find the writers of the target, and compare again, before another repair"
    if any("nothing_compared" in table.undecided for table in tables):
        yield "compare all segments, or a larger --sample"
    if any("digests_differ" in table.undecided for table in tables):
        yield "compare again with --restart; if it stays, report it: it should not happen"
    if any(table.missing or table.different for table in tables):
        yield "--repair writes what is missing or different"
    if any(table.extra for table in tables):
        yield "--delete-extra deletes what the source does not have"
    if any(table.rejected for table in tables):
        yield (
            f"the rejected items are kept: dynaferry dead-letters list {summary.run} says why, "
            f"dynaferry dead-letters replay {summary.run} writes them again"
        )


def repair_lines(planned: RepairPlan) -> list[str]:
    """The lines that say what a repair is about to do."""
    steps = (
        (planned.write_missing, "write", "missing item"),
        (planned.overwrite_different, "overwrite", "different item"),
        (planned.delete_extra, "delete", "extra item"),
    )
    lines = [
        f"  {verb} {formatting.plural(number, what)}" for number, verb, what in steps if number
    ]
    return [f"in the target {formatting.place(planned.target_arn)} this will", *lines]
