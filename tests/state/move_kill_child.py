"""Ends a cut-over with a go, and is killed at the moment that it is told to."""

import os
import signal
import sys
from pathlib import Path

import anyio

from dynaferry.state.sqlite.move_file import MoveFile, MoveMoment


class DyingFile(MoveFile):
    """Dies of SIGKILL once it has reached the moment."""

    def reached(self, moment: MoveMoment) -> None:
        if moment == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    state_dir, number = Path(sys.argv[1]), int(sys.argv[2])
    file = await DyingFile.open(state_dir, "orders")
    await file.end(number, "go", 1_800_000_009.0, stage=("cutting-over", "switched"))
    await file.aclose()


anyio.run(main)
