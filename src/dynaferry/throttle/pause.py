"""The pause of a run: while it is closed nobody is admitted, and everything else goes on."""

import time
from collections.abc import Callable

import anyio


class PauseGate:
    """Open or closed, as often as people like. Requests that are under way are not its business.

    One that stands `within` another is closed while that one is, too.
    """

    def __init__(
        self, *, within: "PauseGate | None" = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._within = within
        self._inner: list[PauseGate] = []
        self._is_held = False
        self._opened = anyio.Event()
        self._closed_at: float | None = None
        self._closed_seconds = 0.0
        if within is not None:
            within._inner.append(self)
            self._swing()

    @property
    def is_open(self) -> bool:
        """Whether requests are admitted."""
        return self._closed_at is None

    def close(self) -> None:
        """Admits nobody from now on."""
        self._is_held = True
        self._swing()

    def open(self) -> None:
        """Admits those who wait, and whoever comes; unless the one around it is closed."""
        self._is_held = False
        self._swing()

    async def passed(self) -> None:
        """Returns when it is open."""
        while self._closed_at is not None:
            await self._opened.wait()

    def open_clock(self) -> float:
        """A clock that stands while the gate is closed: patience is measured with it."""
        now = self._clock() if self._closed_at is None else self._closed_at
        return now - self._closed_seconds

    def _swing(self) -> None:
        is_closed = self._is_held or (self._within is not None and not self._within.is_open)
        if is_closed and self._closed_at is None:
            self._closed_at = self._clock()
        elif not is_closed and self._closed_at is not None:
            self._closed_seconds += self._clock() - self._closed_at
            self._closed_at = None
            self._opened.set()
            self._opened = anyio.Event()
        for gate in self._inner:
            gate._swing()
