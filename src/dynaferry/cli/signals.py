"""SIGINT, SIGTERM and SIGHUP, from the first import to the end of the process.

They are counted where Python runs handlers: between any two steps of the main thread. So the third
ends the process (invariant 9) whatever the event loop does, and one that comes while modules are
loaded is remembered even where an import swallows what the handler raises: code that begins
something long calls `raise_if_swallowed` first.

This is imported first, so it imports little: `typing` alone would take as long as all the rest.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any, Final, NoReturn

    # What `signal.signal` takes and gives.
    Handler = Callable[[int, FrameType | None], Any] | int | None

INTERRUPTED: Final = 130
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The one that ends the process, come what may.
LAST_SIGNAL: Final = 3
# The kernel and the shell both signal that a terminal is gone: that is one hang-up, not three.
SAME_HANGUP_SECONDS: Final = 2.0

ENDED_AT_ONCE: Final = "ended at once; what was stored is kept, and the same command resumes"
_SHOW_CURSOR: Final = "\x1b[?25h"


class Signals:
    """The handler of all three. A signal raises KeyboardInterrupt, or calls the listener."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count = 0
        self._hung_up_at = -SAME_HANGUP_SECONDS
        self._listener: Callable[[], None] | None = None
        self._is_forwarded = self._has_raised = False
        # Puts the terminal back into the mode in which it was found, where that was changed.
        self.restore_terminal: Callable[[], None] | None = None

    def __call__(self, number: int, _: FrameType | None = None) -> None:
        """Handles one signal, in the main thread."""
        if number == signal.SIGHUP and self._is_same_hangup(self._clock()):
            return
        self._count += 1
        if self._count >= LAST_SIGNAL:
            say_at_once(ENDED_AT_ONCE)
            end_process(INTERRUPTED)
        if self._listener is not None:
            self._is_forwarded = True
            self._listener()
        elif not self._is_forwarded:
            self._has_raised = True
            raise KeyboardInterrupt
        # Else the end that was asked for is on its way.

    def _is_same_hangup(self, now: float) -> bool:
        before, self._hung_up_at = self._hung_up_at, now
        return now - before < SAME_HANGUP_SECONDS

    def raise_if_swallowed(self) -> None:
        """Raises the KeyboardInterrupt that an import may have swallowed.

        :raises KeyboardInterrupt: there was a signal that nobody listened to
        """
        if self._has_raised:
            raise KeyboardInterrupt

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """Within, signals raise nothing: `listener` is called, the third time the process ends.

        It is called between any two steps of the main thread, so it must do next to nothing.
        """
        before, self._listener = self._listener, listener
        self._count = 0
        try:
            with self.installed():
                yield
        finally:
            self._listener = before

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, this is the process's handler; afterwards it is what it was before."""
        before = self.install()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def install(self) -> dict[signal.Signals, Handler]:
        """Makes this the process's handler, and returns what was in its place.

        A hang-up that the process was started to ignore (nohup) stays ignored.
        """
        before: dict[signal.Signals, Handler] = {}
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is self or (number == signal.SIGHUP and handler is signal.SIG_IGN):
                continue
            before[number] = signal.signal(number, self)
        return before


def in_force() -> Signals:
    """The handler of this process, or a new one that is yet to be installed."""
    handler = signal.getsignal(signal.SIGINT)
    return handler if isinstance(handler, Signals) else Signals()


def ignore_all() -> None:
    """Ignores all three at the very end, so that a late signal does not change the exit code."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def say_at_once(text: str) -> None:
    """Writes a line to stderr from wherever the process stands, unless that could block."""
    render: Callable[[str], str] = getattr(sys.stderr, "as_written", str)
    _write_at_once(render(text) + "\n")


def end_process(code: int) -> NoReturn:
    """Ends the process here and now, its terminal as it was found.

    Nothing is finished: the state file is one that a crash does not harm, and its lock is the
    kernel's.
    """
    if os.isatty(2) and os.environ.get("TERM", "") not in ("", "dumb"):
        _write_at_once(_SHOW_CURSOR)
    restore = in_force().restore_terminal
    if restore is not None:
        restore()
    os._exit(code)


def _write_at_once(text: str) -> None:
    try:
        if select.select([], [2], [], 0)[1]:
            os.write(2, text.encode(errors="replace"))
    except (OSError, ValueError):
        return
