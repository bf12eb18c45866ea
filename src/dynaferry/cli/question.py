"""A question to the person at the terminal: it stands alone, and a signal ends it.

The event loop waits for the answer, not a thread, which nothing could cancel: a process that is to
end does not wait for Enter.
"""

import os
import sys

import anyio

from dynaferry.cli import screen

_MOST_ANSWER_BYTES = 1024
_YES = ("y", "yes")


class Questions:
    """Questions to the person, one at a time for all tables. To be made in an event loop."""

    def __init__(self) -> None:
        self._turns = anyio.Lock()

    async def agreed(self, *lines: str) -> bool:
        """Whether the person agrees to what the lines say; may be cancelled while it waits."""
        async with self._turns:
            for line in lines:
                screen.say(line)
            return (await _typed_line()).strip().lower() in _YES


async def _typed_line() -> str:
    """What is typed next; nothing where the terminal has gone away."""
    terminal = sys.stdin.fileno()
    await anyio.wait_readable(terminal)
    try:
        return os.read(terminal, _MOST_ANSWER_BYTES).decode(errors="replace")
    except OSError:
        return ""
