"""Asks for the code of an MFA device, where a profile's role wants one.

botocore would ask by itself, inside the event loop, where nothing else turns meanwhile and Ctrl-C
is not heard; and again in the middle of a copy. So its question becomes an error here, and whoever
opens a side asks once, before anything begins, and hands the code back.
"""

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from botocore.exceptions import RefreshWithMFAUnsupportedError

from dynaferry.shared.printable import printable

_TERMINAL = "/dev/tty"
_HOW_TO_OPEN = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK
_MOST_BYTES = 1024


class CodeWantedError(Exception):
    """botocore asks for a code, in these words, and none was typed for it."""


class Prompter:
    """What botocore calls for a code: gives the one that was typed, once."""

    def __init__(self) -> None:
        self._code: str | None = None
        self.has_given = False

    def take(self, code: str) -> None:
        """Keeps a code for the next question."""
        self._code = code

    def __call__(self, question: str) -> str:
        """The code.

        :raises CodeWantedError: there is none
        :raises RefreshWithMFAUnsupportedError: another one is wanted, in the middle of a copy
        """
        if self.has_given:
            raise RefreshWithMFAUnsupportedError
        if self._code is None:
            raise CodeWantedError(question)
        code, self._code, self.has_given = self._code, None, True
        return code


async def ask(question: str) -> str | None:
    """What a person types on the terminal of this process, not shown; None where there is none.

    Can be cancelled while it waits, and leaves the terminal as it was.
    """
    try:
        terminal = os.open(_TERMINAL, _HOW_TO_OPEN)
    except OSError:
        return None
    try:
        with _without_echo(terminal):
            os.write(terminal, printable(question).encode("utf-8", "replace"))
            await anyio.wait_readable(terminal)
            typed = os.read(terminal, _MOST_BYTES)
        os.write(terminal, b"\n")
    finally:
        os.close(terminal)
    return typed.decode("utf-8", "replace").strip() or None


@contextmanager
def _without_echo(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    quiet = list(before)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
