"""One keep-alive HTTP/1.1 connection: one request at a time, its response whole or an error.

A signed POST needs little of what a client library does for it, and a copy sends thousands a
second: see benchmarks/README.md for what that costs. How a response is framed (lengths, chunks,
headers) is left to httptools, the parser of Node.js. A response counts when its frame says that it
is whole: one that only ends with the connection does not, since nobody could tell it from one
that was cut short.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

# No wait is shorter, however little of somebody's patience is left.
LEAST_SECONDS = 0.5
# The service gives 16 MB of items at most [M:BatchGetItem], and JSON is longer than items.
MOST_RESPONSE_BYTES = 64 * 1024 * 1024
MOST_HEAD_BYTES = 64 * 1024
# "100 Continue" and its like, before one response.
MOST_ANNOUNCEMENTS = 16
# Larger bodies go to the socket beside their head instead of being copied behind it.
JOINED_BODY_BYTES = 256 * 1024


class SignedHeaders(NamedTuple):
    """The headers of a request: `lasting` ones, the same object while they last, and its own."""

    lasting: Mapping[str, str]
    authorization: str

    @property
    def headers(self) -> dict[str, str]:
        """All of them."""
        return {**self.lasting, "Authorization": self.authorization}


class HttpResponse(NamedTuple):
    """A response as it came. Names of headers are in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class Http11Connection(asyncio.Protocol):
    """Speaks with one endpoint over one transport.

    `is_reusable` says whether another request may be sent; `idle_since` is for whoever keeps it.
    `lost` is done when the transport is gone; `timed_out` says that it was waited for too long.
    `peer` is the address that it was opened to, where that is known.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        silence_seconds: float,
        *,
        path: str = "/",
        response_seconds: float = math.inf,
        left_seconds: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self.timed_out = False
        self.peer: tuple[str, int] | None = None
        self.is_reusable = False
        self.idle_since = 0.0
        self.lost: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._silence_seconds = silence_seconds
        self._response_seconds = response_seconds
        self._left_seconds = left_seconds
        self._asked_at = 0.0
        self._unfinished_bytes = 0
        self._announcements = 0
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._waiting: asyncio.Future[HttpResponse] | None = None
        self._heard_at = 0.0
        self._unsent_bytes = 0
        self._watch: asyncio.TimerHandle | None = None
        self._first_line = f"POST {path} HTTP/1.1\r\n"
        self._lasting: Mapping[str, str] | None = None
        self._lasting_lines = b""

    async def send(self, head: SignedHeaders, body: bytes) -> HttpResponse:
        """Sends one request and returns its response; after any error the connection is closed.

        :raises OSError: closed, silent for too long (TimeoutError), or no HTTP
        """
        waiting: asyncio.Future[HttpResponse] = self._loop.create_future()
        self._waiting = waiting
        self.is_reusable = False
        try:
            self._send(head, body)
            return await waiting
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiting = None

    def abort(self) -> None:
        """Closes at once. What was on its way is lost."""
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    def _send(self, head: SignedHeaders, body: bytes) -> None:
        if self._transport is None:
            raise ConnectionResetError("the endpoint closed the connection")
        if head.lasting is not self._lasting:
            self._make_lines(head.lasting)
        own = f"Authorization: {head.authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
        lines = self._lasting_lines + own.encode("latin-1")
        if len(body) < JOINED_BODY_BYTES:
            self._transport.write(lines + body)
        else:
            self._transport.writelines((lines, body))
        self._unsent_bytes = len(lines) + len(body)
        self._asked_at = self._heard_at = self._loop.time()
        if self._watch is None:
            seconds = min(self._silence_seconds, max(LEAST_SECONDS, self._left_seconds()))
            self._watch = self._loop.call_later(seconds, self._check_for_silence)

    def _make_lines(self, lasting: Mapping[str, str]) -> None:
        lines = [f"{name}: {value}\r\n" for name, value in lasting.items()]
        self._lasting_lines = f"{self._first_line}{''.join(lines)}".encode("latin-1")
        self._lasting = lasting

    def _check_for_silence(self) -> None:
        """Ends a wait that has lasted too long: in silence, as a whole, or for who waits.

        One timer stays with the connection and looks again, since setting one for each request
        costs more than it tells. A request that is still leaving is not silence.
        """
        self._watch = None
        if self._waiting is None or self._transport is None:
            return
        now = self._loop.time()
        unsent_bytes = self._transport.get_write_buffer_size()
        if 0 < unsent_bytes < self._unsent_bytes:
            self._asked_at = self._heard_at = now
        self._unsent_bytes = unsent_bytes
        left_seconds = self._ends_at(now) - now
        if left_seconds > 0:
            self._watch = self._loop.call_later(left_seconds, self._check_for_silence)
        else:
            self.timed_out = True
            self._fail(TimeoutError())

    def _ends_at(self, now: float) -> float:
        return min(
            self._heard_at + self._silence_seconds,
            self._asked_at + self._response_seconds,
            max(self._asked_at + LEAST_SECONDS, now + self._left_seconds()),
        )

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.abort()

    # What the transport tells ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is one
        self.is_reusable = True

    def data_received(self, data: bytes) -> None:
        """Bytes came: part of the response, or what nobody asked for."""
        if self._waiting is None or self._waiting.done():
            self.abort()
            return
        self._heard_at = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            failure = ConnectionError("the response is not HTTP")
            failure.__cause__ = error
            self._fail(failure)
            return
        if not self._waiting.done():
            self._check_size(len(data))

    def _check_size(self, more_bytes: int) -> None:
        """A response that has not ended yet may not go on for ever."""
        self._unfinished_bytes += more_bytes
        most_bytes = MOST_RESPONSE_BYTES if self._chunks else MOST_HEAD_BYTES
        if self._unfinished_bytes > most_bytes or self._announcements > MOST_ANNOUNCEMENTS:
            self._fail(ConnectionError("the response is longer than any of the service's"))

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        closed = "the endpoint closed the connection without a response"
        self._fail(error or ConnectionResetError(closed))
        if not self.lost.done():
            self.lost.set_result(None)

    # What the parser tells ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A response begins."""
        if self._waiting is None or self._waiting.done():
            self.abort()  # a second response to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the response, or of what follows its last chunk."""
        self._headers[name.lower()] = value.rstrip()

    def on_body(self, chunk: bytes) -> None:
        """Part of the body."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """The response is whole."""
        status = self._parser.get_status_code()
        response = HttpResponse(status, self._headers, b"".join(self._chunks))
        self._headers, self._chunks = {}, []
        if status < 200:
            self._announcements += 1
            return  # "100 Continue" and its like: the response is still to come
        self._unfinished_bytes = self._announcements = 0
        if self._waiting is None or self._waiting.done() or self._transport is None:
            return  # of a response that nobody asked for
        # Where the endpoint responded before it had read everything, it will not go on.
        was_sent = self._transport.get_write_buffer_size() == 0
        self.is_reusable = was_sent and self._parser.should_keep_alive()
        self._waiting.set_result(response)
