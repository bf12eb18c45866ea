"""A trial in virtual time: the real pipeline, the real model, and nothing in between but time."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Self

import anyio

from benchmarks.simulator import Report, Settings
from benchmarks.simulator.service import Service
from benchmarks.throttle.cases import Case
from benchmarks.throttle.memory_store import MemoryStore
from benchmarks.throttle.trial import Trial
from benchmarks.virtual_time import now, run_virtually
from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pipeline import Pipeline
from dynaferry.dynamodb.client import DynamoClient, RequestSeries
from dynaferry.dynamodb.failures import call_site, service_errors
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.dynamodb.tables.description import TableDescription, read_description
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import polite_read_units, segments_for
from dynaferry.run.assembly import assemble
from dynaferry.stop import StopSignal

Watch = Callable[[float, Pipeline], None]


class SimulatedSeries(RequestSeries):
    """Asks request by request: there is no connection to keep."""

    async def __aenter__(self) -> Self:
        return self

    async def send(self, body: bytes) -> bytes:
        return await self._client.send(self._operation, body)


class SimulatedClient(DynamoClient):
    """Asks the service in this process, and waits as long as its answer takes."""

    def __init__(self, service: Service, side: str, clock: Callable[[], float]) -> None:
        self._service = service
        self._side = side
        self._now = clock

    def series(self, operation: str) -> RequestSeries:
        return SimulatedSeries(self, operation)

    async def send(self, operation: str, body: bytes) -> bytes:
        answer = self._service.answer(operation, body, self._now())
        await anyio.sleep(answer.latency_seconds)
        if answer.status == 200:
            return answer.body
        site = call_site.CallSite(table=self._side, side=self._side, acting_as="nobody")
        raise service_errors.from_service_error(
            service_errors.decode_error(answer.status, answer.body),
            status=answer.status,
            operation=operation,
            site=site,
        )


def run_virtual(case: Case, watch: Watch | None = None, *, seed: int = 1) -> Trial:
    """Copies as `run_trial` does, as fast as this machine can think.

    The same `seed` gives the same trial.
    """

    async def body() -> Trial:
        random.seed(seed)  # what the copy leaves to chance
        service = Service(Settings(tables=(case.source, case.target), seed=seed))
        named: set[str] = set()
        async with anyio.create_task_group() as runs:
            for _ in range(case.runs):
                runs.start_soon(_copy, case, service, now, named, watch)
        seconds = now()
        report = Report(
            seconds=seconds,
            cpu_seconds=0.0,
            worst_lag_seconds=0.0,
            tables={name: table.report(seconds) for name, table in service.tables.items()},
        )
        return Trial(case=case.name, seconds=seconds, report=report, named=tuple(sorted(named)))

    return run_virtually(body())


async def _copy(
    case: Case,
    service: Service,
    clock: Callable[[], float],
    named: set[str],
    watch: Watch | None,
) -> None:
    table = TablePlan("source", "target", segments=case.segments)
    plan = CopyPlan(tables=(table,), state_dir=Path("nowhere"))
    source, target = (described(service, name) for name in ("source", "target"))
    segments = segments_for(plan, table, source, target)
    stats = TableStats(source="source", target="target", segments_total=segments)
    pipeline = assemble(
        plan,
        0,
        ScanSource(
            SimulatedClient(service, "source", clock), table="source", total_segments=segments
        ),
        BatchWriteTarget(
            SimulatedClient(service, "target", clock),
            table="target",
            keys=KeyReader([key.name for key in source.keys]),
        ),
        Ledger(segments),
        MemoryStore(),
        stats,
        RunCaps(plan, clock=clock),
        most_read_units=polite_read_units(source),
        item_bytes=source.size_bytes / max(1, source.item_count),
    )
    stop = StopSignal()

    async def observe() -> None:
        while True:
            await anyio.sleep(1.0)
            if stats.bottleneck is not None:
                named.add(stats.bottleneck)
            if watch is not None:
                watch(clock(), pipeline)

    async def end_in_time() -> None:
        await anyio.sleep(case.seconds)
        stop.ask()
        stop.ask()

    async with anyio.create_task_group() as beside:
        beside.start_soon(observe)
        beside.start_soon(end_in_time)
        await pipeline.copy(stop)
        beside.cancel_scope.cancel()


def described(service: Service, table: str) -> TableDescription:
    """A table as DescribeTable of this service says that it is."""
    body = json.dumps({"TableName": table}).encode()
    answer = service.answer("DescribeTable", body, 0.0)
    return read_description(json.loads(answer.body)["Table"], endpoint="nowhere")
