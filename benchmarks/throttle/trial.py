"""One copy against the simulator, by dynaferry, in this process."""

import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct

from benchmarks.simulator import Report, Settings, simulator
from benchmarks.throttle.cases import Case
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run.copy_tables import execute
from dynaferry.stop import StopSignal

if TYPE_CHECKING:
    from dynaferry.run.outcome import Outcome

# The simulator looks at no signature, but there must be one.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated"}

Copier = Callable[[Case, str, Path], Awaitable[set[str]]]


class Trial(Struct, frozen=True, kw_only=True):
    """What came of it: the simulator's report, the copy's own seconds, the limits that it named."""

    case: str
    seconds: float
    report: Report
    named: tuple[str, ...] = ()


def run_trial(case: Case, copier: Copier) -> Trial:
    """Copies until everything is copied or the case's time is over."""
    os.environ.update(CREDENTIALS)
    with simulator(Settings(tables=(case.source, case.target))) as simulated:
        started = time.monotonic()
        named = anyio.run(
            _all_runs, case, copier, simulated.url, backend_options={"use_uvloop": True}
        )
        seconds = time.monotonic() - started
        return Trial(
            case=case.name, seconds=seconds, report=simulated.report(), named=tuple(sorted(named))
        )


async def _all_runs(case: Case, copier: Copier, url: str) -> set[str]:
    named: set[str] = set()

    async def one(directory: Path) -> None:
        named.update(await copier(case, url, directory))

    with tempfile.TemporaryDirectory() as directory:
        async with anyio.create_task_group() as runs:
            for number in range(case.runs):
                runs.start_soon(one, Path(directory) / str(number))
    return named


async def dynaferry(case: Case, url: str, state_dir: Path) -> set[str]:
    """Copies with the default settings; returns which limits the copy named."""
    account = Account(region="us-east-1", endpoint_url=url)
    plan = CopyPlan(
        tables=(TablePlan("source", "target"),),
        source=account,
        target=account,
        state_dir=state_dir,
        segments=case.segments,
        allow_non_empty_target=True,
    )
    stop, named = StopSignal(), set[str]()

    async def watch(stats: RunStats) -> None:
        while True:
            named.update(t.bottleneck for t in stats.tables if t.bottleneck is not None)
            await anyio.sleep(0.5)

    async def end_in_time() -> None:
        await anyio.sleep(case.seconds)
        stop.ask()
        stop.ask()

    async with anyio.create_task_group() as beside:
        beside.start_soon(end_in_time)
        outcome: Outcome = await execute(plan, stop=stop, watch=watch)
        beside.cancel_scope.cancel()
    if outcome.error is not None:
        raise outcome.error
    return named
