"""The tables of a move that are followed, and those that are not and why. Pure."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.errors import NotReadyError, StateError, StateWriteError
from dynaferry.observe.summary import TableSummary
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.outcome import Outcome
from dynaferry.run.tables import RunTables
from dynaferry.shared.arn import resource_name
from dynaferry.state.move_records import MoveRecord
from dynaferry.state.records import RunRecord


class NumberedTable(Protocol):
    """A table of a move under its number in the run's state file."""

    @property
    def number(self) -> int: ...


class NotFollowed(Struct, frozen=True):
    """A table of the run that is not followed, and why: no switch is made without it."""

    source: str
    why: str


def left_out(tables: RunTables) -> list[NotFollowed]:
    """The tables of the plan that are not chosen now."""
    return [NotFollowed(source, "it is left out by --only or --skip") for source in tables.left_out]


def check_not_begun_anew(tables: RunTables, move: MoveRecord | None) -> None:
    """Returns if no table is to be copied again whose target is in use behind the switch.

    :raises StateError: one is
    """
    if tables.begin_anew and move is not None and move.switched_at is not None:
        joined = [tables.of_run.tables[number].source_name for number in sorted(tables.joined)]
        skips = " ".join(f"--skip {name}" for name in joined)
        raise StateError(
            "the move was switched: its targets are in use, and none is copied over",
            hint=f"{skips} leaves out what is new in the plan"
            if skips and not tables.restarted
            else "begin another move with --run",
        )


def check_all_taken(tables: RunTables, stored: RunRecord | None, move: MoveRecord | None) -> None:
    """Returns if, behind the switch, every table of the move is taken: they go back, and forward,
    and are certified together.

    :raises StateError: some are left out, or are in the plan no more
    """
    if stored is None or move is None or move.switched_at is None or tables.plan.restart:
        return
    missing = [
        resource_name(table.source_arn)
        for number, table in enumerate(stored.identity.tables)
        if table.left_at is None and number not in tables.numbers
    ]
    if missing:
        raise StateError(
            f"the move was switched with all of its tables, and {', '.join(missing)} would be left"
            " out now: what is written to their targets would reach nobody",
            hint="the same command as before the switch, without --only and --skip, takes all",
        )


def plan_of(plan: CopyPlan, tables: Sequence[NumberedTable]) -> CopyPlan:
    """The plan of these tables alone, from the one of all tables of the run by their numbers."""
    chosen = tuple(plan.tables[table.number] for table in tables)
    return replace(plan, tables=chosen, run=plan.run_name)


def may_follow(outcome: Outcome) -> bool:
    """Whether there is a table to be followed, though others may have failed, each by itself."""
    states = {table.status for table in outcome.summary.tables}
    if isinstance(outcome.error, (StateError, StateWriteError)) and not _is_of_a_table(outcome):
        return False
    return states <= {"complete", "rejected", "failed"} and states != {"failed"}


def _is_of_a_table(outcome: Outcome) -> bool:
    """Whether the error is one table's own, such as that it was made anew, and not the file's."""
    own = {table.error.message for table in outcome.summary.tables if table.error is not None}
    return outcome.error is not None and outcome.error.message in own


def is_copied(table: TableSummary) -> bool:
    """Whether the copy of a table is complete."""
    return table.status == "complete" or table.status == "rejected"


def failure_of(table: TableSummary) -> NotFollowed:
    """Why a table is not followed whose copy failed."""
    why = table.error.message if table.error is not None else "it is not complete"
    return NotFollowed(table.source, f"its copy failed: {why}")


def check_all_followed(without: Sequence[NotFollowed]) -> None:
    """Returns if every table of the run is followed, so that all are switched together.

    :raises NotReadyError: some are not
    """
    if without:
        raise NotReadyError(
            "; ".join(f"{table.source} is not followed: {table.why}" for table in without),
            hint="the same move command copies what is left and follows all; or take a table out"
            " of the plan",
        )
