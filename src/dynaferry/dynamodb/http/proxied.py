"""The way through a proxy: aiohttp's client, which knows how to ask one.

Slower than the direct way, and as good: whoever sits behind a proxy is not held up by this.
"""

import io
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext

import aiohttp
from yarl import URL

from dynaferry.dynamodb.environment.proxies import Proxy
from dynaferry.dynamodb.http.connection import (
    LEAST_SECONDS,
    MOST_RESPONSE_BYTES,
    HttpResponse,
    SignedHeaders,
)
from dynaferry.dynamodb.http.pool import Connection, Timeouts

READ_BUFFER_BYTES = 1024 * 1024  # a whole page without pausing the socket
# aiohttp warns on plain bytes above this size.
LARGE_BODY_BYTES = 1024 * 1024


class ProxiedConnection:
    """Sends to `url` through `proxy`. A `ConnectionProvider`, and its only connection."""

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, proxy: Proxy, patience: Timeouts
    ) -> None:
        self._patience = patience
        self._session = session
        self._url = url
        self._proxy = proxy

    async def send(self, head: SignedHeaders, body: bytes) -> HttpResponse:
        """Sends one request; see `Connection`.

        :raises aiohttp.ClientError: there is no response; OSError and TimeoutError likewise
        """
        left_seconds = max(LEAST_SECONDS, self._patience.left_seconds())
        async with self._session.post(
            self._url,
            timeout=_time_outs(self._patience, left_seconds),
            data=body if len(body) < LARGE_BODY_BYTES else io.BytesIO(body),
            headers=head.headers,
            allow_redirects=False,  # the session token would go with it
            proxy=self._proxy.url,
            proxy_headers=self._proxy.headers,
        ) as response:
            content = await _bounded(response)
        headers = {name.lower(): value for name, value in response.raw_headers}
        return HttpResponse(response.status, headers, content)

    # aiohttp finds a connection for each request by itself.
    is_reusable = True

    async def lend(self) -> "ProxiedConnection":
        """Itself; see `ConnectionProvider`."""
        return self

    def give_back(self, connection: Connection) -> None:
        """Nothing to do; see `ConnectionProvider`."""


@asynccontextmanager
async def open_proxied(
    url: URL, proxy: Proxy, *, tls: SSLContext | None, limit: int, patience: Timeouts
) -> AsyncIterator[ProxiedConnection]:
    """Opens the way: as many keep-alive connections as requests in flight."""
    connector = aiohttp.TCPConnector(
        limit=limit,
        keepalive_timeout=patience.keep_alive_seconds,
        ssl=tls if tls is not None else True,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        read_bufsize=READ_BUFFER_BYTES,
    ) as session:
        yield ProxiedConnection(session, url, proxy, patience)


def _time_outs(patience: Timeouts, left_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=_finite(min(patience.connect_seconds + patience.response_seconds, left_seconds)),
        sock_connect=patience.connect_seconds,
        sock_read=patience.silence_seconds,
    )


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, unless it goes on for longer than any of the service's."""
    chunks, length = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        length += len(chunk)
        if length > MOST_RESPONSE_BYTES:
            response.close()
            raise ConnectionError("the response is longer than any of the service's")
    return b"".join(chunks)
