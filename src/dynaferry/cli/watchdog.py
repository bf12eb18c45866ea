"""A watchdog that ends a process whose event loop does not turn (invariant 10).

A thread checks once a second whether the loop has turned since its last check. It counts checks,
not seconds: a machine that was suspended and a process that was stopped make none either, and when
they go on, the loop has until the next check but one to turn. Python takes turns between its
threads, so that it also works while the loop is busy for ever.

What is written of a stack are the names of files and functions and the numbers of lines: never a
value, so neither an item nor a secret (invariant 8).
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from dynaferry.cli import exit_codes, screen, signals
from dynaferry.errors import LoopStalledError

CHECK_SECONDS: Final = 1.0
# Checks in a row that find that the loop has not turned, before it is given up.
MOST_CHECKS = 30
# Reporting must not keep the process from ending: stderr may be what the loop waits for.
LAST_WORDS_SECONDS: Final = 5.0
_MOST_FRAMES: Final = 60

LastWords = Callable[[LoopStalledError], object]

_log = logging.getLogger(__name__)


class Silence:
    """A counter of the checks in a row that found that the loop has not turned."""

    __slots__ = ("_most_checks", "_turns", "checks")

    def __init__(self, most_checks: int) -> None:
        self._most_checks = most_checks
        self._turns = -1
        self.checks = 0

    def check(self, turns: int) -> bool:
        """Compares how often the loop has turned; returns whether it is to be given up."""
        self.checks = self.checks + 1 if turns == self._turns else 0
        self._turns = turns
        return self.checks >= self._most_checks


class _Turns:
    """Counts, in the loop, that it turns."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self.number = 0
        self._next = loop.call_soon(self._turn)

    def _turn(self) -> None:
        self.number += 1
        self._next = self._loop.call_later(self._seconds, self._turn)

    def end(self) -> None:
        self._next.cancel()


@contextmanager
def watched(
    loop: asyncio.AbstractEventLoop,
    last_words: LastWords,
    *,
    end: Callable[[int], object] = signals.end_process,
) -> Iterator[None]:
    """Within, entered in `loop`, the process ends if the loop does not turn for half a minute."""
    turns, over = _Turns(loop, CHECK_SECONDS / 2), threading.Event()
    main = threading.get_ident()

    def watch() -> None:
        silence = Silence(MOST_CHECKS)
        while not over.wait(CHECK_SECONDS):
            if silence.check(turns.number):
                _report_within_seconds(stacks(main), last_words)
                end(exit_codes.FAILED)
                return

    threading.Thread(target=watch, name="dynaferry-watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        turns.end()


def _report_within_seconds(lines: Sequence[str], last_words: LastWords) -> None:
    reporter = threading.Thread(target=_report, args=(lines, last_words), daemon=True)
    reporter.start()
    reporter.join(LAST_WORDS_SECONDS)


def _report(lines: Sequence[str], last_words: LastWords) -> None:
    for line in lines:
        screen.say(line)
    error = LoopStalledError(
        f"dynaferry hung for {MOST_CHECKS * CHECK_SECONDS:.0f} s and ended itself; it stood at"
        f" {lines[1].strip()}",
        hint="the same command resumes; please report it, with the stacks above",
    )
    if _log.hasHandlers():
        event = {"event": "loop-stalled", "stacks": "\n".join(lines)}
        _log.error("the event loop does not turn", extra=event)
    last_words(error)


def stacks(first: int) -> list[str]:
    """The stack of each thread as lines, the innermost step on top; the thread `first` first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines: list[str] = []
    frames = sys._current_frames()
    for ident in sorted(frames, key=lambda ident: ident != first):
        if ident != threading.get_ident():
            lines += [f"stack of {names.get(ident, 'a thread')}:", *_steps(frames[ident])]
    return lines


def _steps(frame: FrameType | None) -> list[str]:
    steps: list[str] = []
    while frame is not None and len(steps) < _MOST_FRAMES:
        code = frame.f_code
        steps.append(f"  {_place(code.co_filename)}:{frame.f_lineno} in {code.co_qualname}")
        frame = frame.f_back
    return steps


def _place(file: str) -> str:
    """A file without the folders of this machine above its package."""
    parts = Path(file).parts
    for top in ("dynaferry", "site-packages"):
        if top in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(top) - 1 :])
    return "/".join(parts[-2:])
