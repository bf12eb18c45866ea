"""What a kill would cost, at any instant of a copy in virtual time.

The real pipeline copies between the simulator's tables. At every look, and right before every
checkpoint, what the service has taken is compared with what the stored watermarks stand for: the
difference is what a kill at this instant would have written again. The service alone says how many
items were in flight then, and how many it had acknowledged in the second before.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import msgspec

from benchmarks.simulator import Settings, Table
from benchmarks.simulator import requests as client
from benchmarks.simulator.report import TableReport
from benchmarks.simulator.service import Service
from benchmarks.throttle.memory_store import MemoryStore
from benchmarks.throttle.virtual import SimulatedClient
from benchmarks.virtual_time import now, run_virtually
from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.ledger import Ledger
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.run.assembly import assemble
from dynaferry.state.records import (
    SegmentRecord,
    TableCounters,
)
from dynaferry.stop import StopSignal

LOOK_SECONDS = 0.01
SECOND = 1.0
DISK_SECONDS = 0.03  # a slow one


@dataclass(frozen=True, slots=True)
class Exposure:
    """At one instant: items a kill would have written again, and those it may."""

    at_seconds: float
    again: int
    in_flight: int
    last_second: int

    @property
    def allowed(self) -> int:
        """In flight, and one second."""
        return self.in_flight + self.last_second


@dataclass(slots=True)
class Exposed:
    """A copy that was looked at all the time."""

    seconds: float = 0.0
    written: int = 0
    read_units: float = 0.0
    complete: bool = False
    stats: TableStats | None = None
    target: TableReport | None = None
    exposures: list[Exposure] = field(default_factory=list)

    @property
    def worst(self) -> Exposure:
        """Where most was written again beyond what may be."""
        return max(self.exposures, key=lambda each: each.again - each.allowed)

    @property
    def largest_share(self) -> float:
        """The most that was written again, in parts of what may be."""
        return max(each.again / max(1, each.allowed) for each in self.exposures)


class CountingClient(SimulatedClient):
    """Counts, as the service does, what it has taken and what it has answered."""

    def __init__(self, service: Service, side: str, clock: Callable[[], float]) -> None:
        super().__init__(service, side, clock)
        self.taken = 0
        self.in_flight = 0
        self.answered: deque[tuple[float, int]] = deque()

    async def send(self, operation: str, body: bytes) -> bytes:
        sent = len(client.decode_batch_write(body).puts()[1])
        left = sent  # nothing of it, as long as nobody knows better
        self.in_flight += sent
        self.taken += sent
        try:
            answer = await super().send(operation, body)
            unprocessed = msgspec.json.decode(answer)["UnprocessedItems"]
            left = sum(len(requests) for requests in unprocessed.values())
            return answer
        finally:
            self.in_flight -= sent
            self.taken -= left
            self.answered.append((self._now(), sent - left))

    def answered_since(self, since: float) -> int:
        """Items that were acknowledged after `since`; never ask for an earlier one again."""
        while self.answered and self.answered[0][0] < since:
            self.answered.popleft()
        return sum(items for _, items in self.answered)


class SlowStore(MemoryStore):
    """Stores as a disk does: some time after it is told."""

    def __init__(self, before_checkpoint: Callable[[], None]) -> None:
        super().__init__()
        self._before_checkpoint = before_checkpoint

    async def checkpoint(
        self, table: int, segments: Sequence[SegmentRecord], counters: TableCounters
    ) -> None:
        await anyio.sleep(DISK_SECONDS)
        self._before_checkpoint()
        await super().checkpoint(table, segments, counters)

    @property
    def items_stored(self) -> int:
        """What the stored watermarks stand for."""
        return sum(record.items_written for record in self.segments.values())


def copy_exposed(
    source: Table,
    target: Table,
    *,
    seconds: float,
    segments: int = 256,
    max_write_units: float | None = None,
    max_read_units: float | None = None,
) -> Exposed:
    """Copies for so many seconds, or to the end."""

    async def body() -> Exposed:
        exposed = Exposed()
        service = Service(Settings(tables=(source, target)))
        plan = CopyPlan(
            tables=(TablePlan(source.name, target.name),),
            state_dir=Path("nowhere"),
            max_write_units=max_write_units,
            max_read_units=max_read_units,
        )
        written = CountingClient(service, target.name, now)

        def look() -> None:
            exposed.exposures.append(
                Exposure(
                    at_seconds=now(),
                    again=written.taken - store.items_stored,
                    in_flight=written.in_flight,
                    last_second=written.answered_since(now() - SECOND),
                )
            )

        store = SlowStore(look)
        stats = TableStats(source=source.name, target=target.name, segments_total=segments)
        pipeline = assemble(
            plan,
            0,
            ScanSource(
                SimulatedClient(service, source.name, now),
                table=source.name,
                total_segments=segments,
            ),
            BatchWriteTarget(written, table=target.name, keys=KeyReader(["pk", "sk"])),
            Ledger(segments),
            store,
            stats,
            RunCaps(plan, clock=now),
        )
        stop = StopSignal()

        async def look_regularly() -> None:
            while True:
                await anyio.sleep(LOOK_SECONDS)
                look()

        async def end_in_time() -> None:
            await anyio.sleep(seconds)
            exposed.written = stats.items_written
            stop.ask()
            stop.ask()

        async with anyio.create_task_group() as beside:
            beside.start_soon(look_regularly)
            beside.start_soon(end_in_time)
            exposed.complete = await pipeline.copy(stop)
            beside.cancel_scope.cancel()
        exposed.seconds = now()
        exposed.written = exposed.written or stats.items_written
        exposed.read_units = stats.read_units
        exposed.stats = stats
        exposed.target = service.tables[target.name].report(now())
        return exposed

    return run_virtually(body())
