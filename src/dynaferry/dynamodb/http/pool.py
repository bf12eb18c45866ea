"""The connections to one endpoint: as many as requests in flight, kept open between them."""

import asyncio
import math
import socket
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from dynaferry.dynamodb.failures.tls_errors import why_not_connected
from dynaferry.dynamodb.http.addresses import Addresses, peer_of
from dynaferry.dynamodb.http.connection import (
    LEAST_SECONDS,
    Http11Connection,
    HttpResponse,
    SignedHeaders,
)

CLOSE_CONNECTIONS_SECONDS = 1.0


class ConnectionProvider(Protocol):
    """Connections to one endpoint. There is no retry, no redirect and no cookie behind them."""

    async def lend(self) -> "Connection":
        """A connection for requests one after the other; to be given back.

        :raises OSError: none can be opened; TimeoutError included
        """
        ...

    def give_back(self, connection: "Connection") -> None:
        """The connection is needed no more."""
        ...


class Connection(Protocol):
    """Sends one request at a time; no more after a response that ended it."""

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be posted."""
        ...

    async def send(self, head: SignedHeaders, body: bytes) -> HttpResponse:
        """Returns the response, whatever its status.

        :raises OSError: there is none; TimeoutError included
        """
        ...


class EndpointAddress(NamedTuple):
    """Where an endpoint listens; `tls` is None for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    path: str = "/"


class Timeouts(NamedTuple):
    """How long to wait for a connection, for a sign of a response, and to keep what is idle.

    A response may take `response_seconds` as a whole. None of it lasts longer than `left_seconds`
    says, which is asked when the wait begins.
    """

    connect_seconds: float
    silence_seconds: float
    keep_alive_seconds: float
    response_seconds: float = math.inf
    left_seconds: Callable[[], float] = lambda: math.inf


class ConnectionPool:
    """At most `limit` connections. To be made inside a running event loop."""

    def __init__(self, address: EndpointAddress, *, limit: int, patience: Timeouts) -> None:
        self._address = address
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: list[Http11Connection] = []
        self._open: set[Http11Connection] = set()
        self._addresses = Addresses(address.host, address.port)
        self._connection = partial(
            Http11Connection,
            self._loop,
            patience.silence_seconds,
            path=address.path,
            response_seconds=patience.response_seconds,
            left_seconds=patience.left_seconds,
        )

    async def send(self, head: SignedHeaders, body: bytes) -> HttpResponse:
        """Sends one request over a connection that is open already, or over a new one."""
        connection = await self.lend()
        try:
            return await connection.send(head, body)
        finally:
            self.give_back(connection)

    async def lend(self) -> Http11Connection:
        """A connection that is open already, or a new one; see `ConnectionProvider`."""
        while self._free == 0:
            await self._wait_for_a_free_one()
        self._free -= 1
        try:
            return self._take_idle() or await self._connect()
        except BaseException:
            self._is_free_again()
            raise

    def give_back(self, connection: Connection) -> None:
        """Keeps the connection for whoever is next, if it may be used again."""
        if not isinstance(connection, Http11Connection):
            raise TypeError("this connection is of another pool")
        if connection.is_reusable:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            if connection.timed_out and connection.peer is not None:
                self._addresses.shun(connection.peer)
            connection.abort()
        self._is_free_again()

    def _is_free_again(self) -> None:
        self._free += 1
        if self._waiting:
            self._wake_one()

    async def _wait_for_a_free_one(self) -> None:
        """Cheaper than a semaphore where nobody has to wait, as in nearly every post."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake_one()  # it was this one's turn, and is another's now
            raise

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _take_idle(self) -> Http11Connection | None:
        """The connection that was used last, so that those not needed grow old and close."""
        while self._idle:
            connection = self._idle.pop()
            idle_seconds = self._loop.time() - connection.idle_since
            if connection.is_reusable and idle_seconds < self._patience.keep_alive_seconds:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Http11Connection:
        host, port, _, _ = self._address
        patience = self._patience
        seconds = min(patience.connect_seconds, max(LEAST_SECONDS, patience.left_seconds()))
        try:
            async with asyncio.timeout(seconds):
                connection = await self._connect_to(await self._addresses.connect())
        except (TimeoutError, ssl.SSLCertVerificationError):
            raise
        except OSError as error:
            why = why_not_connected(error, tls=self._address.tls is not None)
            raise ConnectionError(f"cannot connect to {host}:{port}: {why}") from error
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    async def _connect_to(self, connected: socket.socket) -> Http11Connection:
        host, _, tls, _ = self._address
        peer = peer_of(connected)
        try:
            _, connection = await self._loop.create_connection(
                self._connection, sock=connected, ssl=tls, server_hostname=host if tls else None
            )
        except asyncio.CancelledError:
            self._addresses.shun(peer)  # as a rule for the time that it took
            raise
        connection.peer = peer
        return connection

    async def aclose(self) -> None:
        """Closes every connection."""
        for connection in self._open:
            connection.abort()
        if self._open:
            await asyncio.wait([c.lost for c in self._open], timeout=CLOSE_CONNECTIONS_SECONDS)
