"""Processes of `dynaferry move` that are forked from one which has imported everything already.

What `python -m` does anew in each process takes most of a short move's CPU time. A forked process
is killed as any other; only its first second is not there to be killed in.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING

from dynaferry.__main__ import main
from tests.moves.move_child import Setup, prepare

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


class ForkedMove:
    """What of a `Popen` is used of a process."""

    def __init__(self, setup: Setup, command: Sequence[str], log: Path) -> None:
        self._process: BaseProcess = _context().Process(
            target=_run, args=(setup, list(command), str(log))
        )
        self._process.start()

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Sends a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        :raises TimeoutError: it has not
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError
        return self._process.exitcode

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.moves.warmed", "__main__"])
    return context


def _run(setup: Setup, command: list[str], log: str) -> None:
    with Path(log).open("ab") as told:
        os.dup2(told.fileno(), 2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.argv = ["dynaferry", *command]
    prepare(setup)
    main()
