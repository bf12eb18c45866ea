"""A run that is complete already: it is looked at before it is believed (invariant 12).

The state file says what was written and when; whether it is still there, only the target knows.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.describe import has_items
from dynaferry.errors import AccessDeniedError, PreflightError
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.run.lifecycle import Say
from dynaferry.run.tables import RunTables
from dynaferry.state.records import RunRecord
from dynaferry.state.store import StateStore

FINISHED_STATUSES = frozenset({"complete", "rejected"})


def is_complete(record: RunRecord) -> bool:
    """Whether nothing is left to copy, by what is stored."""
    return record.status in FINISHED_STATUSES


async def is_finished(tables: RunTables, store: StateStore) -> bool:
    """Whether nothing is left to copy of those tables of a run that an attempt takes, and to note
    of those that came or left.
    """
    known = (await store.read_run()).identity.tables
    if tables.joined or tables.restarted:
        return False
    if any((seen.left_at is not None) != (n in tables.left) for n, seen in enumerate(known)):
        return False
    return all(
        [
            (await store.read_totals(n)).segments_complete == known[n].total_segments
            for n in tables.numbers
        ]
    )


def completed_at(record: RunRecord) -> str:
    """When it was completed, for eyes."""
    if record.ended_at is None:
        return "at a time that is not known"
    return f"at {datetime.fromtimestamp(record.ended_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


async def check_still_there(
    record: RunRecord,
    store: StateStore,
    tables: RunTables,
    checked: Sequence[TablePreflight],
    target: AccountSession,
    say: Say,
) -> None:
    """Returns if every target still holds something of what the run wrote, by one small read each.

    :raises PreflightError: one is empty
    """
    for number, checked_table in zip(tables.numbers, checked, strict=True):
        if number in tables.joined or number in tables.restarted:
            continue
        written = (await store.read_totals(number)).items_written
        if written == 0 or checked_table.target is None:
            continue
        try:
            is_there = await has_items(target, checked_table.target.called)
        except AccessDeniedError:
            say(f"{checked_table.target.arn} was not looked at: no permission for dynamodb:Scan")
            continue
        if not is_there:
            raise PreflightError(
                f"the run {record.run} was completed {completed_at(record)}, but the target "
                f"{checked_table.target.arn} is empty now: "
                f"the {written:,} items that it wrote are gone",
                hint=_anew(record, checked_table),
                table=checked_table.target.name,
            )


def _anew(record: RunRecord, seen: TablePreflight) -> str:
    if len(record.identity.tables) == 1:
        return "--restart copies everything again"
    return f"--restart-table {seen.table.source_name} copies this table again, and no other"
