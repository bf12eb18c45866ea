"""Workers that share a table over nothing but encoded messages."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
import pytest

from dynaferry.cluster.messages import Acknowledgement, RateDemand, RateShare, SegmentGrant
from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.ledger import Ledger
from dynaferry.observe.stats import TableStats
from dynaferry.run.assembly import assemble
from dynaferry.state.records import (
    SegmentRecord,
    TableCounters,
)
from dynaferry.stop import StopSignal
from tests.copy.small_copy import pages_of, small_plan
from tests.worlds.fakes import FakeSource, FakeTarget

Message = TypeVar("Message")
SEGMENTS = 9
PAGES = [pages_of(segment, [30, 0, 7, 60]) for segment in range(SEGMENTS)]


def sent(message: Message) -> Message:
    """The message as it arrives at the other end of a line."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))


class Coordinator:
    """Hands out segments two at a time and keeps what is acknowledged, in memory."""

    def __init__(self) -> None:
        self.records = {segment: untouched(segment) for segment in range(SEGMENTS)}
        self._waiting = deque(range(SEGMENTS))

    def hand_back(self, grant: SegmentGrant) -> None:
        """A worker's lease has lapsed: others go on from what is acknowledged."""
        self._waiting.extend(
            record.segment for record in grant.segments if not self.records[record.segment].complete
        )

    async def next_grant(self, worker: str) -> SegmentGrant | None:
        taken = [self._waiting.popleft() for _ in range(min(2, len(self._waiting)))]
        if not taken:
            return None
        return sent(
            SegmentGrant(
                table=0,
                total_segments=SEGMENTS,
                segments=tuple(self.records[segment] for segment in taken),
                lease_seconds=60.0,
            )
        )

    async def acknowledged(self, acknowledgement: Acknowledgement) -> None:
        for record in sent(acknowledgement).records:
            self.records[record.segment] = record


def untouched(segment: int) -> SegmentRecord:
    return SegmentRecord(
        segment=segment,
        pages=0,
        last_evaluated_key=None,
        complete=False,
        items_read=0,
        items_written=0,
        items_rejected=0,
        items_filtered=0,
        bytes_read=0,
    )


class ReportingStore:
    """A worker's store: each checkpoint is a message."""

    def __init__(self, worker: str, coordinator: Coordinator) -> None:
        self._worker = worker
        self._coordinator = coordinator

    async def checkpoint(
        self, table: int, records: Sequence[SegmentRecord], counters: TableCounters
    ) -> None:
        await self._coordinator.acknowledged(
            Acknowledgement(
                worker=self._worker, table=table, records=tuple(records), counters=counters
            )
        )

    async def add_sample(self, sample: Any) -> None:
        """Samples are for the report of one process."""


async def work(
    worker: str, grant: SegmentGrant, coordinator: Coordinator, target: FakeTarget, tmp_path: Path
) -> None:
    """Copies the granted segments in a pipeline of the worker's own."""
    granted = {record.segment for record in grant.segments}
    ledger = Ledger(grant.total_segments, grant.segments, granted=granted)
    plan = small_plan(tmp_path)
    store: Any = ReportingStore(worker, coordinator)
    stats = TableStats(source="orders", target="orders", segments_total=len(granted))
    pipeline = assemble(plan, 0, FakeSource(PAGES), target, ledger, store, stats, RunCaps(plan))
    assert await pipeline.copy(StopSignal())


async def work_until_done(
    worker: str, coordinator: Coordinator, target: FakeTarget, tmp_path: Path
) -> None:
    while (grant := await coordinator.next_grant(worker)) is not None:
        await work(worker, grant, coordinator, target, tmp_path)


async def test_workers_that_only_exchange_messages_copy_every_item_once(tmp_path: Path) -> None:
    coordinator, target = Coordinator(), FakeTarget()
    async with anyio.create_task_group() as workers:
        for worker in ("one", "two", "three"):
            workers.start_soon(work_until_done, worker, coordinator, target, tmp_path)
    keys = FakeSource(PAGES).keys
    assert target.written == dict.fromkeys(keys, 1)
    records = coordinator.records.values()
    assert all(record.complete for record in records)
    assert sum(record.items_written for record in records) == len(keys)


async def test_segments_of_a_worker_that_died_go_on_from_what_it_acknowledged(
    tmp_path: Path,
) -> None:
    coordinator, target = Coordinator(), FakeTarget()

    async def die(keys: list[str]) -> None:
        if "s0-p3-0" in keys:
            raise RuntimeError("killed")

    target.before_write = die
    grant = await coordinator.next_grant("one")
    assert grant is not None
    with pytest.raises(ExceptionGroup):
        await work("one", grant, coordinator, target, tmp_path)
    target.before_write = None
    coordinator.hand_back(grant)
    await work_until_done("two", coordinator, target, tmp_path)
    keys = FakeSource(PAGES).keys
    assert set(target.written) == set(keys)
    assert sum(r.items_written for r in coordinator.records.values()) == len(keys)


def test_every_message_survives_the_line() -> None:
    record = untouched(3)
    messages = (
        SegmentGrant(table=0, total_segments=9, segments=(record,), lease_seconds=30.0),
        Acknowledgement(worker="one", table=0, records=(record,), counters=TableCounters()),
        RateDemand(
            worker="one",
            table=0,
            side="target",
            units_per_second=900.0,
            wanted_units_per_second=2000.0,
            throttled_requests=3,
            index="by-owner",
        ),
        RateShare(units_per_second=None, seconds=5.0),
    )
    for message in messages:
        assert sent(message) == message
