"""A run as its state file tells it: two attempts, the first one killed."""

from datetime import UTC, datetime

from msgspec.structs import replace

from dynaferry.observe.events import RunEvent
from dynaferry.report.certificate import StoredCertificate, VerifiedTable
from dynaferry.report.stored_run import StoredRun, StoredTable
from dynaferry.state.records import (
    AttemptRecord,
    Controls,
    LetterCount,
    RunRecord,
    Sample,
    TableCounters,
    TableTotals,
    ThrottleCount,
)
from tests.state.contract import IDENTITY, SETTINGS, table_identity

BEGAN = 1_700_000_000.0
ATTEMPTS = [
    AttemptRecord(
        attempt=1,
        version="0.1",
        started_at=BEGAN,
        ended_at=None,
        status="running",
        error_message=None,
    ),
    AttemptRecord(
        attempt=2,
        version="0.2",
        started_at=BEGAN + 100,
        ended_at=BEGAN + 160,
        status="rejected",
        error_message=None,
    ),
]
RECORD = RunRecord(
    run="orders",
    identity=replace(IDENTITY, tables=(table_identity(),)),
    settings=SETTINGS,
    version="0.2",
    status="rejected",
    attempts=2,
    created_at=BEGAN,
    started_at=BEGAN + 100,
    ended_at=BEGAN + 160,
    checkpointed_at=BEGAN + 160,
)


def sample_at(second: int, items: int, **settings: float) -> Sample:
    """A sample so many seconds after the run began."""
    return Sample(
        table=0,
        time=BEGAN + second,
        items_written=items,
        bytes_read=items * 1000,
        read_units=items / 8,
        write_units=float(items),
        throttled_requests=items // 100,
        **settings,
    )


SAMPLES = [
    *(sample_at(second, second * 10, write_limit_units=50.0) for second in range(0, 60, 10)),
    *(sample_at(second, 400 + (second - 100) * 20) for second in range(101, 160, 10)),
]


EVENTS = [
    RunEvent(time=BEGAN, kind="started"),
    RunEvent(time=BEGAN + 20, kind="paused", by="ann on the command line"),
    RunEvent(time=BEGAN + 20.4, kind="limits", detail="paused", paused=True),
    RunEvent(time=BEGAN + 40, kind="resumed", by="ann on the command line"),
    RunEvent(time=BEGAN + 40.4, kind="limits", detail="none"),
    RunEvent(time=BEGAN + 100, kind="started", detail="attempt 2"),
    RunEvent(time=BEGAN + 100.1, kind="limits", detail="a cap", write_cap_units=22.0),
    RunEvent(time=BEGAN + 160, kind="ended", detail="rejected"),
]


def stored_run(reason: str = "too large", run: str = "orders") -> StoredRun:
    """The run, with items rejected for this reason."""
    table = StoredTable(
        identity=table_identity(),
        totals=TableTotals(
            segments_complete=64,
            items_read=1607,
            items_written=1600,
            items_rejected=4,
            items_filtered=3,
            bytes_read=1_600_000,
        ),
        counters=TableCounters(
            read_units=200,
            write_units=1600,
            throttled_requests=16,
            dollars=12.5,
            bottleneck="index by<owner",
            throttles=(
                ThrottleCount(operation="Scan", reason="", times=5),
                ThrottleCount(operation="BatchWriteItem", reason="IndexWrite<s", times=11),
            ),
        ),
        segments=[],
        samples=SAMPLES,
        reasons=[LetterCount(error_code="ValidationException", error_message=reason, items=4)],
    )
    return StoredRun(
        record=replace(RECORD, run=run),
        state="rejected",
        under_way=None,
        process=None,
        controls=Controls(),
        attempts=ATTEMPTS,
        tables=[table],
        now=BEGAN + 1000,
        events=EVENTS,
    )


CERTIFICATE = StoredCertificate(
    what="dynaferry verification",
    status="different",
    began_at=datetime(2026, 1, 2, 3, 4, 4, tzinfo=UTC),
    ended_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    tables=[
        VerifiedTable(
            source="orders",
            target="orders",
            source_arn=table_identity().source_arn,
            target_arn=table_identity().target_arn,
            status="different",
            segments_total=64,
            segments_compared=64,
            source_items=1607,
            target_items=1603,
            matching=1600,
            missing=4,
            extra=0,
            different=3,
            in_flux=0,
        )
    ],
)
