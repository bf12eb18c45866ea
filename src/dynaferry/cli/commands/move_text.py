"""What `dynaferry move --dry-run` prints: for people, and as a document."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dynaferry.cli.commands.copy import dry_run_document, estimate_document
from dynaferry.observe import formatting
from dynaferry.preflight.following import cost_line
from dynaferry.preflight.lines import SeenTable, dry_run_lines
from dynaferry.preflight.totals import totals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaferry.follow.dry_run import MoveEstimate
    from dynaferry.plan.settings import CopyPlan
    from dynaferry.preflight.inspection import TablePreflight


def move_lines(
    plan: CopyPlan, estimates: Sequence[MoveEstimate], *, width: int | None = None
) -> list[str]:
    """The tables with their estimates, what following costs, and the notices."""
    tables = [
        SeenTable(preflight=each.copy, notices=each.notices, following=_following(each))
        for each in estimates
    ]
    totals = totals_of(plan, [each.copy.estimate for each in estimates])
    *lines, ready = dry_run_lines(tables, totals, width=width)
    changing = [each.cost for each in estimates if each.changes_per_second]
    if len(estimates) > 1 and changing:
        lines.append(f"following all of them: {cost_line(changing)}")
    return [*lines, ready]


def first_outage_lines(tables: Sequence[TablePreflight]) -> list[str]:
    """Without a stream: the outage of the switch as far as it can be told before any pass."""
    # Read consistently, for twice the units of a scan.
    seconds = sum(2 * table.estimate.read_pace.seconds for table in tables)
    about = "" if math.isinf(seconds) else f", about {formatting.duration(seconds)} at that rate"
    return [
        f"without a stream a switch takes an outage of one pass of both tables{about};"
        " each pass measures it"
    ]


def _following(estimate: MoveEstimate) -> str:
    cost = cost_line([estimate.cost])
    if estimate.changes_per_second is None:
        return f"how much changes could not be measured; {cost}"
    return cost if estimate.changes_per_second else f"nothing changed just now; {cost}"


def move_document(plan: CopyPlan, estimates: Sequence[MoveEstimate]) -> dict[str, Any]:
    """The `--json` document: that of a copy's dry run, with `following` for each table."""
    totals = totals_of(plan, [each.copy.estimate for each in estimates])
    return dry_run_document(plan, [_table(each) for each in estimates], totals)


def _table(estimate: MoveEstimate) -> dict[str, Any]:
    source, stream = estimate.stream.source, estimate.stream
    copied = estimate_document(replace(estimate.copy, notices=estimate.notices))
    return copied | {
        "following": {
            "stream_arn": source.stream_arn,
            "stream_view": source.stream_view_type,
            "stream_status": stream.status,
            "shards_open": stream.open_shards,
            "changes_per_second": estimate.changes_per_second,
            "write_units_per_change": estimate.cost.write_units_per_change,
            # At that rate; null where nothing was seen to change.
            "cost_a_day": estimate.cost.total if estimate.changes_per_second else None,
        }
    }
