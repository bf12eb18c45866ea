"""Single keys from the terminal, while a display is redrawn on it.

The terminal is taken out of its line mode for that and left as it was found, whatever ends the
process (`signals.end_process` knows how). Ctrl-C and Ctrl-Z stay what they are. Nothing is read in
the background, where what is typed is for the shell.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import anyio

from dynaferry.cli import signals

if TYPE_CHECKING:
    from types import TracebackType

if sys.platform != "win32":
    import termios
    import tty

# What is pasted, and what an arrow key sends, comes as several characters at once.
_MOST_BYTES: Final = 64
# How often it is looked whether the process is in the foreground again.
_LOOK_SECONDS: Final = 0.5


class Keyboard:
    """The keys of the terminal at this file descriptor, stdin's unless told otherwise."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._found: list[Any] | None = None
        self._signals: dict[int, signals.Handler] = {}

    @property
    def is_there(self) -> bool:
        """Whether there is a terminal to type at, and this process is in its foreground."""
        if sys.platform == "win32":
            return False
        return os.isatty(self._fd) and self._is_in_front()

    def __enter__(self) -> Self:
        self._found = termios.tcgetattr(self._fd)
        # Else the kernel stops a process that reads or sets its terminal from the background.
        for number in (signal.SIGTTIN, signal.SIGTTOU):
            self._signals[number] = signal.signal(number, signal.SIG_IGN)
        signals.in_force().restore_terminal = self._restore
        self._take_single_keys()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()
        signals.in_force().restore_terminal = None
        for number, handler in self._signals.items():
            signal.signal(number, handler)

    async def pressed(self) -> str:
        """The next key, when it is pressed; never returns once the terminal is gone."""
        while True:
            if not self._is_in_front():
                await anyio.sleep(_LOOK_SECONDS)
                continue
            # A shell may have put it back into its line mode, after a Ctrl-Z.
            self._take_single_keys()
            with anyio.move_on_after(_LOOK_SECONDS):
                try:
                    await anyio.wait_readable(self._fd)
                    typed = os.read(self._fd, _MOST_BYTES)
                except OSError:
                    break
                if not typed:
                    break
                if len(typed) == 1:
                    return typed.decode("ascii", "replace")
        await anyio.sleep_forever()
        return ""

    def _is_in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False

    def _take_single_keys(self) -> None:
        with suppress(termios.error, OSError):
            if termios.tcgetattr(self._fd)[tty.LFLAG] & termios.ICANON:
                tty.setcbreak(self._fd, termios.TCSANOW)

    def _restore(self) -> None:
        if self._found is not None and self._is_in_front():
            with suppress(termios.error, OSError):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._found)
