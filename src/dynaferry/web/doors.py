"""The limit on a server's connections: their number is bounded, and idle ones make room.

A server that listens for others shares the process's descriptors with the copy. So their
number is bounded: a new connection takes the place of the one that has been idle for longest, and
is closed where none is idle. A connection over which no request comes is closed after a while.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, cast

# Scrapers come one by one, and each page has a connection for its news and some for its files.
MOST_CONNECTIONS: Final = 32
ASKING_SECONDS: Final = 10.0
# Connections that are accepted before the first request of any of them is read.
BACKLOG: Final = 16


class Doors:
    """The connections of one server; `serve` makes what speaks HTTP over one of them."""

    def __init__(
        self, serve: Callable[[], asyncio.Protocol], *, most: int = MOST_CONNECTIONS
    ) -> None:
        self._serve = serve
        self._most = most
        # In the order in which they became idle.
        self._idle: dict[asyncio.BaseTransport, None] = {}
        self._busy: set[asyncio.BaseTransport] = set()
        self._silent: set[asyncio.BaseTransport] = set()

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def open(self) -> "Door":
        """One more connection."""
        return Door(self, self._serve())

    def entered(self, transport: asyncio.BaseTransport) -> bool:
        """Admits a connection; returns whether it may stay open."""
        if len(self) >= self._most:
            if not self._idle:
                return False
            longest_idle = next(iter(self._idle))
            self.left(longest_idle)
            _shut(longest_idle)
        self._idle[transport] = None
        self._silent.add(transport)
        return True

    def left(self, transport: asyncio.BaseTransport) -> None:
        """Removes a connection that was closed."""
        self._idle.pop(transport, None)
        self._busy.discard(transport)
        self._silent.discard(transport)

    def has_asked(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a request has come over it by now."""
        return transport not in self._silent

    @contextmanager
    def asking(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Within, a request that came over it is being served, so that it is not idle."""
        if transport is None or transport not in self._idle:
            yield
            return
        del self._idle[transport]
        self._silent.discard(transport)
        self._busy.add(transport)
        try:
            yield
        finally:
            if transport in self._busy:
                self._busy.discard(transport)
                self._idle[transport] = None


class Door(asyncio.Protocol):
    """One connection: passes what it receives to the HTTP protocol, if it may stay."""

    def __init__(self, doors: Doors, within: asyncio.Protocol) -> None:
        self._doors = doors
        self._within = within
        self._transport: asyncio.BaseTransport | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection was made: it is admitted, or closed."""
        if not self._doors.entered(transport):
            _shut(transport)
            return
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(ASKING_SECONDS, self._check_for_requests)
        self._within.connection_made(transport)

    def _check_for_requests(self) -> None:
        """Closes a connection without a request; after the first one the server's limit holds."""
        transport = self._transport
        if transport is not None and not self._doors.has_asked(transport):
            _shut(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection was closed."""
        if self._patience is not None:
            self._patience.cancel()
        if self._transport is not None:
            self._doors.left(self._transport)
            self._transport = None
            self._within.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Passes on what was received."""
        if self._transport is not None:
            self._within.data_received(data)

    def eof_received(self) -> bool | None:
        """Passes on that nothing more will be received."""
        return self._within.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        """Passes on that the write buffer is full."""
        if self._transport is not None:
            self._within.pause_writing()

    def resume_writing(self) -> None:
        """Passes on that the write buffer has room again."""
        if self._transport is not None:
            self._within.resume_writing()


def _shut(transport: asyncio.BaseTransport) -> None:
    # A connection's transport is one that can be written to.
    cast("asyncio.WriteTransport", transport).abort()


@asynccontextmanager
async def listening(doors: Doors, listener: socket.socket) -> AsyncIterator[None]:
    """Lets people in by a socket that listens already, until what is within has ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(doors.open, sock=listener, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()
