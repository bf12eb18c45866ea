"""The progress of a run as its state file has it: what its process has shown last.

Of a file that knows of none, as those of earlier versions, it is estimated from the segments.
"""

from msgspec.structs import replace

from dynaferry.observe.estimator import (
    MOST_UNTIL_COMPLETE,
    Rates,
    RunProgress,
    TableProgress,
    estimated_items,
    seconds_to_go,
    share_done,
    total_of,
)
from dynaferry.observe.segment_sums import SegmentSums, SegmentTally
from dynaferry.report.stored_run import StoredRun, StoredTable, items_done, items_per_second
from dynaferry.state.records import TOTAL_PROGRESS, ProgressRecord


def progress_of(run: StoredRun) -> RunProgress:
    """The progress of the run's tables and of the total, at the moment `run.now`.

    Where nothing moves, since the run has ended, is paused or stalled, no ETA is known.
    """
    stored = {record.table: record for record in run.progress}
    tables = [_of_table(run, table, stored.get(table.number)) for table in run.tables]
    total = total_of(tables, None)
    before = stored.get(TOTAL_PROGRESS)
    if before is None or total.progress_ratio >= 1.0:
        return RunProgress(tables=tables, total=total)
    # As it was shown, and not estimated once more: what its process shows next is not to be below.
    # An attempt at some of its tables has left the total as it was.
    share = before.progress_ratio
    if not run.is_under_way:
        share = max(share, total.progress_ratio)
    total = replace(total, progress_ratio=share, eta_seconds=_eta_now(run, before))
    return RunProgress(tables=tables, total=total)


def _of_table(run: StoredRun, table: StoredTable, stored: ProgressRecord | None) -> TableProgress:
    done, segments = items_done(table.totals), table.identity.total_segments
    complete = table.totals.segments_complete
    if stored is None:
        return _estimated(run, table, done)
    if complete >= segments:
        return TableProgress(items_done=done, expected_items=done, progress_ratio=1.0)
    return TableProgress(
        items_done=done,
        expected_items=None if stored.expected_items is None else max(done, stored.expected_items),
        progress_ratio=min(stored.progress_ratio, MOST_UNTIL_COMPLETE),
        eta_seconds=_eta_now(run, stored),
    )


def _estimated(run: StoredRun, table: StoredTable, done: int) -> TableProgress:
    segments, complete = table.identity.total_segments, table.totals.segments_complete
    sums = _sums(table)
    estimate = estimated_items(sums, items_done=done, segments_total=segments, reported_items=0)
    rates = Rates(of_table=items_per_second(run, table))
    eta = seconds_to_go(done, estimate, rates) if _moves(run) else None
    return TableProgress(
        items_done=done,
        expected_items=done if complete >= segments else estimate.expected,
        progress_ratio=share_done(done, estimate.most, complete, segments),
        eta_seconds=eta,
    )


def _sums(table: StoredTable) -> SegmentSums:
    tally = SegmentTally()
    for segment in table.segments:
        tally.note(segment.segment, segment.items_read, complete=segment.complete)
    return tally.sums()


def _moves(run: StoredRun) -> bool:
    return run.state == "running" and run.effective.paused_at is None


def _eta_now(run: StoredRun, stored: ProgressRecord) -> float | None:
    """What is left of the ETA that was stored; unknown once that has passed."""
    if stored.eta_seconds is None or not _moves(run):
        return None
    left = stored.eta_seconds - max(0.0, run.now - stored.time)
    return left if left > 0 else None
