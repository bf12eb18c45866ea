"""The state of a stored run and of each of its tables, in the words that are used everywhere.

The file says how a table stands, its run's lock whether anybody works on it. Pure.
"""

from dynaferry.control.effective import EffectiveControls, effective_for_table
from dynaferry.observe.health import is_stalled
from dynaferry.observe.table_state import ShownState, shown_state
from dynaferry.report.stored_run import StoredRun, StoredTable


def effective_of(run: StoredRun, table: StoredTable) -> EffectiveControls:
    """A table's own pause and caps, which hold beside those of its run."""
    planned = run.record.settings.tables[table.number]
    return effective_for_table(planned, run.controls.tables.get(planned.target_name))


def is_paused(run: StoredRun, table: StoredTable) -> bool:
    """Whether the table is held, by itself or with its run."""
    own = effective_of(run, table).paused_at
    return own is not None or run.effective.paused_at is not None


def state_of_run(run: StoredRun) -> ShownState:
    """The state of a run: one that was killed or crashed is interrupted."""
    if run.state == "killed":
        return "interrupted"
    if run.state == "stalled":
        return "stalled"
    if run.state == "running":
        paused = run.effective.paused_at is not None
        return shown_state("running", paused=paused, stalled=False)
    return run.state


def state_of_table(run: StoredRun, table: StoredTable) -> ShownState:
    """The state of a table: how it ended, or how it stands where its run is under way."""
    if table.totals.segments_complete >= table.identity.total_segments:
        return "rejected" if table.totals.items_rejected else "complete"
    if not run.is_under_way:
        return _ended(run, table)
    attempt = table.attempts[-1] if table.attempts else None
    if attempt is not None and attempt.attempt == run.record.attempts:
        if attempt.error_type is not None:
            return "failed"
        if attempt.status != "running":
            return "interrupted"
    paused = is_paused(run, table)
    if not _has_begun(run, table):
        return "waiting"
    stalled = run.state == "stalled" or is_stalled(_last_sign(run, table), run.now, paused=paused)
    return shown_state("running", paused=paused, stalled=stalled)


def _ended(run: StoredRun, table: StoredTable) -> ShownState:
    if table.error is not None:
        return "failed"
    # A file of an earlier version does not say which table it was.
    is_alone = len(run.tables) == 1
    return "failed" if run.state == "failed" and is_alone else "interrupted"


def _has_begun(run: StoredRun, table: StoredTable) -> bool:
    """Whether the table has begun in this attempt."""
    if table.attempts:
        return table.attempts[-1].attempt == run.record.attempts
    return (table.checkpointed_at or 0.0) >= run.record.started_at


def _last_sign(run: StoredRun, table: StoredTable) -> float:
    """When anything of the table was last stored, or when it began."""
    began = table.attempts[-1].started_at if table.attempts else run.record.started_at
    return max(began, table.checkpointed_at or 0.0)
