"""An event loop whose clock only waiting moves: minutes of it go by in milliseconds.

Nothing may wait for anything but time: no sockets, no threads. A real clock moves between any two
looks at it, and code that looks twice for one decision may contradict itself: with `LOOK_SECONDS`
each look at this one takes so long.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.0


class _NothingToWaitForError(RuntimeError):
    """Every task waits for another: in real time it would be for ever."""


class _SkippingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Instead of waiting so long, it is so much later."""
        if timeout is None:
            raise _NothingToWaitForError("every task waits for another")
        self.now += max(timeout, 1e-9) if timeout > 0 else 0.0
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._look_seconds = LOOK_SECONDS
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        self._skipping.now += self._look_seconds
        return self._skipping.now


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` to its end, from the time 0 on."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    """The seconds that went by, for whom `run_virtually` runs."""
    return asyncio.get_running_loop().time()
