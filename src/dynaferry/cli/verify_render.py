"""The end of a verification, for eyes: what was compared, what differs, what to do next. Pure."""

from collections.abc import Iterator

import msgspec

from dynaferry.observe import readable
from dynaferry.observe.summary import VerifyStatus
from dynaferry.verify.repair import RepairPlan
from dynaferry.verify.summary import ComparisonSummary, DifferenceSummary, VerifySummary

_HEADLINES: dict[VerifyStatus, str] = {
    "equal": "equal",
    "different": "different",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
    "refused": "refused, nothing was compared",
}


def verify_lines(summary: VerifySummary, *, limit: int) -> list[str]:
    """The lines that end a verification; `limit` is how many differences a table tells."""
    lines = [f"{summary.run}: {_HEADLINES[summary.status]}{_sampled(summary)}"]
    for table in summary.tables:
        lines += _table_lines(table, limit)
    return lines + list(_next_steps(summary))


def _sampled(summary: VerifySummary) -> str:
    if summary.sample_percent is None:
        return ""
    return f" (a sample of {summary.sample_percent:g} % of the segments)"


def _table_lines(table: ComparisonSummary, limit: int) -> Iterator[str]:
    yield (
        f"{table.source} → {table.target}: {table.status}, "
        f"segments {table.segments_compared}/{table.segments_total}"
    )
    yield (
        f"  items     {readable.count(table.source_items)} in the source, "
        f"{readable.count(table.target_items)} in the target, "
        f"{readable.count(table.matching)} matching"
    )
    yield (
        f"  differ    {readable.count(table.missing)} missing, "
        f"{readable.count(table.extra)} extra, {readable.count(table.different)} different, "
        f"{readable.count(table.rejected)} rejected by the copy, "
        f"{readable.count(table.in_flux)} in flux"
    )
    if table.written or table.deleted:
        yield (
            f"  mended    {readable.count(table.written)} written, "
            f"{readable.count(table.deleted)} deleted"
        )
    yield (
        f"  cost      {readable.count(table.read_units)} RCU, "
        f"{readable.count(table.write_units)} WCU, {readable.duration(table.seconds)}"
    )
    for difference in table.differences:
        yield f"  {_difference_line(difference)}"
    told = len(table.differences)
    found = table.missing + table.extra + table.different + table.rejected
    if found > told:
        yield f"  … and {readable.count(found - told)} more; --limit says how many are told"


def _difference_line(difference: DifferenceSummary) -> str:
    line = f"{difference.kind:9} {_text(bytes(difference.key))}"
    if difference.attributes:
        line += f": {', '.join(difference.attributes)}"
    if difference.values:
        line += f" {_text(msgspec.json.encode(difference.values))}"
    return line


def _text(wire: bytes) -> str:
    return wire.decode("utf-8", "replace")


def _next_steps(summary: VerifySummary) -> Iterator[str]:
    if summary.status in ("interrupted", "failed"):
        yield "the same command again goes on where it stopped"
        return
    tables = summary.tables
    if any(table.in_flux for table in tables):
        yield (
            "items in flux were changed while they were looked at: "
            "compare again once nothing is written any more"
        )
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
    """What a repair is about to do."""
    steps = (
        (planned.write_missing, "write {} missing items"),
        (planned.overwrite_different, "overwrite {} different items"),
        (planned.delete_extra, "delete {} extra items"),
    )
    lines = [f"  {text.format(readable.count(number))}" for number, text in steps if number]
    return [f"in the target {planned.target} this will", *lines]
