"""The progress of a run by its state file."""

from msgspec.structs import replace

from dynaferry.report.stored_progress import progress_of
from dynaferry.report.stored_run import StoredRun
from dynaferry.state.records import Controls, ProgressRecord, SegmentRecord, TableTotals
from tests.report.recorded import BEGAN, stored_run


def _record(table: int, eta: float | None) -> ProgressRecord:
    return ProgressRecord(
        table=table,
        time=BEGAN + 150,
        items_done=1_000,
        expected_items=4_000,
        progress_ratio=0.3,
        eta_seconds=eta,
    )


def _running(*records: ProgressRecord, now: float = BEGAN + 152, **changed: object) -> StoredRun:
    run = stored_run()
    totals = TableTotals(segments_complete=16, items_read=1_000, items_written=1_000)
    return replace(
        run,
        state="running",
        tables=[replace(run.tables[0], totals=totals)],
        progress=list(records),
        now=now,
        **changed,
    )


def test_a_run_under_way_is_as_its_process_has_shown_it() -> None:
    progress = progress_of(_running(_record(-1, 40.0), _record(0, 30.0)))
    assert progress.tables[0].eta_seconds == 28.0
    assert progress.total.eta_seconds == 38.0
    assert progress.tables[0].expected_items == progress.total.expected_items == 4_000
    assert progress.tables[0].progress_ratio == progress.total.progress_ratio == 0.3


def test_no_share_is_above_what_its_process_has_shown() -> None:
    """It would fall with the next line that the process writes."""
    records = [replace(record, expected_items=1_100) for record in (_record(-1, 9), _record(0, 9))]
    progress = progress_of(_running(*records))
    assert progress.tables[0].progress_ratio == progress.total.progress_ratio == 0.3


def test_no_end_is_known_where_nothing_moves_or_where_it_has_passed() -> None:
    records = (_record(-1, 40.0), _record(0, 30.0))
    paused = _running(*records, controls=Controls(paused_at=BEGAN))
    for run in (
        paused,
        replace(paused, controls=Controls(), state="stalled"),
        replace(paused, controls=Controls(), state="killed"),
        _running(*records, now=BEGAN + 200),
    ):
        progress = progress_of(run)
        assert progress.total.eta_seconds is progress.tables[0].eta_seconds is None
        assert progress.total.progress_ratio == 0.3


def test_of_a_file_of_an_earlier_version_the_segments_say_how_far_it_is() -> None:
    segments = [
        SegmentRecord(
            segment=number,
            pages=1,
            last_evaluated_key=None,
            complete=True,
            items_read=62,
            items_written=62,
            items_rejected=0,
            items_filtered=0,
            bytes_read=1,
        )
        for number in range(16)
    ]
    run = _running()
    run = replace(run, tables=[replace(run.tables[0], segments=segments)])
    progress = progress_of(run)
    assert progress.tables[0].expected_items == 62 * 64
    assert 0.24 < progress.total.progress_ratio < 0.26


def test_a_complete_run_is_whole() -> None:
    progress = progress_of(stored_run())
    assert progress.total.progress_ratio == progress.tables[0].progress_ratio == 1.0
    assert progress.total.expected_items == progress.total.items_done == 1_607
    assert progress.total.eta_seconds is None
