"""The command line, with something going wrong in it: run by test_secrets.py as a process.

Arguments: what goes wrong, then the command line. A program that logs everything is part of it:
its log is debug.log in the working directory.
"""

import logging
import os
import signal
import sys

from dynaferry.cli import main as command_line
from dynaferry.copy import checkpoint
from dynaferry.dynamodb.client import RequestSeries
from dynaferry.state.sqlite.store import Moment, SqliteStore
from tests.worlds.refusals import refusing_marked_items


def break_at_the_first_batch() -> None:
    """A bug below the network edge, with credentials in the frames of its traceback."""

    async def break_off(self: RequestSeries, body: bytes) -> bytes:
        credentials = await self._client.credentials.current()
        raise LookupError(f"a bug, with {credentials} and {self._client.credentials} in hand")

    RequestSeries.send = break_off  # type: ignore[method-assign]


def die_after_a_checkpoint() -> None:
    """A crash that leaves the state's log behind."""

    def die(_: SqliteStore, moment: Moment) -> None:
        if moment == "after a checkpoint":
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.CHECKPOINT_SECONDS = 0.02
    SqliteStore.reached = die  # type: ignore[method-assign, assignment]


def main() -> None:
    fault = sys.argv.pop(1)
    logging.basicConfig(level=logging.DEBUG, filename="debug.log")
    if fault == "bug":
        break_at_the_first_batch()
    elif fault == "kill":
        die_after_a_checkpoint()
    if fault == "refusals":
        with refusing_marked_items():
            command_line.main()
    command_line.main()


if __name__ == "__main__":
    main()
