"""Works on a run and kills itself, as a power cut would: run by test_kill.py as a process.

Arguments: the state directory and the moment to die at.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from dynaferry.state.sqlite import run_file
from dynaferry.state.sqlite.store import Moment, SqliteStore
from tests.state.contract import (
    CREATED_AT,
    IDENTITY,
    SETTINGS,
    VERSION,
    counters,
    dead_letter,
    segment_record,
)

RUN = "killed"
BEGINNING = ("before the file has its name", "when the file has its name")
OLD = [segment_record(1, 1, rejected=1), segment_record(2, 1)]
NEW = [
    segment_record(1, 5, rejected=2),
    segment_record(2, 5),
    segment_record(3, 5, complete=True),
]
OLD_COUNTERS, NEW_COUNTERS = counters(1), counters(2)
LETTERS = [dead_letter("kept", segment=1, page=0), dead_letter("beyond", segment=1, page=1)]


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStore(SqliteStore):
    """Dies at the moment it is told, from the second checkpoint on."""

    moment = ""
    checkpoints = 0

    def reached(self, moment: Moment) -> None:
        if moment == "inside a checkpoint":
            self.checkpoints += 1
        if self.checkpoints > 1 and moment == self.moment:
            die()


def die_while_beginning(moment: str) -> None:
    if moment == "before the file has its name":
        Path.rename = die  # type: ignore[method-assign, assignment]
    elif moment == "when the file has its name":
        run_file._sync_directory = die  # type: ignore[assignment]


async def work(state_dir: Path, moment: str) -> None:
    die_while_beginning(moment)
    DyingStore.moment = moment
    store = await DyingStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.checkpoint(0, OLD, OLD_COUNTERS)
    await store.add_dead_letters(LETTERS)
    await store.checkpoint(0, NEW, NEW_COUNTERS)


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2]))
