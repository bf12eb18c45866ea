"""Requests in flight, held to a limit that moves."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from dynaferry.throttle.concurrency import Concurrency

T = TypeVar("T")


class Slots:
    """As many at once as `concurrency` allows. One task at a time may wait for the next."""

    def __init__(
        self, concurrency: Concurrency, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._concurrency = concurrency
        self._clock = clock
        self._taken = 0
        self._freed: anyio.Event | None = None

    async def wait(self) -> None:
        """Returns when one is free."""
        while self._taken >= self._concurrency.limit:
            self._concurrency.waited()
            self._freed = anyio.Event()
            await self._freed.wait()

    async def use(self, request: Awaitable[T]) -> T:
        """Awaits `request` in the slot that was waited for."""
        self._taken += 1
        try:
            return await request
        finally:
            self._taken -= 1
            self._concurrency.answered(self._clock())
            if self._freed is not None:
                self._freed.set()
                self._freed = None
