"""The pause of a run: while it is closed nobody is admitted, and everything else goes on."""

import time
from collections.abc import Callable

import anyio


class PauseGate:
    """Open or closed, as often as people like. Requests that are under way are not its business."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opened = anyio.Event()
        self._closed_at: float | None = None
        self._closed_seconds = 0.0

    @property
    def is_open(self) -> bool:
        """Whether requests are admitted."""
        return self._closed_at is None

    def close(self) -> None:
        """Admits nobody from now on."""
        if self._closed_at is None:
            self._closed_at = self._clock()

    def open(self) -> None:
        """Admits those who wait, and whoever comes."""
        if self._closed_at is not None:
            self._closed_seconds += self._clock() - self._closed_at
            self._closed_at = None
            self._opened.set()
            self._opened = anyio.Event()

    async def passed(self) -> None:
        """Returns when it is open."""
        while self._closed_at is not None:
            await self._opened.wait()

    def open_clock(self) -> float:
        """A clock that stands while the gate is closed: patience is measured with it."""
        now = self._clock() if self._closed_at is None else self._closed_at
        return now - self._closed_seconds
