"""The next steps of a run that is stored: what its summary said when it ended, from its state."""

from dynaferry.observe.next_steps import Commands, next_steps
from dynaferry.observe.summary import NextStep, RunStatus, TableSummary
from dynaferry.report.stored_run import StoredRun, StoredTable
from dynaferry.report.stored_states import state_of_table
from dynaferry.shared.arn import resource_name


def steps_of(run: StoredRun, commands: Commands) -> tuple[NextStep, ...]:
    """The steps that it leaves; none while a process copies it, no resuming behind a move's end."""
    if run.is_under_way:
        return ()
    tables = [_ended(run, table) for table in run.tables]
    steps = next_steps(run.record.run, tables, run.record.settings.left_to_do, commands)
    return tuple(step for step in steps if step.step != "resume" or run.move_end is None)


def _ended(run: StoredRun, table: StoredTable) -> TableSummary:
    identity, totals = table.identity, table.totals
    status: RunStatus = "rejected" if totals.items_rejected else "complete"
    if totals.segments_complete < identity.total_segments:
        status = "failed" if state_of_table(run, table) == "failed" else "interrupted"
    return TableSummary(
        source=resource_name(identity.source_arn),
        target=resource_name(identity.target_arn),
        status=status,
        items_rejected=totals.items_rejected,
    )
