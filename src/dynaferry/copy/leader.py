"""One task waits for what comes next, and the others wait for that one.

A lock would do, but it is handed on while it is locked: who comes meanwhile queues as well, though
there is enough for everybody by then, and so the queue never ends. Here nobody holds the turn who
does not have to wait.
"""

from collections import deque
from types import TracebackType

import anyio


class LeaderLock:
    """Held, with `with`, by whoever has to wait; `is_locked` says whether anybody does."""

    def __init__(self) -> None:
        self.is_locked = False
        self._queue: deque[anyio.Event] = deque()

    async def come(self) -> None:
        """Returns when nobody holds it. Whoever it returns to holds it next, or passes it on."""
        while self.is_locked:
            mine = anyio.Event()
            self._queue.append(mine)
            try:
                await mine.wait()
            except BaseException:
                if mine.is_set():
                    self.pass_on()  # it was this one's turn, and is another's now
                else:
                    self._queue.remove(mine)
                raise

    def pass_on(self) -> None:
        """The next in the queue may look."""
        if self._queue:
            self._queue.popleft().set()

    def __enter__(self) -> None:
        self.is_locked = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_locked = False
        self.pass_on()
