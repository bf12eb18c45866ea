"""Copies, and kills itself at a named point: run by test_kills.py as a process.

Arguments: the plan as JSON, the point, and how many times the point is passed before.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Raw

from dynaferry import assembly, resume, run
from dynaferry.copy import pipeline
from dynaferry.copy.batcher import Batch
from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pipeline import Pipeline
from dynaferry.dynamodb.batch_write import TableTarget
from dynaferry.errors import ItemRefusedError
from dynaferry.plan import CopyPlan
from dynaferry.ports import WriteResult
from dynaferry.state.sqlite import Moment, SqliteStore

BEFORE_LAST_ACKNOWLEDGEMENT = "before a page's last acknowledgement"
BEFORE_CHECKPOINT = "between acknowledgement and checkpoint"
INSIDE_CHECKPOINT = "inside a checkpoint"
AFTER_CHECKPOINT = "after a checkpoint"
REFUSED = b"item that the target refuses"
POINTS = (BEFORE_LAST_ACKNOWLEDGEMENT, BEFORE_CHECKPOINT, INSIDE_CHECKPOINT, AFTER_CHECKPOINT)


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


def refuse_marked_items() -> Callable[[], None]:
    """Has the target refuse items that hold REFUSED, which moto would take; returns the undoing.

    As in life the refusal is of the whole batch.
    """
    write_batch = TableTarget.write_batch

    async def refusing(self: TableTarget, items: Sequence[Raw]) -> WriteResult:
        if any(REFUSED in bytes(item) for item in items):
            raise ItemRefusedError("Type mismatch for Index Key", code="ValidationException")
        return await write_batch(self, items)

    TableTarget.write_batch = refusing  # type: ignore[method-assign]

    def undo() -> None:
        TableTarget.write_batch = write_batch  # type: ignore[method-assign]

    return undo


def stand_at_the_points(executioner: Executioner) -> None:
    """Has the copy tell the executioner where it is."""

    class DyingStore(SqliteStore):
        def reached(self, moment: Moment) -> None:
            executioner.pass_point(moment)

    class DyingLedger(Ledger):
        def acknowledge(self, batch: Batch, *, rejected: int) -> None:
            opened = self._watermark(batch.segment)._open[0]
            if opened.unsettled == len(batch.items):
                executioner.pass_point(BEFORE_LAST_ACKNOWLEDGEMENT)
            super().acknowledge(batch, rejected=rejected)

    checkpoint = Pipeline._checkpoint

    async def dying_checkpoint(self: Pipeline) -> None:
        if self.ledger.changed_records():
            executioner.pass_point(BEFORE_CHECKPOINT)
        await checkpoint(self)

    vars(resume)["SqliteStore"] = DyingStore
    vars(assembly)["Ledger"] = DyingLedger
    Pipeline._checkpoint = dying_checkpoint  # type: ignore[method-assign]
    pipeline.CHECKPOINT_SECONDS = 0.05  # the table is small


def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=CopyPlan, dec_hook=lambda _, path: Path(path))
    refuse_marked_items()
    stand_at_the_points(Executioner(sys.argv[2], int(sys.argv[3])))
    outcome = asyncio.run(run.execute(plan))
    sys.stdout.buffer.write(msgspec.json.encode(outcome.summary))


if __name__ == "__main__":
    main()
