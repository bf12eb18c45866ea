"""A copy from Python: of one table by its names, or of a plan; with its progress, and its estimate.

What the command line does with its flags a program does with keywords. See docs/library.md.
"""

import math
from collections.abc import Callable
from typing import Final, Unpack, overload

import anyio
from msgspec import Struct

from dynaferry.errors import PlanError
from dynaferry.observe.estimator import RunProgress
from dynaferry.observe.stats import RunStats
from dynaferry.observe.summary import RunSummary
from dynaferry.plan.settings import Account, CopyPlan, PlanOptions
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.notice import texts
from dynaferry.preflight.totals import totals_of
from dynaferry.run.copy_tables import dry_run, execute
from dynaferry.stop import StopSignal

PROGRESS_SECONDS: Final = 1.0

OnProgress = Callable[[RunProgress], object]
"""Called about once a second, in the event loop; what it raises ends the copy, resumably."""


@overload
async def copy_table(
    plan: CopyPlan, *, stop: StopSignal | None = None, on_progress: OnProgress | None = None
) -> RunSummary: ...


@overload
async def copy_table(
    plan: str,
    target: str | None = None,
    *,
    from_: Account | None = None,
    to: Account | None = None,
    stop: StopSignal | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[PlanOptions],
) -> RunSummary: ...


async def copy_table(
    plan: CopyPlan | str,
    target: str | None = None,
    *,
    from_: Account | None = None,
    to: Account | None = None,
    stop: StopSignal | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[PlanOptions],
) -> RunSummary:
    """Copies what the plan says, or one table by its name, or goes on where an earlier call
    stopped.

    By name the keywords are those of `CopyPlan.for_table`; `target` is the source's name unless it
    is given. Returns the summary of a run that is complete, complete but for rejected items, or
    stopped by `stop`: see its `status`.

    :raises PlanError: the plan makes no sense
    :raises RefusedError: going on would not be safe; nothing was written
    :raises StoppedError: the run cannot go on now; the same call resumes it
    """
    if isinstance(plan, str):
        plan = CopyPlan.for_table(plan, target, from_=from_, to=to, **options)
    elif target is not None or from_ is not None or to is not None or options:
        raise PlanError("a plan says all that is copied", hint="give the plan alone, or two names")
    if on_progress is None:
        outcome = await execute(plan, stop=stop)
    else:
        teller = _Teller(on_progress)
        outcome = await execute(plan, stop=stop, watch=teller.watch)
        teller.tell()  # as it ended
    if outcome.error is not None:
        raise outcome.error
    return outcome.summary


async def copy_tables(
    plan: CopyPlan, *, stop: StopSignal | None = None, on_progress: OnProgress | None = None
) -> RunSummary:
    """Copies the tables of a plan: `copy_table`, by the name that says so."""
    return await copy_table(plan, stop=stop, on_progress=on_progress)


class _Teller:
    """Tells the progress of a copy, about once a second and at its end."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._stats: RunStats | None = None

    async def watch(self, stats: RunStats) -> None:
        """Tells it until it is cancelled."""
        self._stats = stats
        while True:
            self.tell()
            await anyio.sleep(PROGRESS_SECONDS)

    def tell(self) -> None:
        """Tells it as it is now, where there is any."""
        if self._stats is not None and self._stats.progress is not None:
            self._on_progress(self._stats.progress)


class TableEstimate(Struct, frozen=True, kw_only=True):
    """What one table is expected to take: see `copy --dry-run --json`, whose names these are.

    `seconds` is None where it would have no end.
    """

    source: str
    target: str
    creates_target: bool
    items: int
    bytes: int
    segments_total: int
    read_units: int
    write_units: int
    replicated_write_units: int
    seconds: float | None
    read_cost: float
    write_cost: float
    notices: tuple[str, ...]


class RunEstimate(Struct, frozen=True, kw_only=True):
    """What all tables of a plan are expected to take: `cost` is in dollars."""

    tables: tuple[TableEstimate, ...]
    items: int
    bytes: int
    seconds: float | None
    cost: float


async def estimate(plan: CopyPlan) -> RunEstimate:
    """Makes every check that a copy makes, writes nothing, and says what it would take.

    :raises DynaferryError: what a copy would refuse or fail with
    """
    preflights = await dry_run(plan)
    totals = totals_of(plan, [each.estimate for each in preflights])
    return RunEstimate(
        tables=tuple(_table_estimate(each) for each in preflights),
        items=totals.items,
        bytes=totals.bytes,
        seconds=_finite(totals.seconds),
        cost=totals.cost,
    )


def _table_estimate(preflight: TablePreflight) -> TableEstimate:
    expected = preflight.estimate
    return TableEstimate(
        source=preflight.table.source_name,
        target=preflight.table.target_name,
        creates_target=preflight.target is None,
        items=expected.items,
        bytes=expected.bytes,
        segments_total=preflight.total_segments,
        read_units=expected.read_units,
        write_units=expected.write_units,
        replicated_write_units=expected.replicated_write_units,
        seconds=_finite(expected.seconds),
        read_cost=expected.read_cost,
        write_cost=expected.write_cost,
        notices=tuple(texts(preflight.notices)),
    )


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
