"""Tasks that do the same work side by side, as many as a moving limit allows.

A member that has done a piece of work goes on with the next by itself: no hand-over from task to
task, which would cost a turn of the event loop for each request.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from anyio.abc import TaskGroup

from dynaferry.throttle.concurrency_limit import Concurrency


class WorkerPool:
    """Requests in flight, held to what `concurrency` allows, which grows by how they fare."""

    def __init__(
        self, concurrency: Concurrency, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._concurrency = concurrency
        self._clock = clock
        self._members = 0
        self._is_over = False

    @property
    def limit(self) -> int:
        """How many may work at once."""
        return self._concurrency.limit

    def start(self, tasks: TaskGroup, work: Callable[[], Awaitable[int]]) -> None:
        """Lets tasks call `work`, again and again.

        It says how many requests it has made; none says that there is no more to do.
        """
        while self._members < self._concurrency.limit and not self._is_over:
            self._members += 1
            tasks.start_soon(self._go_on, tasks, work)

    def is_short(self) -> None:
        """A piece of work did not have to be waited for: more members might do more."""
        self._concurrency.waited()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """A member waits for work meanwhile: more members would as well."""
        since = self._clock()
        try:
            yield
        finally:
            self._concurrency.idled(self._clock() - since)

    async def _go_on(self, tasks: TaskGroup, work: Callable[[], Awaitable[int]]) -> None:
        try:
            while self._members <= self._concurrency.limit:
                requests = await work()
                if not requests:
                    self._is_over = True
                    return
                self._concurrency.note_responses(self._clock(), requests)
                self.start(tasks, work)
        finally:
            self._members -= 1
