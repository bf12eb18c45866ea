"""What is still to be compared behind a go is read beside whoever compares it."""

from pathlib import Path

import pytest
from anyio import to_thread

from dynaferry.follow.after_go_pending import PendingComparison, pending_comparison
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.state.directory import spool_path
from dynaferry.state.move_records import MoveRecord
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.state.records import ComparedSegment, ComparisonCounters, Verification
from dynaferry.verify.state.store import VerificationStore
from tests.follow.test_asking import stored
from tests.state.contract import CREATED_AT, IDENTITY

GO = CREATED_AT
SWITCHED = MoveRecord(stage="switched", since=GO, switched_at=GO, has_way_back=False)


async def look(state_dir: Path, now: float) -> PendingComparison | None:
    store = await SqliteStore.open_for_reading(state_dir, "orders")
    record = await store.read_run()
    await store.aclose()
    return await to_thread.run_sync(pending_comparison, state_dir, record, SWITCHED, now)


@pytest.mark.parametrize(
    ("began_at", "share", "seconds"), [(GO + 10.0, 0.015625, 90.0), (GO - 10.0, None, None)]
)
async def test_how_far_a_comparison_behind_this_go_is_and_none_of_one_before(
    tmp_path: Path, began_at: float, share: float | None, seconds: float | None
) -> None:
    await stored(tmp_path, "cutting-over", "switched")
    spool = spool_path(tmp_path, "orders", 0)
    assert await look(tmp_path, GO) is None  # it has no stream
    await to_thread.run_sync(lambda: SpoolFile.create(spool, "id").close())
    begun = Verification(
        run="orders",
        identity=IDENTITY,
        sample_percent=None,
        seed=1,
        version="1.0",
        status="running",
        attempts=1,
        created_at=began_at,
        started_at=began_at,
    )
    store = await VerificationStore.create(tmp_path, begun)
    for number in range(2):  # of twice 64
        compared = ComparedSegment(
            segment=number,
            source_items=1,
            target_items=1,
            matching=1,
            source_digest="0" * 32,
            target_digest="0" * 32,
        )
        await store.finish_segment(0, compared, ComparisonCounters())
    pending = await look(tmp_path, GO + 100.0)
    await store.aclose()
    assert pending is not None
    assert (pending.share, pending.seconds) == (share, seconds)
    assert not pending.is_running
