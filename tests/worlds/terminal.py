"""A terminal, with a test in the place of the person who sits at it."""

import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

END_OF_INPUT = b"\x04"  # Ctrl-D


@contextmanager
def terminal() -> Iterator[tuple[int, TextIO]]:
    """(where the person types and reads, a stdin that is a terminal)."""
    person, side = pty.openpty()
    try:
        with os.fdopen(side, encoding="utf-8") as stdin:
            yield person, stdin
    finally:
        os.close(person)
