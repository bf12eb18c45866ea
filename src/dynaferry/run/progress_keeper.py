"""Keeps the progress of a run: estimates it once a second, stores it, and only then shows it.

So whatever a display has shown is in the state file, and no share falls when the run is killed and
resumed. The checkpoints know nothing of it: it is for people.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Self

import anyio

from dynaferry.errors import StateError, StateWriteError
from dynaferry.observe.estimator import RunProgress, TableProgress
from dynaferry.observe.run_estimator import RunEstimator
from dynaferry.observe.stats import RunStats
from dynaferry.state.records import TOTAL_PROGRESS, ProgressRecord
from dynaferry.state.store import StateStore

PROGRESS_SECONDS: Final = 1.0


class ProgressKeeper:
    """The keeper of one run's progress; `shown` is what earlier attempts have shown.

    Where the attempt `is_of_all` tables of the run, their total is one with that of the others.
    """

    def __init__(
        self,
        store: StateStore,
        stats: RunStats,
        *,
        readers: int,
        shown: Sequence[ProgressRecord] = (),
        is_of_all: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._store = store
        self._stats = stats
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        ratios = {record.table: record.progress_ratio for record in shown}
        self._is_of_all = is_of_all
        self._estimator = RunEstimator(
            readers,
            shown=[ratios.get(table.number, 0.0) for table in stats.tables],
            total_shown=ratios.get(TOTAL_PROGRESS, 0.0) if is_of_all else 0.0,
        )

    @classmethod
    async def begun(
        cls, store: StateStore, stats: RunStats, *, readers: int, is_of_all: bool = True
    ) -> Self:
        """The keeper of a run that begins or resumes, with its first progress shown."""
        shown = await store.read_progress()
        keeper = cls(store, stats, readers=readers, shown=shown, is_of_all=is_of_all)
        await keeper.keep()
        return keeper

    async def follow(self) -> None:
        """Keeps the progress until it is cancelled."""
        while True:
            await self._sleep(PROGRESS_SECONDS)
            await self.keep()

    async def keep(self) -> None:
        """Estimates, stores and shows the progress as it is now.

        What cannot be stored is not shown: the checkpoint meets the same file, and reports it.
        """
        progress = self._estimator.sample(self._stats, self._monotonic())
        try:
            numbers = [table.number for table in self._stats.tables]
            records = records_of(progress, numbers, self._clock())
            await self._store.keep_progress(records if self._is_of_all else records[1:])
        except (StateError, StateWriteError):
            return
        self._stats.progress = progress


def records_of(progress: RunProgress, numbers: Sequence[int], now: float) -> list[ProgressRecord]:
    """What is stored of it, the total first; its tables have these numbers."""
    of_tables = zip(numbers, progress.tables, strict=True)
    return [
        _record(TOTAL_PROGRESS, progress.total, now),
        *(_record(number, seen, now) for number, seen in of_tables),
    ]


def _record(table: int, seen: TableProgress, now: float) -> ProgressRecord:
    return ProgressRecord(
        table=table,
        time=now,
        items_done=seen.items_done,
        expected_items=seen.expected_items,
        progress_ratio=seen.progress_ratio,
        eta_seconds=seen.eta_seconds,
    )
