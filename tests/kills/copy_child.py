"""Copies, and kills itself at a named point: run by `killed.py` as a process.

Arguments: the plan as JSON, the seconds between checkpoints, the point ("" for none: the parent
kills), and how many times the point is passed before. What it prints is the summary. What a display
would show of its progress goes into a file beside its state directory: `shares_path`.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from dynaferry.copy import checkpoint
from dynaferry.copy.checkpoint import Checkpointer
from dynaferry.copy.ledger import Ledger
from dynaferry.observe.run_meter import RunMeter
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.ports import Page
from dynaferry.run import copy_tables, progress_keeper, resume, table_copy
from dynaferry.state.records import DeadLetter
from dynaferry.state.sqlite.store import Moment, SqliteStore

WHEN_BEGUN: Final = "when the state is begun"
PAGE_READ: Final = "when a page is read"
BEFORE_LAST_ACKNOWLEDGEMENT: Final = "before a page's last acknowledgement"
BEFORE_LETTERS: Final = "before dead letters are stored"
AFTER_LETTERS: Final = "between dead letters and their acknowledgement"
BEFORE_CHECKPOINT: Final = "between acknowledgement and checkpoint"
INSIDE_CHECKPOINT: Final = "inside a checkpoint"
AFTER_CHECKPOINT: Final = "after a checkpoint"
BEFORE_END: Final = "before the end of an attempt is stored"
# Those that an attempt passes once, and those that it passes again and again.
POINTS_PASSED_ONCE: Final = (WHEN_BEGUN, BEFORE_END)
POINTS: Final = (
    PAGE_READ,
    BEFORE_LAST_ACKNOWLEDGEMENT,
    BEFORE_LETTERS,
    AFTER_LETTERS,
    BEFORE_CHECKPOINT,
    INSIDE_CHECKPOINT,
    AFTER_CHECKPOINT,
)


SHOW_SECONDS: Final = 0.01


class Executioner:
    """Kills the process when its point has been passed often enough."""

    def __init__(self, point: str, spared: int) -> None:
        self._point = point
        self._spared = spared

    def pass_point(self, point: str) -> None:
        if point != self._point:
            return
        self._spared -= 1
        if self._spared < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def stand_at_the_points(executioner: Executioner) -> None:
    """Has the copy tell the executioner where it is."""
    pass_point = executioner.pass_point

    class DyingStore(SqliteStore):
        def reached(self, moment: Moment) -> None:
            pass_point(moment)

        async def begin_attempt(self, *args: Any) -> None:
            pass_point(WHEN_BEGUN)
            await super().begin_attempt(*args)

        async def end_attempt(self, *args: Any) -> None:
            pass_point(BEFORE_END)
            await super().end_attempt(*args)

        async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
            pass_point(BEFORE_LETTERS)
            await super().add_dead_letters(letters)
            pass_point(AFTER_LETTERS)

    class DyingLedger(Ledger):
        def page_read(self, segment: int, page: Page) -> int:
            number = super().page_read(segment, page)
            pass_point(PAGE_READ)
            return number

        def acknowledge(self, segment: int, page: int, *, written: int, rejected: int = 0) -> bool:
            opened = self._watermark(segment)._open[0]
            if opened.unsettled == written + rejected:
                pass_point(BEFORE_LAST_ACKNOWLEDGEMENT)
            return super().acknowledge(segment, page, written=written, rejected=rejected)

    make_checkpoint = Checkpointer._checkpoint

    async def dying_checkpoint(self: Checkpointer) -> None:
        if self._ledger.changed_records():
            pass_point(BEFORE_CHECKPOINT)
        await make_checkpoint(self)

    vars(resume)["SqliteStore"] = DyingStore
    vars(table_copy)["Ledger"] = DyingLedger
    Checkpointer._checkpoint = dying_checkpoint  # type: ignore[method-assign]


def shares_path(state_dir: Path) -> Path:
    """Where the shares stand that were shown, a line each time: of the total and of each table."""
    return state_dir.with_name(f"{state_dir.name}.shares")


class Display:
    """Shows the progress very often: each line is out before the next one is looked at."""

    def __init__(self, plan: CopyPlan) -> None:
        self._meter = RunMeter(plan.readers)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._shown = os.open(shares_path(plan.state_dir), flags, 0o600)

    async def watch(self, stats: RunStats) -> None:
        try:
            while True:
                self._show(stats)
                await anyio.sleep(SHOW_SECONDS)
        finally:
            self._show(stats)

    def _show(self, stats: RunStats) -> None:
        views = self._meter.view(stats, time.monotonic())
        shares = (self._meter.total.progress_ratio, *(view.share_done for view in views))
        os.write(self._shown, (" ".join(map(repr, shares)) + "\n").encode())


def main() -> None:
    plan, checkpoint_seconds, point, spared = sys.argv[1:]
    checkpoint.CHECKPOINT_SECONDS = float(checkpoint_seconds)
    vars(progress_keeper)["PROGRESS_SECONDS"] = float(checkpoint_seconds)
    stand_at_the_points(Executioner(point, int(spared)))
    copied = msgspec.json.decode(plan, type=CopyPlan, dec_hook=lambda _, path: Path(path))
    outcome = asyncio.run(copy_tables.execute(copied, watch=Display(copied).watch))
    sys.stdout.buffer.write(msgspec.json.encode(outcome.summary))


if __name__ == "__main__":
    main()
